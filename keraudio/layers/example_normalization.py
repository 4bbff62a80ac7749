"""Normalization of each example by its own mean and deviation."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keraudio")
class ExampleNormalization(keras.layers.Layer):
    """Brings each example to mean 0 and deviation 1, whatever else is in its batch.

    A constant example becomes zeros. Computed in float32; the result follows the dtype policy.

    Args:
        axis: `"all"`, one mean and deviation for the whole example, or `"frames"`, those of each bin (and channel) over
            the frames. Defaults to `"all"`.
        center: subtract the mean. Defaults to True.
        scale: divide by the root mean square of what is then left, which is the deviation where `center` is on.
            Defaults to True.
        epsilon: float > 0, added to the mean square: an example much fainter than its root stays faint.
            Defaults to 1e-8.

    Raises:
        ValueError: an argument is out of its range.

    Input shape:
        `(batch, frames, bins)`, `(batch, frames, bins, channels)` or, for a waveform, `(batch, samples)`.

    Output shape:
        As the input.

    Example:
        >>> import numpy as np
        >>> ExampleNormalization()(np.array([[[1.0, 3.0]]])).tolist()
        [[[-1.0, 1.0]]]
    """

    def __init__(self, axis: str = "all", *, center: bool = True, scale: bool = True, epsilon: float = 1e-8, **kwargs):
        super().__init__(autocast=False, **kwargs)
        if axis not in ("all", "frames"):
            raise ValueError(f"`axis` must be 'all' or 'frames'. Received: axis={axis!r}")
        if epsilon <= 0:
            raise ValueError(f"`epsilon` must be positive. Received: epsilon={epsilon}")
        self.axis = axis
        self.center = center
        self.scale = scale
        self.epsilon = epsilon

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        axes = tuple(range(1, len(x.shape))) if self.axis == "all" else (1,)
        if self.center:
            # The mean of a constant, summed in float32, is not that constant. Its first value taken off before leaves
            # exact zeros, and decibels far from 0 keep their digits.
            first = x[:, :1] if self.axis == "frames" else x[(slice(None), *[slice(0, 1)] * len(axes))]
            x = x - ops.stop_gradient(first)
            x = x - ops.mean(x, axis=axes, keepdims=True)
        if self.scale:
            x = x * ops.rsqrt(ops.mean(x * x, axis=axes, keepdims=True) + self.epsilon)
        return ops.cast(x, self.compute_dtype)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "axis": self.axis,
            "center": self.center,
            "scale": self.scale,
            "epsilon": self.epsilon,
        }
