"""Periodic cosine-sum windows, as `scipy.signal.get_window` gives them."""

import numpy as np

# Coefficients of the cosine sums (SciPy's references: Harris 1978, table 1; Heinzel et al. 2002).
_COSINE_SUMS = {
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
    "nuttall": (0.3635819, 0.4891775, 0.1365995, 0.0106411),
    "blackmanharris": (0.35875, 0.48829, 0.14128, 0.01168),
    "flattop": (0.21557895, 0.41663158, 0.277263158, 0.083578947, 0.006947368),
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


def centred_window(window: np.ndarray, n_fft: int) -> np.ndarray:
    """`window` in the middle of `n_fft` samples, zeros around it, as in librosa."""
    left = (n_fft - len(window)) // 2
    return np.pad(window, (left, n_fft - len(window) - left))


def check_window(name: str, win_length: int, n_fft: int) -> None:
    """Refuses unknown windows, and those that do not fit into a frame.

    Raises:
        ValueError: an argument is out of its range.
    """
    if not 1 <= win_length <= n_fft:
        raise ValueError(
            f"`win_length` must be between 1 and `n_fft`. Received: win_length={win_length}, n_fft={n_fft}"
        )
    if name not in WINDOWS:
        raise ValueError(f"`window` must be one of {', '.join(WINDOWS)}. Received: window={name!r}")
