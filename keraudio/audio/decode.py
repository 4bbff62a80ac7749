"""Decodes one audio file to a mono float32 waveform, or says in one line why it cannot."""

import contextlib
import math
import operator
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from keraudio.audio.decode_av import demuxer_of, open_av
from keraudio.audio.decode_soundfile import open_soundfile
from keraudio.audio.sound import UNKNOWN_FRAMES, AudioInfo, Sound, readable, truncated
from keraudio.errors import AudioError

# Samples, at the lower of the two rates, that soxr HQ's filter reaches to each side: beyond 128 a cut no longer shows
# above float32 rounding at any pair of rates from 8 to 192 kHz; twice that for safety.
FILTER_REACH = 256
# soxr steps exactly through a cycle of up to 2048 output samples, which all pairs of common rates have. Beyond that its
# step is rounded, and a full decode drifts from the true instants (44,056 to 22,050 Hz: by 8e-4 of full scale after
# 6 minutes), which nothing that begins elsewhere can follow.
_EXACT_CYCLE = 2048

Mono = NDArray[np.float32]


def probe(path: str | os.PathLike[str]) -> AudioInfo:
    """Reads what a file's header says, without decoding it.

    Args:
        path: the file.

    Returns:
        An `AudioInfo`. `frames` and `duration` are the header's promise; for an MP3 without a Xing, Info or VBRI header
        and for raw AAC they are an estimate from the bit rate.

    Raises:
        AudioError: if the file is missing, unreadable, not audio, or visibly truncated.
    """
    with open_sound(Path(path)) as sound:
        return sound.info


def load_audio(
    path: str | os.PathLike[str], *, sample_rate: int, start: float = 0.0, duration: float | None = None
) -> Mono:
    """Decodes a file, or a stretch of it, to a mono waveform.

    Channels are averaged, the mean is clipped to [-1, 1], resampled with soxr HQ and clipped again. A stretch holds the
    samples that the same stretch of the whole waveform holds, up to float32 rounding (2e-6).

    Args:
        path: the file.
        sample_rate: int >= 1, rate of the waveform in Hz.
        start: float >= 0, where to begin, in seconds. Defaults to 0.
        duration: float > 0, length in seconds; what the file does not have is left out. Defaults to all that follows
            `start`.

    Returns:
        float32 `(samples,)` in [-1, 1], at least one sample.

    Raises:
        AudioError: "PATH: reason" if the file is missing, a folder, unreadable, empty, not audio, without samples,
            truncated, holds NaN or infinity, has a sample rate outside 1,000 to 768,000 Hz or more than 64 channels,
            or ends before `start`. FLAC, MP3 and M4A are found truncated only where the stretch reaches the break.
            An MP3's length is a header's claim: up to 1 % or 0.1 s may be missing, and without a Xing, Info or VBRI
            header nothing is promised.
        ValueError: if an argument is out of range.
    """
    sample_rate = checked_count("sample_rate", sample_rate)
    if not 0 <= start < math.inf:
        raise ValueError(f"`start` must be a finite number of seconds, at least 0. Received: start={start}")
    if duration is not None and not (duration < math.inf and round(duration * sample_rate) >= 1):
        raise ValueError(f"`duration` must be finite and at least one sample. Received: duration={duration}")
    with open_sound(Path(path)) as sound:
        first = round(start * sample_rate)
        waveform = read_span(sound, sample_rate, first, None if duration is None else round(duration * sample_rate))
        if len(waveform):
            return waveform
        end = f"{sound.info.duration:.2f} s"
        raise AudioError(f"{readable(path)}: `start` must lie before the end, {end}. Received: {start=}")


def checked_count(name: str, value: int) -> int:
    """Returns `value` as an int of at least 1, or raises the `ValueError` that says so."""
    try:
        count = operator.index(value)
    except TypeError:
        count = 0
    if count < 1:
        raise ValueError(f"`{name}` must be a whole number of at least 1. Received: {name}={value!r}")
    return count


def read_span(sound: Sound, sample_rate: int, first: int = 0, count: int | None = None) -> Mono:
    """Reads samples `first` to `first + count`, counted at `sample_rate`, as the whole waveform would hold them.

    The stretch begins a whole number of resampling cycles into the file, so that every output sample falls on the same
    instant as in a full decode, and carries the filter's reach on both sides.
    """
    source_rate = sound.info.sample_rate
    divisor = math.gcd(source_rate, sample_rate)
    cycle, cycle_out = source_rate // divisor, sample_rate // divisor
    margin = math.ceil(FILTER_REACH * max(1.0, source_rate / sample_rate)) if cycle != cycle_out else 0
    cycles = max(0, first * cycle // cycle_out - margin) // cycle if in_step(source_rate, sample_rate) else 0
    end = UNKNOWN_FRAMES if count is None else -(-(first + count) * cycle // cycle_out) + margin
    skip = first - cycles * cycle_out

    blocks = _mono_blocks(sound, cycles * cycle, end)
    if cycle == cycle_out:
        parts = list(blocks)
    else:
        stream = soxr.ResampleStream(source_rate, sample_rate, 1, dtype="float32", quality="HQ")
        # The stream is fed block by block, so that only the result is held, never the source as a whole.
        parts = [stream.resample_chunk(block) for block in blocks]
        parts.append(stream.resample_chunk(np.zeros(0, np.float32), last=True))
    waveform = np.concatenate([*parts, np.zeros(0, np.float32)])
    waveform = waveform[skip:] if count is None else waveform[skip : skip + count].copy()
    if not len(waveform) and first == 0:
        raise AudioError(f"{readable(sound.info.path)}: too short, no sample at {sample_rate} Hz")
    return np.clip(waveform, -1.0, 1.0, out=waveform)


def in_step(source_rate: int, sample_rate: int) -> bool:
    """Whether a resampler that begins inside a file gives the samples of one that began at its start."""
    return sample_rate // math.gcd(source_rate, sample_rate) <= _EXACT_CYCLE


def _mono_blocks(sound: Sound, begin: int, end: int) -> Iterator[Mono]:
    info, reached = sound.info, begin
    for position, block in sound.blocks(begin, end):
        block = block[max(0, begin - position) : max(0, end - position)]
        position = max(begin, position)
        if not np.isfinite(block).all():
            bad = position + int(np.argmin(np.isfinite(block).all(axis=1)))
            raise AudioError(f"{readable(info.path)}: NaN or infinite samples at {bad / info.sample_rate:.2f} s")
        reached = position + len(block)
        # float64 inside the block alone: float files may hold values whose sum overflows float32.
        yield np.clip(block.mean(axis=1, dtype=np.float64), -1.0, 1.0).astype(np.float32)
    if sound.slack is not None and reached < min(end, info.frames) - sound.slack:
        raise truncated(info.path, info.duration, reached / info.sample_rate)


@contextlib.contextmanager
def open_sound(path: Path) -> Iterator[Sound]:
    """Opens a file with soundfile or, for MP4 and AAC, with PyAV; every failure is an `AudioError`."""
    try:
        if not path.is_file():
            reason = "is a folder" if path.is_dir() else "is not a regular file" if path.exists() else "does not exist"
            raise AudioError(f"{readable(path)}: {reason}")
        with open(path, "rb") as file:
            head = file.read(12)
            if not head:
                raise AudioError(f"{readable(path)}: is empty (0 bytes)")
            if demuxer := demuxer_of(head, path.suffix.lower()):
                yield open_av(path, demuxer)
            else:
                with open_soundfile(path, file) as sound:
                    yield sound
    except OSError as error:
        raise AudioError(f"{readable(path)}: {(error.strerror or str(error)).lower()}") from error
