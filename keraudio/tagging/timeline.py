"""What a model hears along a song: the answer of each window, beside the sound itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keraudio.audio import audible_windows, cut_windows, load_audio, probe, window_starts
from keraudio.description import Description

if TYPE_CHECKING:
    import keras

# Of a longer song, its first half hour: more than a picture shows, and 115 MB at 16,000 Hz.
LONGEST = 1800.0


@dataclass(frozen=True)
class Timeline:
    """What a model hears along one song.

    Attributes:
        path: of the song.
        duration: of the whole song, in seconds, as its header says.
        sample_rate: of `waveform`, in Hz.
        waveform: float32 `(samples,)` in [-1, 1], at most half an hour of it.
        starts: float64 `(windows,)`, where each window begins, in seconds.
        window: length of each, in seconds.
        labels: of the model, in its order.
        probabilities: float32 `(windows, labels)`; 0 in windows that are silent, where the model leaves those out.
    """

    path: Path
    duration: float
    sample_rate: int
    waveform: np.ndarray
    starts: np.ndarray
    window: float
    labels: tuple[str, ...]
    probabilities: np.ndarray


def hear_timeline(
    model: "keras.Model", description: Description, path: Path, *, windows: int = 30, rows: int = 10
) -> Timeline:
    """Predicts windows spread over a song, one by one instead of by their vote.

    Args:
        model: a classifier.
        description: of it.
        path: audio file.
        windows: most windows, evenly spread, the first and the last among them. Defaults to 30.
        rows: windows predicted at once; those of `predict_files` need no other compilation. Defaults to 10.

    Raises:
        AudioError: the file cannot be read.
    """
    from keraudio.classifier import predict_rows

    rate, size = description.sample_rate, description.window
    duration = probe(path).duration
    waveform = load_audio(path, sample_rate=rate, duration=LONGEST if duration > LONGEST else None)
    starts = window_starts(len(waveform), size, hop=description.hop, limit=windows)
    pieces = cut_windows(waveform, starts, size)
    # A lone silent window votes, for want of another, and so it stands here.
    heard = audible_windows(pieces, sample_rate=rate, threshold=description.silence)
    probabilities = np.zeros((len(starts), len(description.labels)), np.float32)
    probabilities[heard] = predict_rows(model, pieces[heard], size=rows)
    return Timeline(path, duration, rate, waveform, starts / rate, size / rate, description.labels, probabilities)
