"""Inverse short-time Fourier transform with librosa's conventions."""

import keras
import numpy as np
from keras import ops

from keraudio.layers.fourier import inverse_dft_kernels
from keraudio.layers.framing import overlap_add, sample_count
from keraudio.layers.kernel_path import kernels_only
from keraudio.layers.windows import centred_window, check_window, cosine_window


@keras.saving.register_keras_serializable(package="keraudio")
class ISTFT(keras.layers.Layer):
    """Waveform of a short-time Fourier transform: overlapping frames added, divided by the sum of squared windows.

    Equal to `librosa.istft` (Griffin & Lim 1984, equation 6): what `STFT(power=None)` with the same arguments gave
    comes back wherever a window covers it; where none does, the frames' sum is left as it is. Computed in float32.

    Args:
        hop_length: int > 0, samples between successive frames. Defaults to `win_length // 4`.
        n_fft: int > 0, samples a frame was transformed over. Defaults to `2 * (bins - 1)`; needed where it was odd.
        win_length: int, 0 < `win_length` <= `n_fft`, samples that the window covers. Defaults to `n_fft`.
        window: name of the window, see `STFT`. Defaults to `"hann"`.
        center: frames were centred; the padding at both ends is cut off. Defaults to True.
        length: int > 0, samples of the output; cut, or filled with zeros. Defaults to None, what the frames cover.

    Raises:
        ValueError: an argument is out of its range.

    Input shape:
        `(batch, frames, 1 + n_fft // 2, 2)` or `(batch, frames, 1 + n_fft // 2, channels, 2)`: real and imaginary part.

    Output shape:
        `(batch, samples)` or `(batch, samples, channels)`, float32.

    Example:
        >>> import numpy as np
        >>> ISTFT(128)(np.zeros((2, 126, 257, 2), "float32")).shape
        (2, 16000)
    """

    def __init__(
        self,
        hop_length: int | None = None,
        *,
        n_fft: int | None = None,
        win_length: int | None = None,
        window: str = "hann",
        center: bool = True,
        length: int | None = None,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        if hop_length is not None and hop_length < 1:
            raise ValueError(f"`hop_length` must be at least 1. Received: hop_length={hop_length}")
        if n_fft is not None and n_fft < 1:
            raise ValueError(f"`n_fft` must be at least 1. Received: n_fft={n_fft}")
        if length is not None and length < 1:
            raise ValueError(f"`length` must be at least 1. Received: length={length}")
        check_window(window, win_length or 1, n_fft or win_length or 1)
        self.hop_length = hop_length
        self.n_fft = n_fft
        self.win_length = win_length
        self.window = window
        self.center = center
        self.length = length

    def _sizes(self, input_shape) -> tuple[int, int, int]:
        """n_fft, win_length and hop_length for an input."""
        bins = input_shape[2]
        n_fft = 2 * (bins - 1) if self.n_fft is None else self.n_fft
        if n_fft < 1 or 1 + n_fft // 2 != bins or len(input_shape) not in (4, 5) or input_shape[-1] != 2:
            raise ValueError(
                "The input must have 1 + n_fft // 2 bins, and 2 parts at the end. "
                f"Received: n_fft={n_fft}, input_shape={tuple(input_shape)}"
            )
        win_length = n_fft if self.win_length is None else self.win_length
        check_window(self.window, win_length, n_fft)
        hop_length = max(1, win_length // 4) if self.hop_length is None else self.hop_length
        return n_fft, win_length, hop_length

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        n_fft, win_length, hop_length = self._sizes(x.shape)
        multichannel = len(x.shape) == 5
        if multichannel:
            batch, frames, channels = ops.shape(x)[0], ops.shape(x)[1], x.shape[3]
            x = ops.reshape(ops.moveaxis(x, 3, 1), (-1, frames, x.shape[2], 2))
        real, imag = ops.unstack(x, 2, axis=-1)
        if kernels_only():
            of_real, of_imag = inverse_dft_kernels(n_fft)
            cut = ops.matmul(real, of_real) + ops.matmul(imag, of_imag)
        else:
            cut = ops.irfft((real, imag), fft_length=n_fft)
        window = ops.convert_to_tensor(centred_window(cosine_window(self.window, win_length), n_fft).astype("float32"))
        waveform = overlap_add(cut * window, hop_length)
        squares = ops.broadcast_to(window * window, (1, ops.shape(x)[1], n_fft))
        envelope = overlap_add(squares, hop_length)
        # librosa's threshold: where windows add up to nothing, dividing by their sum would only raise the rounding.
        waveform = waveform / ops.where(envelope > np.finfo("float32").tiny, envelope, 1.0)
        if self.center:
            waveform = waveform[:, n_fft // 2 :]
        samples = self._samples(ops.shape(x)[1], n_fft, hop_length)
        if samples != waveform.shape[1]:
            waveform = waveform[:, :samples]
        if self.length is not None:
            present = sample_count(waveform)
            missing = (
                max(0, self.length - present) if isinstance(present, int) else ops.maximum(0, self.length - present)
            )
            waveform = ops.reshape(ops.pad(waveform, [[0, 0], [0, missing]]), (-1, self.length))
        if multichannel:
            waveform = ops.moveaxis(ops.reshape(waveform, (batch, channels, -1)), 1, 2)
        return waveform

    def _samples(self, frames, n_fft: int, hop_length: int):
        if self.length is not None:
            return self.length
        if frames is None:
            return None
        return n_fft + hop_length * (frames - 1) - (2 * (n_fft // 2) if self.center else 0)

    def compute_output_shape(self, input_shape):
        n_fft, _, hop_length = self._sizes(input_shape)
        return (input_shape[0], self._samples(input_shape[1], n_fft, hop_length), *input_shape[3:-1])

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype="float32")

    def get_config(self):
        return {
            **super().get_config(),
            "hop_length": self.hop_length,
            "n_fft": self.n_fft,
            "win_length": self.win_length,
            "window": self.window,
            "center": self.center,
            "length": self.length,
        }
