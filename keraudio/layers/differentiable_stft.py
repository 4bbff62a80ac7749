"""Short-time Fourier transform whose window length is learned by gradient."""

import math

import keras
from keras import ops

from keraudio.layers.stft import STFT


@keras.saving.register_keras_serializable(package="keraudio")
class WithinBounds(keras.constraints.Constraint):
    """Keeps a weight between two bounds, elementwise.

    Args:
        low: lowest value.
        high: highest value.
    """

    def __init__(self, low: float, high: float):
        self.low = low
        self.high = high

    def __call__(self, w):
        return ops.clip(w, self.low, self.high)

    def get_config(self):
        return {"low": self.low, "high": self.high}


@keras.saving.register_keras_serializable(package="keraudio")
class DifferentiableSTFT(STFT):
    """STFT with a Hann window whose length is a trained number (Leiber et al. 2022, differentiable STFT, section 3).

    The window is a continuous function of its length, which may be any real number of samples between `min_length` and
    `n_fft`, and stays in the middle of the frame; so size of the transform, hop and output shape never change while the
    length is learned. The weight is `length / n_fft`: a step of 0.001 is a sample of 1,024.

    Args:
        n_fft: int > 0, samples a frame is transformed over, the longest window. Defaults to 2048.
        hop_length: int > 0, samples between successive frames. Defaults to `n_fft // 4`.
        initial_length: float, length of the window at the start, in samples. Defaults to `n_fft / 2`.
        min_length: float >= 2, shortest length in samples. Defaults to `n_fft / 32`, but at least 2.
        norm: what of the window stays 1 as its length changes: `"sum"` (a tone keeps its magnitude), `"energy"` (noise
            does), or None: its peak, as in `STFT`. Defaults to None.
        **kwargs: `center`, `pad_mode` and `power` of `STFT`.

    Raises:
        ValueError: an argument is out of its range.

    Input shape:
        `(batch, samples)` or `(batch, samples, channels)`.

    Output shape:
        As `STFT`.

    Example:
        >>> import numpy as np
        >>> layer = DifferentiableSTFT(512, 128, initial_length=300)
        >>> layer(np.zeros((2, 16000), "float32")).shape, round(layer.window_length, 3)
        ((2, 126, 257), 300.0)
    """

    def __init__(
        self,
        n_fft: int = 2048,
        hop_length: int | None = None,
        *,
        initial_length: float | None = None,
        min_length: float | None = None,
        norm: str | None = None,
        **kwargs,
    ):
        super().__init__(n_fft, hop_length, **kwargs)
        min_length = max(2.0, n_fft / 32) if min_length is None else min_length
        initial_length = max(min_length, n_fft / 2) if initial_length is None else initial_length
        if not 2 <= min_length <= initial_length <= n_fft:
            raise ValueError(
                "Lengths must satisfy 2 <= min_length <= initial_length <= n_fft. "
                f"Received: min_length={min_length}, initial_length={initial_length}, n_fft={n_fft}"
            )
        if self.window != "hann" or self.win_length != n_fft:
            raise ValueError(
                "The window must be a Hann window whose length is learned. "
                f"Received: window={self.window!r}, win_length={self.win_length}"
            )
        if norm not in ("sum", "energy", None):
            raise ValueError(f"`norm` must be 'sum', 'energy' or None. Received: norm={norm!r}")
        self.initial_length = initial_length
        self.min_length = min_length
        self.norm = norm

    def build(self, input_shape):
        self.length_share = self.add_weight(
            name="length_share",
            shape=(),
            dtype="float32",
            autocast=False,
            initializer=keras.initializers.Constant(self.initial_length / self.n_fft),
            constraint=WithinBounds(self.min_length / self.n_fft, 1.0),
        )

    @property
    def window_length(self) -> float:
        """Length of the window now, in samples."""
        return float(ops.convert_to_numpy(self.length_share.value)) * self.n_fft

    def transform(self, frames):
        distance = ops.arange(self.n_fft, dtype="float32") - self.n_fft / 2
        length = self.length_share * float(self.n_fft)
        window = 0.5 + 0.5 * ops.cos(2 * math.pi * distance / length)
        window = ops.where(2 * ops.abs(distance) < length, window, 0.0)
        if self.norm == "sum":
            window = window / ops.sum(window)
        elif self.norm == "energy":
            window = window * ops.rsqrt(ops.sum(window * window))
        return self.spectrum(frames * window)

    def changes(self) -> dict[str, float]:
        """What training logs of the layer: `window_length`, in samples."""
        return {"window_length": self.window_length}

    def get_config(self):
        config = super().get_config()
        del config["window"], config["win_length"]
        return {
            **config,
            "initial_length": self.initial_length,
            "min_length": self.min_length,
            "norm": self.norm,
        }
