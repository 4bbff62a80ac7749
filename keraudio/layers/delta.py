"""Derivatives of features along the frames."""

import math

import keras
import numpy as np
from keras import ops

_MODES = ("interp", "nearest", "constant", "mirror", "wrap")


@keras.saving.register_keras_serializable(package="keraudio")
class Delta(keras.layers.Layer):
    """Derivative of each bin along the frames, as `librosa.feature.delta` (Savitzky and Golay 1964).

    A polynomial of degree `order` is fitted to the `width` frames around each frame, and its derivative of that order
    is the result, per frame. Computed in float32; the result follows the dtype policy.

    Args:
        width: odd int >= 3, frames that the polynomial is fitted to; more than `order`. Defaults to 9.
        order: int >= 1, of the derivative. Defaults to 1.
        mode: what stands beyond the ends: `"interp"` (the polynomial of the first and last `width` frames goes on
            there), `"nearest"` (the frame at the end, repeated), `"constant"` (zeros), `"mirror"` (the reflection
            without the frame at the end) or `"wrap"` (the other end). With `"interp"` a clip shorter than `width`,
            which librosa refuses, has its last frame repeated up to it. Defaults to `"interp"`.

    Raises:
        ValueError: an argument is out of its range.

    Input shape:
        `(batch, frames, bins)` or `(batch, frames, bins, channels)`.

    Output shape:
        As the input.

    Example:
        >>> import numpy as np
        >>> Delta()(np.ones((2, 40, 20), "float32")).shape
        (2, 40, 20)
    """

    def __init__(self, width: int = 9, order: int = 1, *, mode: str = "interp", **kwargs):
        super().__init__(autocast=False, **kwargs)
        if order < 1:
            raise ValueError(f"`order` must be at least 1. Received: order={order}")
        if width < 3 or width % 2 == 0 or width <= order:
            raise ValueError(
                f"`width` must be odd, at least 3 and more than `order`. Received: width={width}, order={order}"
            )
        if mode not in _MODES:
            raise ValueError(f"`mode` must be one of {', '.join(_MODES)}. Received: mode={mode!r}")
        self.width = width
        self.order = order
        self.mode = mode
        self._coefficients = derivative_coefficients(width, order)

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        frames = x.shape[1] if x.shape[1] is not None else ops.shape(x)[1]
        half = self.width // 2
        if self.mode == "constant":
            slopes = self._slopes(ops.pad(x, [[0, 0], [half, half], *[[0, 0]] * (len(x.shape) - 2)]), frames)
        elif self.mode == "interp":
            # The derivative of the highest order is the same all along a polynomial, so that of the first whole
            # stretch holds for the frames before its middle, and that of the last for those after it.
            longest = max if isinstance(frames, int) else ops.maximum
            whole = longest(frames, self.width) - 2 * half
            frame = ops.arange(frames + self.width - 1, dtype="int32")
            slopes = self._slopes(ops.take(x, ops.minimum(frame, frames - 1), axis=1), whole)
            middle = ops.arange(frames, dtype="int32") - half
            slopes = ops.take(slopes, ops.clip(middle, 0, whole - 1), axis=1)
        else:
            frame = ops.arange(-half, frames + half, dtype="int32")
            slopes = self._slopes(ops.take(x, self._inside(frame, frames), axis=1), frames)
        return ops.cast(slopes, self.compute_dtype)

    def _inside(self, frame, frames):
        """The frame of the clip that stands for `frame`, which may lie beyond its ends."""
        if self.mode == "nearest":
            return ops.clip(frame, 0, frames - 1)
        if self.mode == "wrap":
            return ops.mod(frame, frames)
        period = ops.maximum(2 * (frames - 1), 1)
        frame = ops.mod(frame, period)
        return ops.minimum(frame, period - frame)

    def _slopes(self, x, frames):
        """Derivatives at the middle of each of the `frames` stretches of `x` that follow one another."""
        total = None
        for shift, coefficient in enumerate(self._coefficients):
            if coefficient != 0:
                term = float(coefficient) * x[:, shift : shift + frames]
                total = term if total is None else total + term
        return total

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "width": self.width, "order": self.order, "mode": self.mode}


def derivative_coefficients(width: int, order: int) -> np.ndarray:
    """What each of `width` frames adds to the derivative `order` of the polynomial of that degree fitted to them.

    Written out here because importing `scipy.signal` takes longer than loading a model.
    """
    half = width // 2
    # Positions in [-1, 1]: their powers up to `order` stay well-conditioned in the least squares.
    powers = (np.arange(-half, half + 1)[:, None] / half) ** np.arange(order + 1)
    coefficients = math.factorial(order) * np.linalg.pinv(powers)[order] / half**order
    # A derivative is odd or even about the middle; rounding must not leave a slope in what has none.
    mirrored = (coefficients + (-1) ** order * coefficients[::-1]) / 2
    return np.asarray(mirrored, dtype="float64")
