"""Mel filterbank equal to librosa's, or to Kaldi's."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="keraudio")
class MelFilterbank(keras.layers.Layer):
    """Sums a spectrogram's bins into triangular mel bands, as `librosa.filters.mel` defines them.

    The matrix is a weight, trained or not: it travels with the model file, so a reloaded model gives the same bits
    wherever it is opened. While it is fixed, bands are summed in groups over the bins that they reach, as 98 % of the
    matrix are zeros at 1,024 samples and 128 bands. Returned as float32, like the spectrogram it reads.

    Args:
        sample_rate: int > 0, sample rate of the waveform in Hz.
        n_mels: int > 0, number of bands. Defaults to 128.
        fmin: lowest frequency in Hz. Defaults to 0.
        fmax: highest frequency in Hz. Defaults to half the sample rate.
        htk: HTK's mel scale instead of Slaney's. Defaults to False.
        norm: `"slaney"` (bands of equal area) or None (bands of peak 1). Defaults to `"slaney"`.
        slopes: `"hz"` or `"mel"`, on which scale a triangle's sides are straight; Kaldi's are so in mels. Defaults to
            `"hz"`.
        n_fft: int, size of the transform. Defaults to `2 * (bins - 1)`; needed where it was odd.
        learnable: bool, every number of the matrix is trained, and kept at 0 or above. Defaults to False.

    Raises:
        ValueError: an argument is out of its range.

    Input shape:
        `(batch, frames, bins)` or `(batch, frames, bins, channels)`, linear (magnitude or power).

    Output shape:
        `(batch, frames, n_mels)` or `(batch, frames, n_mels, channels)`.

    Example:
        >>> import numpy as np
        >>> MelFilterbank(22050, n_mels=64)(np.ones((2, 10, 513), "float32")).shape
        (2, 10, 64)
    """

    def __init__(
        self,
        sample_rate: int,
        n_mels: int = 128,
        *,
        fmin: float = 0.0,
        fmax: float | None = None,
        htk: bool = False,
        norm: str | None = "slaney",
        slopes: str = "hz",
        n_fft: int | None = None,
        learnable: bool = False,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        fmax = sample_rate / 2 if fmax is None else fmax
        if sample_rate <= 0:
            raise ValueError(f"`sample_rate` must be positive. Received: sample_rate={sample_rate}")
        if n_mels < 1:
            raise ValueError(f"`n_mels` must be at least 1. Received: n_mels={n_mels}")
        if not 0 <= fmin < fmax <= sample_rate / 2:
            raise ValueError(
                "`fmin` and `fmax` must satisfy 0 <= fmin < fmax <= sample_rate / 2. "
                f"Received: fmin={fmin}, fmax={fmax}, sample_rate={sample_rate}"
            )
        if norm not in ("slaney", None):
            raise ValueError(f"`norm` must be 'slaney' or None. Received: norm={norm!r}")
        if slopes not in ("hz", "mel"):
            raise ValueError(f"`slopes` must be 'hz' or 'mel'. Received: slopes={slopes!r}")
        self.sample_rate = sample_rate
        self.n_mels = n_mels
        self.fmin = fmin
        self.fmax = fmax
        self.htk = htk
        self.norm = norm
        self.slopes = slopes
        self.n_fft = n_fft
        self.learnable = learnable

    def build(self, input_shape):
        bins = input_shape[2]
        n_fft = 2 * (bins - 1) if self.n_fft is None else self.n_fft
        if n_fft < 1 or 1 + n_fft // 2 != bins:
            raise ValueError(
                f"The input must have 1 + n_fft // 2 bins. Received: n_fft={n_fft}, input_shape={tuple(input_shape)}"
            )
        matrix = mel_matrix(
            self.sample_rate,
            n_fft,
            n_mels=self.n_mels,
            fmin=self.fmin,
            fmax=self.fmax,
            htk=self.htk,
            norm=self.norm,
            slopes=self.slopes,
        )
        self.filters = self.add_weight(
            name="filters",
            shape=(bins, self.n_mels),
            dtype="float32",
            autocast=False,
            trainable=self.learnable,
            constraint="non_neg" if self.learnable else None,
            initializer=lambda shape, dtype=None: ops.convert_to_tensor(matrix.astype("float32")),
        )
        self._groups = [(slice(None), slice(None))] if self.learnable else band_groups(matrix)

    def bands(self, spectrum):
        """Bands `(..., n_mels)` of a spectrum `(..., bins)`."""
        filters = ops.convert_to_tensor(self.filters)
        bands = [ops.matmul(spectrum[..., bins], filters[bins, mels]) for bins, mels in self._groups]
        return bands[0] if len(bands) == 1 else ops.concatenate(bands, axis=-1)

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        return self.bands(x) if len(x.shape) == 3 else ops.moveaxis(self.bands(ops.moveaxis(x, 2, 3)), 3, 2)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:2], self.n_mels, *input_shape[3:])

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype="float32")

    def get_config(self):
        return {
            **super().get_config(),
            "sample_rate": self.sample_rate,
            "n_mels": self.n_mels,
            "fmin": self.fmin,
            "fmax": self.fmax,
            "htk": self.htk,
            "norm": self.norm,
            "slopes": self.slopes,
            "n_fft": self.n_fft,
            "learnable": self.learnable,
        }


# Slaney's scale (Auditory Toolbox, 1998): linear below 1 kHz, 27 mels for each factor of 6.4 above it.
_SLANEY_LINEAR = 200.0 / 3
_SLANEY_CORNER = 1000.0
_SLANEY_STEP = np.log(6.4) / 27.0


def hz_to_mel(frequency: np.ndarray, *, htk: bool) -> np.ndarray:
    """Mels of a frequency in Hz on HTK's (O'Shaughnessy 1987) or Slaney's scale."""
    frequency = np.asarray(frequency, dtype="float64")
    if htk:
        return 2595.0 * np.log10(1.0 + frequency / 700.0)
    above = np.log(np.maximum(frequency, _SLANEY_CORNER) / _SLANEY_CORNER) / _SLANEY_STEP
    return np.minimum(frequency, _SLANEY_CORNER) / _SLANEY_LINEAR + above


