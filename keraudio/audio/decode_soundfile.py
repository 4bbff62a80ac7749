"""Decodes WAV, AIFF, AU, FLAC, Ogg and MP3 with libsndfile, around its faults in seeking and in stated lengths."""

import contextlib
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from keraudio.audio.containers import mp3_start, ogg_end, payload_bytes
from keraudio.audio.sound import UNKNOWN_FRAMES, AudioInfo, Sound, check_format, loose_slack, readable, truncated
from keraudio.errors import AudioError

_BLOCK_VALUES = 2**18
_MP3_LOWEST_RATE = 8_000
_VORBIS_BLOCK = 8_192


@contextlib.contextmanager
def open_soundfile(path: Path, file: BinaryIO) -> Iterator[Sound]:
    """Opens a file with libsndfile, which then decodes while the context lasts.

    Args:
        path: the file.
        file: the same, opened for reading bytes.

    Raises:
        AudioError: if the file is not audio, damaged, visibly truncated or out of range; on entry or while it is read.
    """
    try:
        # Bytes, because soundfile would encode the name strictly and refuse one that is not UTF-8.
        with _SequentialFile(str(path) if sys.platform == "win32" else os.fsencode(path)) as handle:
            yield _sound(path, file, handle)
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


def _sound(path: Path, file: BinaryIO, handle: soundfile.SoundFile) -> Sound:
    rate, frames, kind = handle.samplerate, handle.frames, handle.format
    info = AudioInfo(path, rate, handle.channels, frames, frames / max(rate, 1), f"{kind} {handle.subtype}")
    if frames >= UNKNOWN_FRAMES:
        check_format(replace(info, frames=1))
        # A FLAC written to a pipe does not say how long it is: it is decoded once to count.
        frames = sum(len(block) for _, block in _handle_blocks(handle, 0, UNKNOWN_FRAMES, UNKNOWN_FRAMES))
        info = replace(info, frames=frames, duration=frames / rate)
    check_format(info)
    seekable, preroll, last_seek, slack = soundfile.SoundFile.seekable(handle), 0, frames, 0
    if kind in ("WAV", "WAVEX", "AIFF", "AU"):
        declared, present = payload_bytes(file, kind)
        promised = declared * frames // max(present, 1)
        if promised > frames:
            raise truncated(path, promised / rate, frames / rate)
    elif kind == "OGG":
        whole, last_page = ogg_end(file)
        if not whole:
            raise AudioError(f"{readable(path)}: truncated, its last page is missing; {frames / rate:.2f} s decode")
        if handle.subtype == "VORBIS":
            # libsndfile 1.2 miscounts a seek that lands in the last page by what that page cuts off its end.
            last_seek = max(0, frames - last_page - _VORBIS_BLOCK)
        else:
            preroll = rate // 2
    elif kind == "MP3":
        # The lowest bit rate there is; a header may promise years, and be looked for to the end.
        most = 8 * file.seek(0, os.SEEK_END) / _MP3_LOWEST_RATE
        if frames / rate > most + 1:
            raise AudioError(
                f"{readable(path)}: truncated or damaged, the header promises {frames / rate:.2f} s, its bytes hold "
                f"{most:.2f} s at most"
            )
        first_frame, promise = mp3_start(file)
        if not promise and os.name == "posix":
            return Sound(info, None, False, 0, lambda begin, end: _piped_blocks(path, first_frame, end))
        # The bit reservoir reaches back 511 bytes: 9 frames at MPEG-1's lowest rate; at MPEG-2's, 255 bytes are up to
        # 85 frames of 8 kbit/s stereo, 2.04 s.
        preroll = rate // 2 if rate >= 32_000 else 5 * rate // 2
        slack = loose_slack(info)
    return Sound(info, slack, seekable, preroll, _seeker(handle, preroll, last_seek, frames))


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
            yield from _handle_blocks(handle, 0, end, UNKNOWN_FRAMES)
    finally:
        os.close(read_end)
        feeder.join()
