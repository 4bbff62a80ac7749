"""Periodic cosine-sum windows, as `scipy.signal.get_window` gives them."""

import numpy as np

# Coefficients of the cosine sums (SciPy's reference: Harris 1978, table 1).
_COSINE_SUMS = {
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
    "rectangular": (1.0,),
}
WINDOWS = tuple(_COSINE_SUMS)


def cosine_window(name: str, length: int) -> np.ndarray:
    """The periodic window `name` of `length` samples, float64.

    Written out here because importing `scipy.signal` takes longer than loading a model.
    """
    if length == 1:
        return np.ones(1)
    phase = 2 * np.pi * np.arange(length) / length
    window = sum((-1) ** k * a * np.cos(k * phase) for k, a in enumerate(_COSINE_SUMS[name]))
    return np.asarray(window, dtype="float64")