def mel_to_hz(mel: np.ndarray, *, htk: bool) -> np.ndarray:
    """Frequency in Hz of mels, the inverse of `hz_to_mel`."""
    mel = np.asarray(mel, dtype="float64")
    if htk:
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    corner = _SLANEY_CORNER / _SLANEY_LINEAR
    above = np.exp(_SLANEY_STEP * (np.maximum(mel, corner) - corner))
    return np.minimum(mel, corner) * _SLANEY_LINEAR * above


def mel_matrix(
    sample_rate: float,
    n_fft: int,
    *,
    n_mels: int,
    fmin: float,
    fmax: float,
    htk: bool,
    norm: str | None,
    slopes: str = "hz",
) -> np.ndarray:
    """Triangular mel filters `(1 + n_fft // 2, n_mels)`, float64: the transpose of `librosa.filters.mel`.

    Written out here because importing `librosa.filters` takes longer than loading a model.
    """
    frequencies = np.arange(1 + n_fft // 2) * (sample_rate / n_fft)
    low, high = hz_to_mel(np.array([fmin, fmax]), htk=htk)
    mels = np.linspace(low, high, n_mels + 2)
    edges = mel_to_hz(mels, htk=htk)
    places, corners = (frequencies, edges) if slopes == "hz" else (hz_to_mel(frequencies, htk=htk), mels)
    rising = (places[:, None] - corners[None, :-2]) / np.diff(corners)[None, :-1]
    falling = (corners[None, 2:] - places[:, None]) / np.diff(corners)[None, 1:]
    filters = np.maximum(0.0, np.minimum(rising, falling))
    if norm == "slaney":
        filters *= 2.0 / (edges[2:] - edges[:-2])
    return filters


# A group costs a product and a copy; a small matrix is not worth one.
_GROUPS = 4
_SMALLEST_GROUPED = 2**14


def band_groups(matrix: np.ndarray) -> list[tuple[slice, slice]]:
    """Neighbouring bands, with the bins that any of them reaches: `(bins, bands)` slices that cover all non-zeros."""
    if matrix.size < _SMALLEST_GROUPED:
        return [(slice(None), slice(None))]
    groups = []
    for bands in np.array_split(np.arange(matrix.shape[1]), _GROUPS):
        mels = slice(int(bands[0]), int(bands[-1]) + 1)
        reached = np.flatnonzero(matrix[:, mels].any(axis=1))
        # Bands too narrow for any bin are zero wherever they look.
        bins = slice(int(reached[0]), int(reached[-1]) + 1) if len(reached) else slice(0, 1)
        groups.append((bins, mels))
    return groups
