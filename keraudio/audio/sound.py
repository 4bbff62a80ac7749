"""What the decoders hand on and share: an opened file, what its header says, the limits it must keep, its errors."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keraudio.errors import AudioError

RATES = (1_000, 768_000)
MAX_CHANNELS = 64
# Stands for a length that nothing states; libsndfile's own sign for it, 2**63 - 1, lies above.
UNKNOWN_FRAMES = 2**62


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


def readable(path: str | os.PathLike[str]) -> str:
    """Returns a path as text that fits one line and any terminal: what cannot be printed is escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(path))


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


def truncated(path: Path, promised: float, decoded: float) -> AudioError:
    """The error of a file whose header promises more seconds than decode."""
    return AudioError(
        f"{readable(path)}: truncated or damaged, the header promises {promised:.2f} s, {decoded:.2f} s decode"
    )
