"""Short-time Fourier transform with librosa's conventions."""

import keras
from keras import ops

from keraudio.layers.fourier import dft_kernels, power_spectrum, spectrum_parts
from keraudio.layers.framing import frame_count, map_frames
from keraudio.layers.kernel_path import kernels_only
from keraudio.layers.windows import centred_window, check_window, cosine_window


@keras.saving.register_keras_serializable(package="keraudio")
class STFT(keras.layers.Layer):
    """Short-time Fourier transform of a waveform, as magnitude, power or real and imaginary parts.

    Equal to `librosa.stft` (frame alignment, centred window of `win_length < n_fft`, any odd or even `n_fft`), with
    frames before bins. Computed in float32 whatever the dtype policy, and returned as float32: power spectra overflow
    float16. A clip shorter than one frame gives one frame, padded with zeros. Frames are transformed by FFT, long
    clips in blocks; inside `keraudio.layers.kernel_path`, by matrix products.

    Args:
        n_fft: int > 0, samples a frame is transformed over. Defaults to 2048.
        hop_length: int > 0, samples between successive frames. Defaults to `win_length // 4`.
        win_length: int, 0 < `win_length` <= `n_fft`, samples that the window covers. Defaults to `n_fft`.
        window: `"hann"`, `"hamming"`, `"blackman"`, `"nuttall"`, `"blackmanharris"`, `"flattop"` or `"rectangular"`,
            periodic. Defaults to `"hann"`.
        center: if True, frame `t` is centred at sample `t * hop_length`; if False it begins there. Defaults to True.
        pad_mode: `"constant"` (zeros) or `"reflect"`: what stands beyond the ends when `center`. Defaults to
            `"constant"`.
        power: exponent of the magnitude: 1 for magnitude, 2 for power; None for real and imaginary parts, as two
            channels at the end. Defaults to 1.

    Raises:
        ValueError: an argument is out of its range.

    Input shape:
        `(batch, samples)` or `(batch, samples, channels)`.

    Output shape:
        `(batch, frames, 1 + n_fft // 2)`, with `channels` after it where the input has them, and 2 after that where
        `power` is None; `frames` is `1 + samples // hop_length` when `center`.

    Example:
        >>> import numpy as np
        >>> STFT(n_fft=512, hop_length=128)(np.zeros((2, 16000), "float32")).shape
        (2, 126, 257)
    """

    def __init__(
        self,
        n_fft: int = 2048,
        hop_length: int | None = None,
        *,
        win_length: int | None = None,
        window: str = "hann",
        center: bool = True,
        pad_mode: str = "constant",
        power: float | None = 1.0,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        win_length = n_fft if win_length is None else win_length
        hop_length = max(1, win_length // 4) if hop_length is None else hop_length
        if n_fft < 1:
            raise ValueError(f"`n_fft` must be at least 1. Received: n_fft={n_fft}")
        if hop_length < 1:
            raise ValueError(f"`hop_length` must be at least 1. Received: hop_length={hop_length}")
        check_window(window, win_length, n_fft)
        if pad_mode not in ("constant", "reflect"):
            raise ValueError(f"`pad_mode` must be 'constant' or 'reflect'. Received: pad_mode={pad_mode!r}")
        if power is not None and power <= 0:
            raise ValueError(f"`power` must be positive or None. Received: power={power}")
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.win_length = win_length
        self.window = window
        self.center = center
        self.pad_mode = pad_mode
        self.power = power
        self._frame_window = centred_window(cosine_window(window, win_length), n_fft).astype("float32")

    def spectrogram(self, x):
        """The output for waveforms `(batch, samples)`."""
        return map_frames(self.transform, x, self.n_fft, self.hop_length, center=self.center, pad_mode=self.pad_mode)

    def transform(self, frames):
        """The output for `frames` `(..., frames, n_fft)`: `(..., frames, bins)`, and 2 where `power` is None."""
        return self.spectrum(frames * ops.convert_to_tensor(self._frame_window))

    def spectrum(self, frames):
        """Magnitude, power or parts of frames that have passed their window."""
        if kernels_only():
            real, imag = (ops.matmul(frames, kernel) for kernel in dft_kernels(self.n_fft))
            if self.power is None:
                return ops.stack([real, imag], axis=-1)
            return power_of_square(real * real + imag * imag, self.power)
        if self.power is None:
            return spectrum_parts(frames, self.n_fft)
        return power_of_square(power_spectrum(frames, self.n_fft), self.power)

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        multichannel = len(x.shape) == 3
        if multichannel:
            batch, samples, channels = ops.shape(x)[0], ops.shape(x)[1], x.shape[2]
            x = ops.reshape(ops.transpose(x, (0, 2, 1)), (-1, samples))
        spectrum = self.spectrogram(x)
        if multichannel:
            rest = spectrum.shape[2:]
            spectrum = ops.reshape(spectrum, (batch, channels, ops.shape(spectrum)[1], *rest))
            spectrum = ops.moveaxis(spectrum, 1, 3)
        return spectrum

    def compute_output_shape(self, input_shape):
        frames = frame_count(input_shape[1], self.n_fft, self.hop_length, center=self.center)
        parts = (2,) if self.power is None else ()
        return (input_shape[0], frames, 1 + self.n_fft // 2, *input_shape[2:], *parts)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype="float32")

    def get_config(self):
        return {
            **super().get_config(),
            "n_fft": self.n_fft,
            "hop_length": self.hop_length,
            "win_length": self.win_length,
            "window": self.window,
            "center": self.center,
            "pad_mode": self.pad_mode,
            "power": self.power,
        }


def power_of_square(squared, power: float):
    """A magnitude to the `power`, from its square, with finite slopes at zero."""
    if power == 2:
        return squared
    # The slope of a root is infinite at zero: silence would give NaN gradients without the inner `where`. Magnitudes
    # below 1e-12 (-240 dB) count as zero, too: the gradient of `rsqrt` cubes it, which overflows float32 below 1e-13.
    positive = squared > 1e-24
    base = ops.where(positive, squared, 1.0)
    # Not `sqrt`: torch 2.13's first square root in a process, where two threads share it, was off by 2e-4 of the peak
    # in about 1 process of 30 (MKL's vector library starting up); the reciprocal root takes another road.
    root = base * ops.rsqrt(base) if power == 1 else ops.power(base, power / 2)
    return ops.where(positive, root, 0.0)
