"""The filters of the constant-Q transform, each octave's at the lowest sample rate that loses nothing of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keraudio.layers.decimation import PASS_BAND, REACH

C1 = 440 * 2 ** (-45 / 12)
"""The note C1 in Hz, librosa's lowest bin."""

# Coefficients of the cosine sums, and the distance from a filter's frequency, in cycles per length of its window,
# beyond which its response is below 1e-5 for good. (Hamming's never falls to that within a useful distance.)
_COSINE_SUMS = {"hann": ((0.5, 0.5), 31.6), "blackman": ((0.42, 0.5, 0.08), 23.6)}
WINDOWS = tuple(_COSINE_SUMS)


def filter_lengths(
    sample_rate: float,
    *,
    fmin: float,
    n_bins: int,
    bins_per_octave: int,
    filter_scale: float,
    gamma: float | None,
    window: str,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frequencies of all bins, lengths of their filters and where these end, as `librosa.filters.wavelet_lengths`.

    Written out here because importing `librosa.filters` takes longer than loading a model.

    Returns:
        Frequencies in Hz, lengths in samples, and the frequencies in Hz above which the filters have no more than half
        of their power.
    """
    frequencies = fmin * 2.0 ** (np.arange(n_bins) / bins_per_octave)
    ratio = 4.0 ** (1 / bins_per_octave)
    bandwidth = (ratio - 1) / (ratio + 1)
    # The ear's bandwidth at f Hz is 24.7 + 0.108 f (Glasberg and Moore 1990).
    offset = 24.7 / 0.108 if gamma is None else gamma / bandwidth
    lengths = filter_scale / bandwidth * sample_rate / (frequencies + offset)
    coefficients = np.array(_COSINE_SUMS[window][0])
    noise_bandwidth = 0.5 + 0.5 * np.sum(coefficients**2) / coefficients[0] ** 2
    ends = frequencies * (1 + 0.5 * noise_bandwidth * bandwidth / filter_scale) + 0.5 * bandwidth * offset
    return frequencies, lengths, ends


@dataclass(frozen=True)
class Octave:
    """Filters of a few neighbouring bins at a lower rate.

    Attributes:
        halvings: of the sample rate.
        before: samples of that rate from the start of a row to the centre of its first frame.
        frames: number of frames that one row gives.
        hop: samples of that rate between rows.
        filters: `(samples, frames * 2 * bins)`, the real and the imaginary parts for each frame; float32.
    """

    halvings: int
    before: int
    frames: int
    hop: int
    filters: np.ndarray


def octave_filters(
    frequencies: np.ndarray, lengths: np.ndarray, hop_length: int, *, window: str, norm: int | None, scale: bool
) -> Octave:
    """Filters of neighbouring bins, given their frequencies in cycles a sample and their lengths in samples."""
    coefficients, reach = _COSINE_SUMS[window]
    longest = np.max(lengths)
    halvings = max(0, math.floor(math.log2(PASS_BAND / np.max(frequencies + reach / np.floor(lengths)))))
    rate = 2**halvings
    # Where a frame is centred between two samples of the lower rate, its filters are sampled in between, too. One row
    # of the matrix product gives so many frames that the next row begins at a whole sample.
    frames = rate // math.gcd(rate, hop_length)
    # With more of them rows overlap less, which saves memory, until zeros in the filters cost more than that.
    frames *= math.ceil(longest / (4 * frames * hop_length))
    before = -(-math.ceil(longest) // (2 * rate)) + 1
    width = 2 * before + 1 + -(-(frames - 1) * hop_length // rate)
    time = rate * (np.arange(width) - before)[:, None] - hop_length * np.arange(frames)
    filters = np.empty((width, frames, 2, len(frequencies)), "float32")
    for k, (frequency, length) in enumerate(zip(frequencies, lengths, strict=True)):
        # librosa's filter stands at the samples from -ceil(length / 2) to floor(length / 2) - 1 and is folded with the
        # waveform: what comes later in the waveform meets what comes earlier in the filter.
        first, size = -math.ceil(length / 2), math.ceil(length / 2) + math.floor(length / 2)
        envelope = _cosine_sum(coefficients, (-time - first) / size)
        if norm is not None:
            envelope /= np.linalg.norm(_cosine_sum(coefficients, np.arange(size) / size), norm)
        # A sample of the lower rate stands for `rate` samples.
        envelope *= rate * (math.sqrt(length) if scale else length)
        filters[:, :, 0, k] = envelope * np.cos(2 * np.pi * frequency * time)
        filters[:, :, 1, k] = -envelope * np.sin(2 * np.pi * frequency * time)
    return Octave(halvings, before, frames, frames * hop_length // rate, filters.reshape(width, -1))


def _cosine_sum(coefficients: Sequence[float], position: np.ndarray) -> np.ndarray:
    """A cosine-sum window at positions from 0, its start, to 1, its end; zero beyond them."""
    waves = [(-1) ** k * a * np.cos(2 * np.pi * k * position) for k, a in enumerate(coefficients)]
    return np.where((position >= 0) & (position < 1), np.sum(waves, axis=0), 0.0)


def padding(octaves: Sequence[Octave]) -> int:
    """Samples needed beyond each end of a signal so that halving its rate leaves what every octave's rows reach."""
    needed = 0
    for octave in octaves:
        after = len(octave.filters) - octave.before
        # A halving uses up REACH samples of the lower rate at the start, and one more at the end of an odd length.
        needed = max(needed, 2**octave.halvings * after + (REACH + 1) * (2 ** (octave.halvings + 1) - 2))
    # What is left at the start must be even at each halving but the last: 2**most * n + used for some n.
    most = max(octave.halvings for octave in octaves)
    used = REACH * (2 ** (most + 1) - 2)
    return used + 2**most * -(-(needed - used) // 2**most)
