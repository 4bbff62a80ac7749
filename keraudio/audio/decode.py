"""Decodes one audio file to a mono float32 waveform, or says in one line why it cannot."""

import contextlib
import math
import operator
import os
import shutil
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from keraudio.errors import AudioError

RATES = (1_000, 768_000)
MAX_CHANNELS = 64
# Samples, at the lower of the two rates, that soxr HQ's filter reaches to each side: beyond 128 a cut no longer shows
# above float32 rounding at any pair of rates from 8 to 192 kHz; twice that for safety.
FILTER_REACH = 256
# soxr steps exactly through a cycle of up to 2048 output samples, which all pairs of common rates have. Beyond that its
# step is rounded, and a full decode drifts from the true instants (44,056 to 22,050 Hz: by 8e-4 of full scale after
# 6 minutes), which nothing that begins elsewhere can follow.
_EXACT_CYCLE = 2048
_BLOCK_VALUES = 2**18
_UNKNOWN_FRAMES = 2**62
# Writers that cannot seek back leave one of these as the length: 0, 0x7fff0000 and up (SoX, arecord), 0xffffffff.
_PLACEHOLDER_BYTES = 0x7FFF_0000
_OGG_PAGE_BYTES = 65_307
_VORBIS_BLOCK = 8_192

Mono = NDArray[np.float32]


@dataclass(frozen=True)
class AudioInfo:
    """What the header of an audio file says.

    Attributes:
        path: the file.
        sample_rate: in Hz.
        channels: how many, 1 to 64.
        frames: samples a channel; an estimate where the format promises none (see `probe`).
        duration: in seconds.
        format: container and coding, e.g. "WAV PCM_16", "OGG VORBIS", "MP4 AAC".
    """

    path: Path
    sample_rate: int
    channels: int
    frames: int
    duration: float
    format: str


