"""Mel spectrogram of a waveform, in one pass."""

import keras

from keraudio.layers.mel_filterbank import MelFilterbank
from keraudio.layers.stft import STFT


@keras.saving.register_keras_serializable(package="keraudio")
class MelSpectrogram(STFT):
    """STFT and mel filterbank in one: equal to `librosa.feature.melspectrogram`.

    What `MelFilterbank` gives of `STFT`, but a block of frames at a time: the spectrum of a long clip, four times what
    its bands are at 1,024 samples and 128 bands, is never held as a whole.

    Args:
        sample_rate: int > 0, sample rate of the waveform in Hz.
        n_fft: int > 0, samples a frame is transformed over. Defaults to 1024.
        hop_length: int > 0, samples between successive frames. Defaults to `win_length // 4`.
        n_mels: int > 0, number of bands. Defaults to 128.
        fmin: lowest frequency in Hz. Defaults to 0.
        fmax: highest frequency in Hz. Defaults to half the sample rate.
        htk: HTK's mel scale instead of Slaney's. Defaults to False.
        norm: `"slaney"` (bands of equal area) or None (bands of peak 1). Defaults to `"slaney"`.
        learnable: bool, the mel matrix is trained, and kept at 0 or above. Defaults to False.
        power: exponent of the magnitude. Defaults to 2.
        **kwargs: `win_length`, `window`, `center` and `pad_mode` of `STFT`.

    Raises:
        ValueError: an argument is out of its range.

    Input shape:
        `(batch, samples)` or `(batch, samples, channels)`.

    Output shape:
        `(batch, frames, n_mels)`, with `channels` after it where the input has them.

    Example:
        >>> import numpy as np
        >>> MelSpectrogram(16000, 512, 128, n_mels=64)(np.zeros((2, 16000), "float32")).shape
        (2, 126, 64)
    """

    def __init__(
        self,
        sample_rate: int,
        n_fft: int = 1024,
        hop_length: int | None = None,
        *,
        n_mels: int = 128,
        fmin: float = 0.0,
        fmax: float | None = None,
        htk: bool = False,
        norm: str | None = "slaney",
        learnable: bool = False,
        power: float = 2.0,
        **kwargs,
    ):
        super().__init__(n_fft, hop_length, power=power, **kwargs)
        if power is None:
            raise ValueError("`power` must be positive: bands are sums of magnitudes. Received: power=None")
        self.mel = MelFilterbank(
            sample_rate, n_mels, fmin=fmin, fmax=fmax, htk=htk, norm=norm, n_fft=n_fft, learnable=learnable, name="mel"
        )

    def build(self, input_shape):
        self.mel.build((None, None, 1 + self.n_fft // 2))

    def transform(self, frames):
        return self.mel.bands(super().transform(frames))

    def compute_output_shape(self, input_shape):
        batch, frames, _, *channels = super().compute_output_shape(input_shape)
        return (batch, frames, self.mel.n_mels, *channels)

    def get_config(self):
        names = ("sample_rate", "n_mels", "fmin", "fmax", "htk", "norm", "learnable")
        return {**super().get_config(), **{name: getattr(self.mel, name) for name in names}}
