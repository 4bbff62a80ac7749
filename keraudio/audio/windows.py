"""Cuts waveforms and files into the windows that a model sees."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keraudio.audio.decode import FILTER_REACH, checked_count, in_step, open_sound, read_span
from keraudio.audio.sound import Sound

# A seek costs about as much as decoding this many seconds: finding the place, refilling the decoder and the resampler.
_SEEK_SECONDS = 0.2


def window_starts(samples: int, window: int, *, hop: int, limit: int | None = None) -> NDArray[np.int64]:
    """Lists where the windows of a clip begin.

    Windows start at 0, hop, 2 * hop, ... while a whole window fits; the incomplete tail is dropped, as SampleCNN and
    MusiCNN do. A clip shorter than a window has one start, 0.

    Args:
        samples: int >= 1, length of the clip.
        window: int >= 1, length of a window in samples.
        hop: int >= 1, samples between successive starts.
        limit: int >= 1, how many starts to keep at most, evenly spread with the first and the last among them; a limit
            of 1 keeps the middle one (of an even number, the earlier). Defaults to all.

    Returns:
        int64 `(windows,)`, ascending, at least one.

    Raises:
        ValueError: if an argument is below 1.

    >>> window_starts(10, 4, hop=2)
    array([0, 2, 4, 6])
    >>> window_starts(10, 4, hop=2, limit=2)
    array([0, 6])
    >>> window_starts(3, 4, hop=2)
    array([0])
    """
    samples, window, hop = checked_count("samples", samples), checked_count("window", window), checked_count("hop", hop)
    count = max(0, samples - window) // hop + 1
    kept = np.arange(count, dtype=np.int64)
    if limit is not None and checked_count("limit", limit) < count:
        steps = limit - 1
        # Whole numbers throughout, rounded half down: the same windows on every machine.
        kept = (np.arange(limit) * (2 * (count - 1)) + steps - 1) // (2 * steps) if steps else kept[[(count - 1) // 2]]
    return (kept * hop).astype(np.int64)


def cut_windows(waveform: NDArray[np.float32], starts: NDArray[np.int64], window: int) -> NDArray[np.float32]:
    """Cuts windows out of a waveform, padding with zeros what lies beyond its end.

    Args:
        waveform: float32 `(samples,)`.
        starts: int `(windows,)`, each from 0 to samples - 1.
        window: int >= 1, length of a window in samples.

    Returns:
        float32 `(windows, window)`, a copy.

    Raises:
        ValueError: if `waveform` is not one-dimensional or a start lies outside it.

    >>> cut_windows(np.arange(5, dtype=np.float32), np.array([0, 3]), 3)
    array([[0., 1., 2.],
           [3., 4., 0.]], dtype=float32)
    """
    window = checked_count("window", window)
    waveform, starts = np.asarray(waveform, np.float32), np.asarray(starts, np.int64)
    if waveform.ndim != 1:
        raise ValueError(f"`waveform` must have the shape (samples,). Received: waveform.shape={waveform.shape}")
    if starts.size and not 0 <= starts.min() <= starts.max() < len(waveform):
        raise ValueError(
            f"`starts` must lie from 0 to samples - 1. Received: starts={starts.min()}..{starts.max()}, "
            f"samples={len(waveform)}"
        )
    windows = np.zeros((len(starts), window), np.float32)
    for row, start in zip(windows, starts, strict=True):
        piece = waveform[start : start + window]
        row[: len(piece)] = piece
    return windows


def read_windows(
    path: str | os.PathLike[str], *, sample_rate: int, window: int, hop: int, limit: int | None = None
) -> NDArray[np.float32]:
    """Decodes the windows of a file, and where `limit` leaves wide gaps, only those.

    The result is `cut_windows(load_audio(path), window_starts(...), window)` up to float32 rounding,
    2e-6: seeking itself adds nothing in WAV, FLAC and Vorbis, and 1e-7 in MP3 and Opus. Where only the windows are
    decoded, the sound between them is not looked at: damage there is found by `load_audio` alone.

    Args:
        path: the file.
        sample_rate: int >= 1, rate of the windows in Hz.
        window: int >= 1, length of a window in samples at `sample_rate`.
        hop: int >= 1, samples between successive windows.
        limit: int >= 1, how many windows to keep at most, as in `window_starts`. Defaults to all.

    Returns:
        float32 `(windows, window)` in [-1, 1].

    Raises:
        AudioError: as `load_audio` does.
        ValueError: if a number is below 1.
    """
    sample_rate = checked_count("sample_rate", sample_rate)
    with open_sound(Path(path)) as sound:
        total = _samples(sound, sample_rate)
        starts = window_starts(max(1, total), window, hop=hop, limit=limit)
        can_skip = sound.seekable and in_step(sound.info.sample_rate, sample_rate)
        if total > window and limit is not None and can_skip:
            spans = _spans(sound, sample_rate, starts, window)
            if _cheaper(sound, sample_rate, spans) and _ends_as_promised(sound):
                return _read_spans(sound, sample_rate, spans, starts, window)
        waveform = read_span(sound, sample_rate)
        return cut_windows(waveform, window_starts(len(waveform), window, hop=hop, limit=limit), window)


def _samples(sound: Sound, sample_rate: int) -> int:
    """Length of the file at `sample_rate`, rounded half up as soxr does."""
    return (2 * sound.info.frames * sample_rate + sound.info.sample_rate) // (2 * sound.info.sample_rate)


def _overhead(sound: Sound, sample_rate: int) -> float:
    """Seconds of decoding that a span costs beyond its own length."""
    filters = 2 * FILTER_REACH / min(sample_rate, sound.info.sample_rate)
    return _SEEK_SECONDS + sound.preroll / sound.info.sample_rate + filters


def _spans(sound: Sound, sample_rate: int, starts: NDArray[np.int64], window: int) -> list[tuple[int, int]]:
    """Joins windows into spans (first, stop), wherever decoding the gap costs no more than seeking over it."""
    bridged = _overhead(sound, sample_rate) * sample_rate
    spans: list[tuple[int, int]] = []
    for start in starts.tolist():
        if spans and start - spans[-1][1] <= bridged:
            spans[-1] = (spans[-1][0], start + window)
        else:
            spans.append((start, start + window))
    return spans


def _cheaper(sound: Sound, sample_rate: int, spans: list[tuple[int, int]]) -> bool:
    # One more overhead for the look at the end.
    seconds = sum(stop - first for first, stop in spans) / sample_rate
    return seconds + (len(spans) + 1) * _overhead(sound, sample_rate) < sound.info.duration


def _ends_as_promised(sound: Sound) -> bool:
    """Whether the header's length is what decodes; where it is not, the full decode has to say what there is."""
    frames = sound.info.frames
    return any(position + len(block) >= frames for position, block in sound.blocks(frames - 1, frames))


def _read_spans(
    sound: Sound, sample_rate: int, spans: list[tuple[int, int]], starts: NDArray[np.int64], window: int
) -> NDArray[np.float32]:
    parts = []
    for first, stop in spans:
        inside = starts[(starts >= first) & (starts < stop)]
        parts.append(cut_windows(read_span(sound, sample_rate, first, stop - first), inside - first, window))
    return np.concatenate(parts)
