"""Halving the sample rate of a signal, without moving it and without bending the band that is kept."""

import numpy as np
from keras import ops

from keraudio.layers.framing import frame_signal, sample_count

# Half of the filter's samples that are not zero beside its middle one: it reaches over 2 * REACH - 1 samples each way.
REACH = 20
# The band that is kept, as a share of the halved rate: flat to 1e-6, and what folds onto it is below 1e-6, too.
PASS_BAND = 0.4
_KAISER_BETA = 12.5
# Samples that one row of the matrix product gives; a power of two that makes it neither slow nor mostly zeros.
_ROW = 64


def half_band_filter() -> np.ndarray:
    """What the samples at odd distances 1 - 2 * REACH, ..., 2 * REACH - 1 weigh; the middle weighs 0.5, others nothing.

    A sinc under a Kaiser window (Oppenheim and Schafer 1989, section 7.4), scaled to a gain of 1 at 0 Hz.
    """
    distance = np.arange(1 - 2 * REACH, 2 * REACH, 2)
    window = np.i0(_KAISER_BETA * np.sqrt(1 - (distance / (2 * REACH)) ** 2))
    weights = np.sin(np.pi * distance / 2) / distance * window
    return np.asarray(0.5 * weights / np.sum(weights))


def _banded(weights: np.ndarray, columns: int) -> np.ndarray:
    """Matrix whose product with a row of samples is its correlation with `weights`, `columns` samples of it."""
    matrix = np.zeros((len(weights) + columns - 1, columns), "float32")
    for column in range(columns):
        matrix[column : column + len(weights), column] = weights
    return matrix


_MATRIX = _banded(half_band_filter(), _ROW)


def halve_rate(x):
    """Every second sample of `x` `(..., samples)`, low-pass filtered: sample `m` stands at sample `2 * (m + REACH)`.

    Only samples whose whole surroundings are known are given; `x` must have at least `4 * REACH`.
    """
    even, odd = x[..., ::2], x[..., 1::2]
    samples = sample_count(odd) - 2 * REACH + 1
    odd = ops.pad(odd, [[0, 0]] * (len(x.shape) - 1) + [[0, _ROW - 1]])
    rows = ops.matmul(frame_signal(odd, len(_MATRIX), _ROW), ops.convert_to_tensor(_MATRIX))
    beside = ops.reshape(rows, (*ops.shape(x)[:-1], -1))[..., :samples]
    return 0.5 * even[..., REACH : REACH + samples] + beside
