"""Windows of a clip in which nothing is to be heard."""

import numpy as np
from numpy.typing import NDArray

# Of Piczak 2015 and Tax et al. 2017: at 22,050 Hz frames of 46 ms.
_N_FFT, _HOP_LENGTH, _BANDS = 1024, 512, 60
_LEAST_POWER = 1e-10


def audible_windows(windows: NDArray[np.float32], *, sample_rate: int, threshold: float | None) -> NDArray[np.bool_]:
    """Which windows of a clip are not silent.

    A window is silent where the mean of its log-mel spectrogram over bands and frames is at most `threshold`, in
    decibels, once the clip's loudest sample is 1 (Piczak 2015, section 3; Tax et al. 2017, section 2.1). A clip with
    silent windows alone keeps them all, so that something is left to vote.

    Args:
        windows: float32 `(windows, samples)`, all of one clip.
        sample_rate: in Hz.
        threshold: decibels, -100 and below never; -70 is Piczak's. None: every window counts.

    Returns:
        bool `(windows,)`, at least one of them True.

    >>> noise = np.random.default_rng(0).uniform(-1, 1, (1, 8000)).astype("float32")
    >>> audible_windows(np.concatenate([noise, 0 * noise]), sample_rate=8000, threshold=-70.0).tolist()
    [True, False]
    """
    everything = np.ones(len(windows), dtype=bool)
    if threshold is None or not windows.any():
        return everything
    import librosa

    short = max(0, _N_FFT - windows.shape[1])
    mel = librosa.feature.melspectrogram(
        y=np.pad(np.asarray(windows, "float32") / np.abs(windows).max(), [(0, 0), (0, short)]),
        sr=sample_rate,
        n_fft=_N_FFT,
        hop_length=_HOP_LENGTH,
        n_mels=_BANDS,
    )
    levels = 10 * np.log10(np.maximum(mel, _LEAST_POWER)).mean(axis=(1, 2))
    audible = levels > threshold
    return audible if audible.any() else everything
