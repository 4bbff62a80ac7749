"""What the detail pane draws of a song's sound: the outline of its waveform and its mel spectrogram."""

import numpy as np

# One shape for every song, so that backends that compile do it once.
_BLOCK = 1 << 19
_N_FFT, _HOP, _BANDS = 1024, 512, 64
_RANGE_DB = 70.0


def waveform_outline(waveform: np.ndarray, columns: int) -> np.ndarray:
    """Lowest and highest sample of each of at most `columns` stretches, float32 `(columns, 2)`."""
    columns = min(columns, len(waveform))
    edges = np.linspace(0, len(waveform), columns + 1).astype(int)[:-1]
    lowest, highest = np.minimum.reduceat(waveform, edges), np.maximum.reduceat(waveform, edges)
    return np.stack([lowest, highest], axis=1).astype("<f4")


def mel_picture(waveform: np.ndarray, sample_rate: int, columns: int) -> np.ndarray:
    """Decibels of a mel spectrogram as grey levels, uint8 `(bands, columns)`, the lowest band in the last row.

    keraudio's own layers, as inside its models; 255 is the song's loudest, 0 lies 70 dB below.
    """
    from keras import ops

    from keraudio.layers import Decibels, MelSpectrogram

    spectrogram = MelSpectrogram(sample_rate, _N_FFT, _HOP, n_mels=_BANDS)
    decibels = Decibels(top_db=None)
    parts = []
    for first in range(0, len(waveform), _BLOCK):
        block = np.zeros((1, _BLOCK), "float32")
        piece = waveform[first : first + _BLOCK]
        block[0, : len(piece)] = piece
        frames = np.asarray(ops.convert_to_numpy(decibels(spectrogram(block))))[0]
        parts.append(frames[: -(-len(piece) // _HOP)])
    levels = np.concatenate(parts)
    edges = np.linspace(0, len(levels), min(columns, len(levels)) + 1).astype(int)[:-1]
    levels = np.maximum.reduceat(levels, edges, axis=0)
    grey = np.clip((levels - levels.max() + _RANGE_DB) / _RANGE_DB, 0, 1) * 255
    return np.round(grey).astype("uint8").T[::-1]
