"""Power spectrogram as Kaldi computes it."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keraudio.layers.fourier import dft_kernels, power_spectrum
from keraudio.layers.framing import frame_count, map_frames
from keraudio.layers.kernel_path import kernels_only


@keras.saving.register_keras_serializable(package="keraudio")
class KaldiSpectrogram(keras.layers.Layer):
    """Power spectrogram with Kaldi's conventions: each frame by itself is freed of its mean, emphasized and windowed.

    Frames begin at multiples of `hop_length`, none reaches over the end. A sample of a frame loses `preemphasis` times
    the one before it, the first one times itself; the window is a symmetric Hann window; zeros fill the frame up to the
    next power of two. Equal to `compute-fbank-feats` before its mel bands, without dither (Povey et al., "The Kaldi
    speech recognition toolkit", 2011). Computed in and returned as float32.

    Args:
        win_length: int > 1, samples of a frame. Defaults to 400.
        hop_length: int > 0, samples between successive frames. Defaults to 160.
        preemphasis: between 0 and 1. Defaults to 0.97.

    Raises:
        ValueError: an argument is out of its range.

    Input shape:
        `(batch, samples)`.

    Output shape:
        `(batch, frames, 1 + n_fft // 2)`.

    Example:
        >>> import numpy as np
        >>> KaldiSpectrogram()(np.zeros((2, 16000), "float32")).shape
        (2, 98, 257)
    """

    def __init__(self, win_length: int = 400, hop_length: int = 160, *, preemphasis: float = 0.97, **kwargs: Any):
        super().__init__(autocast=False, **kwargs)
        if win_length < 2 or hop_length < 1:
            raise ValueError(
                "`win_length` must be at least 2 and `hop_length` at least 1. "
                f"Received: win_length={win_length}, hop_length={hop_length}"
            )
        if not 0 <= preemphasis <= 1:
            raise ValueError(f"`preemphasis` must be between 0 and 1. Received: preemphasis={preemphasis}")
        self.win_length = win_length
        self.hop_length = hop_length
        self.preemphasis = preemphasis
        self.n_fft = 2 ** (win_length - 1).bit_length()
        self._window = np.hanning(win_length).astype("float32")

    def transform(self, frames):
        """Power `(..., bins)` of `frames` `(..., win_length)`."""
        x = frames - ops.mean(frames, axis=-1, keepdims=True)
        before = ops.concatenate([x[..., :1], x[..., :-1]], axis=-1)
        x = (x - self.preemphasis * before) * ops.convert_to_tensor(self._window)
        if kernels_only():
            real, imag = (ops.matmul(x, kernel[: self.win_length]) for kernel in dft_kernels(self.n_fft))
            return real * real + imag * imag
        x = ops.pad(x, [[0, 0]] * (len(x.shape) - 1) + [[0, self.n_fft - self.win_length]])
        return power_spectrum(x, self.n_fft)

    def call(self, inputs):
        return map_frames(self.transform, ops.cast(inputs, "float32"), self.win_length, self.hop_length)

    def compute_output_shape(self, input_shape):
        frames = frame_count(input_shape[1], self.win_length, self.hop_length)
        return (input_shape[0], frames, 1 + self.n_fft // 2)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype="float32")

    def get_config(self):
        names = ("win_length", "hop_length", "preemphasis")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
