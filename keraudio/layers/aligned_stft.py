"""Short-time Fourier transform whose frames are as many as hops fit into the waveform, and its inverse."""

import keras
from keras import ops

from keraudio.layers.cutting import cut
from keraudio.layers.framing import pad_signal
from keraudio.layers.istft import ISTFT
from keraudio.layers.stft import STFT


@keras.saving.register_keras_serializable(package="keraudio")
class AlignedSTFT(keras.layers.Layer):
    """The spectrogram branch's input in Hybrid Demucs: complex parts as channels, a frame for each hop begun.

    Hops are a quarter of `n_fft`. The waveform is reflected at both ends by 3/8 of `n_fft`, and at its end up to the
    next whole hop, so that frame t is centred on `(t + 1/2)` hops, as strided convolutions of the waveform are. A
    periodic Hann window; the transform divided by the root of `n_fft`; the highest bin, of the Nyquist frequency, is
    left out. Float32 whatever the policy (Défossez 2021, section 3.1).

    Args:
        n_fft: multiple of 8, samples of a frame. Defaults to 4096.

    Raises:
        ValueError: `n_fft` is no multiple of 8, or the waveform is too short to be reflected.

    Input shape:
        `(batch, samples, channels)`.

    Output shape:
        `(batch, frames, n_fft // 2, 2 * channels)`, frames being `ceil(4 * samples / n_fft)`: of each channel the real
        and the imaginary part.

    Example:
        >>> import numpy as np
        >>> AlignedSTFT()(np.zeros((1, 480000, 2), "float32")).shape
        (1, 469, 2048, 4)
    """

    def __init__(self, n_fft: int = 4096, **kwargs):
        super().__init__(autocast=False, **kwargs)
        _check(n_fft)
        self.n_fft = n_fft
        self.hop_length = n_fft // 4
        self.stft = STFT(n_fft, self.hop_length, center=False, power=None, name="stft")

    def build(self, input_shape):
        samples = input_shape[1]
        reflected = 3 * self.n_fft // 8 + self.hop_length
        if samples is None or samples <= reflected:
            raise ValueError(f"The waveform must have more than {reflected} samples. Received: {samples}")

    def call(self, inputs):
        x = ops.transpose(ops.cast(inputs, "float32"), (0, 2, 1))
        samples = x.shape[-1]
        edge = 3 * self.n_fft // 8
        missing = -samples % self.hop_length
        x = pad_signal(x, edge + missing, "reflect")[..., missing:]
        spectrum = self.stft(ops.transpose(x, (0, 2, 1)))[:, :, :-1] * self.n_fft**-0.5
        frames, bins, channels = spectrum.shape[1:4]
        return ops.reshape(spectrum, (-1, frames, bins, 2 * channels))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], -(-input_shape[1] // self.hop_length), self.n_fft // 2, 2 * input_shape[2])

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype="float32")

    def get_config(self):
        return {**super().get_config(), "n_fft": self.n_fft}


@keras.saving.register_keras_serializable(package="keraudio")
class AlignedISTFT(keras.layers.Layer):
    """Waveforms of what `AlignedSTFT` gives, but for the first and last 3/4 of a frame.

    There two frames at either end are missing, as in Hybrid Demucs.

    Args:
        length: int >= 1, samples of the waveform.

    Raises:
        ValueError: an argument is out of its range, or the input's bins or frames do not fit.

    Input shape:
        `(batch, frames, n_fft // 2, 2 * channels)`.

    Output shape:
        `(batch, length, channels)`, float32.

    Example:
        >>> import numpy as np
        >>> AlignedISTFT(480000)(np.zeros((1, 469, 2048, 4), "float32")).shape
        (1, 480000, 2)
    """

    def __init__(self, length: int, **kwargs):
        super().__init__(autocast=False, **kwargs)
        if length < 1:
            raise ValueError(f"`length` must be at least 1. Received: length={length}")
        self.length = length

    def build(self, input_shape):
        n_fft = 2 * input_shape[2]
        _check(n_fft)
        if input_shape[1] != -(-self.length // (n_fft // 4)):
            raise ValueError(
                f"There must be a frame for each {n_fft // 4} samples begun. "
                f"Received: {input_shape[1]} frames, length={self.length}"
            )
        self.n_fft = n_fft
        self.istft = ISTFT(n_fft // 4, n_fft=n_fft, center=False, name="istft")

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        frames, bins, channels = x.shape[1], x.shape[2], x.shape[3] // 2
        parts = ops.reshape(x, (-1, frames, bins, channels, 2)) * self.n_fft**0.5
        # Two frames of nothing at either end, whose windows count all the same, and the bin that was left out.
        parts = ops.pad(parts, [[0, 0], [2, 2], [0, 1], [0, 0], [0, 0]])
        start = self.n_fft // 2 + 3 * self.n_fft // 8
        return cut(self.istft(parts), 1, start, self.length)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.length, input_shape[3] // 2)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype="float32")

    def get_config(self):
        return {**super().get_config(), "length": self.length}


def _check(n_fft: int) -> None:
    if n_fft < 8 or n_fft % 8:
        raise ValueError(f"`n_fft` must be a multiple of 8. Received: n_fft={n_fft}")