@dataclass(frozen=True)
class Sound:
    """An audio file opened for reading.

    Attributes:
        info: what its header says.
        slack: how many frames may be missing at the end before the file counts as truncated; `None` where the header
            promises no length.
        seekable: whether a stretch can be read without what comes before it.
        preroll: frames that a seek decodes and drops so that the decoder's state is that of a full decode.
        blocks: `blocks(begin, end)` yields `(position, (frames, channels) float32)` in order, from `begin` or before.
    """

    info: AudioInfo
    slack: int | None
    seekable: bool
    preroll: int
    blocks: Callable[[int, int], Iterator[tuple[int, NDArray[np.float32]]]]


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
    end = _UNKNOWN_FRAMES if count is None else -(-(first + count) * cycle // cycle_out) + margin
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
        raise _truncated(info.path, info.duration, reached / info.sample_rate)


def readable(path: str | os.PathLike[str]) -> str:
    """Returns a path as text that fits one line and any terminal: what cannot be printed is escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(path))


@contextlib.contextmanager
def open_sound(path: Path) -> Iterator[Sound]:
    """Opens a file with soundfile or, for MP4 and AAC, with PyAV; every failure is an `AudioError`."""
    from keraudio.audio import decode_av

    try:
        if not path.is_file():
            reason = "is a folder" if path.is_dir() else "is not a regular file" if path.exists() else "does not exist"
            raise AudioError(f"{readable(path)}: {reason}")
        with open(path, "rb") as file:
            head = file.read(12)
            if not head:
                raise AudioError(f"{readable(path)}: is empty (0 bytes)")
            if demuxer := decode_av.demuxer_of(head, path.suffix.lower()):
                yield decode_av.open_av(path, demuxer)
            else:
                with _open_soundfile(path, file) as sound:
                    yield sound
    except OSError as error:
        raise AudioError(f"{readable(path)}: {(error.strerror or str(error)).lower()}") from error
    except soundfile.LibsndfileError as error:
        # Code 7, for an MP3 without a frame, would speak of a missing file.
        said = "" if error.code == 7 else error.error_string.strip().rstrip(".").lower()
        raise AudioError(f"{readable(path)}: not audio, or damaged" + (f" ({said})" if said else "")) from error


class _SequentialFile(soundfile.SoundFile):
    """A sound file without the seek that soundfile makes to where it already is after every read.

    In MP3 that seek empties the bit reservoir: up to 85 frames after each block of a low-bit-rate file come out wrong.
    """

    def seekable(self) -> bool:
        return False


@contextlib.contextmanager
def _open_soundfile(path: Path, file: BinaryIO) -> Iterator[Sound]:
    # Bytes, because soundfile would encode the name strictly and refuse one that is not UTF-8.
    with _SequentialFile(str(path) if sys.platform == "win32" else os.fsencode(path)) as handle:
        rate, frames, kind = handle.samplerate, handle.frames, handle.format
        info = AudioInfo(path, rate, handle.channels, frames, frames / max(rate, 1), f"{kind} {handle.subtype}")
        if frames >= _UNKNOWN_FRAMES:
            check_format(replace(info, frames=1))
            # A FLAC written to a pipe does not say how long it is: it is decoded once to count.
            frames = sum(len(block) for _, block in _handle_blocks(handle, 0, _UNKNOWN_FRAMES, _UNKNOWN_FRAMES))
            info = replace(info, frames=frames, duration=frames / rate)
        check_format(info)
        seekable, preroll, last_seek, slack = soundfile.SoundFile.seekable(handle), 0, frames, 0
        if kind in ("WAV", "WAVEX", "AIFF", "AU"):
            declared, present = _payload_bytes(file, kind)
            promised = declared * frames // max(present, 1)
            if promised > frames:
                raise _truncated(path, promised / rate, frames / rate)
        elif kind == "OGG":
            whole, last_page = _ogg_end(file)
            if not whole:
                raise AudioError(f"{readable(path)}: truncated, its last page is missing; {frames / rate:.2f} s decode")
            if handle.subtype == "VORBIS":
                # libsndfile 1.2 miscounts a seek that lands in the last page by what that page cuts off its end.
                last_seek = max(0, frames - last_page - _VORBIS_BLOCK)
            else:
                preroll = rate // 2
        elif kind == "MP3":
            first_frame, promise = _mp3_start(file)
            if not promise and os.name == "posix":
                yield Sound(info, None, False, 0, lambda begin, end: _piped_blocks(path, first_frame, end))
                return
            # The bit reservoir reaches back 511 bytes: 9 frames at MPEG-1's lowest rate; at MPEG-2's, 255 bytes
            # are up to 85 frames of 8 kbit/s stereo, 2.04 s.
            preroll = rate // 2 if rate >= 32_000 else 5 * rate // 2
            slack = loose_slack(info)
        yield Sound(info, slack, seekable, preroll, _seeker(handle, preroll, last_seek, frames))


def check_format(info: AudioInfo) -> None:
    """Refuses a sample rate or a number of channels that no sound has.

    Raises:
        AudioError: if either is out of its range.
    """
    name = readable(info.path)
    if not RATES[0] <= info.sample_rate <= RATES[1]:
        raise AudioError(f"{name}: sample rate must be {RATES[0]} to {RATES[1]} Hz. Received: {info.sample_rate}")
    if not 1 <= info.channels <= MAX_CHANNELS:
        raise AudioError(f"{name}: channels must be 1 to {MAX_CHANNELS}. Received: {info.channels}")
    if info.frames < 1:
        raise AudioError(f"{name}: holds no samples")


def loose_slack(info: AudioInfo) -> int:
    """Frames that an MP3's or MP4's header may promise in excess: encoder delay and padding, cut clips."""
    return max(info.frames // 100, info.sample_rate // 10)


def _truncated(path: Path, promised: float, decoded: float) -> AudioError:
    return AudioError(
        f"{readable(path)}: truncated or damaged, the header promises {promised:.2f} s, {decoded:.2f} s decode"
    )


def _seeker(
    handle: soundfile.SoundFile, preroll: int, last_seek: int, frames: int
) -> Callable[[int, int], Iterator[tuple[int, NDArray[np.float32]]]]:
    def blocks(begin: int, end: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
        position = max(0, min(begin - preroll, last_seek))
        with contextlib.suppress(soundfile.LibsndfileError):
            # By way of 0: from elsewhere libsndfile 1.2 misplaces one Vorbis seek in three.
            handle.seek(0)
            handle.seek(position)
            yield from _handle_blocks(handle, position, end, frames)

    return blocks


def _handle_blocks(
    handle: soundfile.SoundFile, position: int, end: int, frames: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    size = max(1, _BLOCK_VALUES // handle.channels)
    while (wanted := min(size, end - position, frames - position)) > 0:
        # On damage libsndfile reports an error for the whole block; the NaN left in it show how far it came.
        block = np.full((wanted, handle.channels), np.nan, np.float32)
        try:
            got = len(handle.read(out=block))
        except soundfile.LibsndfileError:
            got = int(np.argmax(np.append(np.isnan(block).all(axis=1), True)))
            wanted = -1
        if got:
            yield position, block[:got]
        if got != wanted:
            return
        position += got


def _piped_blocks(path: Path, offset: int, end: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Decodes an MP3 of unknown length to its end.

    From a file libsndfile stops at its estimate, which is a third of a song that begins loud; from a pipe it
    estimates nothing.
    """
    read_end, write_end = os.pipe()

    def feed() -> None:
        with contextlib.suppress(BrokenPipeError), open(write_end, "wb") as pipe, open(path, "rb") as file:
            file.seek(offset)
            shutil.copyfileobj(file, pipe)

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    try:
        with _SequentialFile(read_end, closefd=False) as handle:
            yield from _handle_blocks(handle, 0, end, _UNKNOWN_FRAMES)
    finally:
        os.close(read_end)
        feeder.join()


def _payload_bytes(file: BinaryIO, kind: str) -> tuple[int, int]:
    """Bytes of sound that a WAV, AIFF or AU header declares, and bytes that follow it; libsndfile hides the gap."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(12)
    little = head[:4] in (b"RIFF", b"dns.")
    if kind == "AU":
        at, declared = struct.unpack("<II" if little else ">II", head[4:12])
        return (declared, size - at) if declared < _PLACEHOLDER_BYTES else (0, size - at)
    at = 12
    while len(chunk := file.read(8)) == 8:
        declared = struct.unpack("<I" if little else ">I", chunk[4:])[0]
        at += 8
        if chunk[:4] in (b"data", b"SSND"):
            return (declared, size - at) if declared < _PLACEHOLDER_BYTES else (0, size - at)
        at = file.seek(at + declared + declared % 2)
    return 0, size


def _ogg_end(file: BinaryIO) -> tuple[bool, int]:
    """Whether an Ogg file ends with its marked, complete last page, and how many frames that page holds."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 3 * _OGG_PAGE_BYTES))
    tail = file.read()
    whole, granules, at = False, [], tail.find(b"OggS")
    while 0 <= at <= len(tail) - 27:
        kind, granule = tail[at + 5], struct.unpack_from("<q", tail, at + 6)[0]
        length = 27 + tail[at + 26] + sum(tail[at + 27 : at + 27 + tail[at + 26]])
        whole = bool(kind & 4) and at + length <= len(tail)
        granules += [granule] if granule >= 0 else []
        at = tail.find(b"OggS", at + length)
    last_page = granules[-1] - granules[-2] if len(granules) > 1 else -1
    return whole, last_page if last_page >= 0 else _UNKNOWN_FRAMES


def _mp3_start(file: BinaryIO) -> tuple[int, bool]:
    """Offset of the first byte after ID3v2 tags, and whether the first frame states the length."""
    at = 0
    file.seek(0)
    while len(tag := file.read(10)) == 10 and tag[:3] == b"ID3":
        at = file.seek(at + 10 + sum((tag[9 - i] & 0x7F) << 7 * i for i in range(4)) + (10 if tag[5] & 0x10 else 0))
    file.seek(at)
    frame = file.read(2048)
    return at, any(mark in frame for mark in (b"Xing", b"Info", b"VBRI"))
