"""Short-time Fourier transform with librosa's conventions."""

import keras
import numpy as np
from keras import ops

from keraudio.layers.framing import frame_count, frame_signal, pad_signal
from keraudio.layers.windows import WINDOWS, cosine_window


@keras.saving.register_keras_serializable(package="keraudio")
class STFT(keras.layers.Layer):
    """Short-time Fourier transform of a waveform, as magnitude, power or real and imaginary parts.

    Equal to `librosa.stft` (frame alignment, centred window of `win_length < n_fft`, any odd or even `n_fft`), with
    frames before bins. Computed in float32 whatever the dtype policy, and returned as float32: power spectra overflow
    float16. A clip shorter than one frame gives one frame, padded with zeros.

    Args:
        n_fft: int > 0, samples a frame is transformed over. Defaults to 2048.
        hop_length: int > 0, samples between successive frames. Defaults to `win_length // 4`.
        win_length: int, 0 < `win_length` <= `n_fft`, samples that the window covers. Defaults to `n_fft`.
        window: `"hann"`, `"hamming"`, `"blackman"` or `"rectangular"`, periodic. Defaults to `"hann"`.
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
        if not 1 <= win_length <= n_fft:
            raise ValueError(
                f"`win_length` must be between 1 and `n_fft`. Received: win_length={win_length}, n_fft={n_fft}"
            )
        if window not in WINDOWS:
            raise ValueError(f"`window` must be one of {', '.join(WINDOWS)}. Received: window={window!r}")
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
        self._frame_window = _centred(cosine_window(window, win_length), n_fft)

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        multichannel = len(x.shape) == 3
        if multichannel:
            x = ops.transpose(x, (0, 2, 1))
        if self.center:
            x = pad_signal(x, self.n_fft // 2, self.pad_mode)
        frames = frame_signal(x, self.n_fft, self.hop_length) * ops.convert_to_tensor(self._frame_window)
        real, imag = ops.rfft(frames)
        if self.power is None:
            spectrum = ops.stack([real, imag], axis=-1)
        else:
            spectrum = _raise_magnitude(real, imag, self.power)
        if multichannel:
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


def _centred(window: np.ndarray, n_fft: int) -> np.ndarray:
    left = (n_fft - len(window)) // 2
    return np.pad(window, (left, n_fft - len(window) - left)).astype("float32")


def _raise_magnitude(real, imag, power: float):
    squared = real * real + imag * imag
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
