"""Altered copies of clips to train on: later, slower or faster, higher or lower."""

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from keraudio.pipeline.cache import CachedClips, whole_length, write_samples


@dataclass(frozen=True)
class Copies:
    """What is done to a clip's copies, each by amounts drawn once.

    Attributes:
        count: copies of each clip, beside the clip itself; 0 for none.
        delay: most seconds of silence before it.
        stretch: least and greatest tempo, 1 for its own, or None.
        pitch: least and greatest shift in semitones, or None.
    """

    count: int
    delay: float = 0.0
    stretch: tuple[float, float] | None = None
    pitch: tuple[float, float] | None = None


def with_copies(
    clips: CachedClips,
    copies: Copies,
    *,
    sample_rate: int,
    seed: int = 0,
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
) -> CachedClips:
    """The clips and behind them their copies, as Piczak 2015 (section 3) makes four variations of each.

    A copy has its clip's labels, group and split, and its own amounts, which depend on seed and the clip's id alone. A
    delay costs no room; stretched and shifted copies, by librosa, are kept beside the decoded clips.

    Args:
        clips: decoded clips.
        copies: what is done.
        sample_rate: of the clips, in Hz.
        seed: of the amounts.
        folder: of the cache.
        progress: called with (copies done, copies in all).
    """
    owners = np.repeat(np.arange(len(clips)), copies.count)
    amounts = [
        _amounts(clips.manifest.clips[row].id, number % copies.count, copies, sample_rate, seed)
        for number, row in enumerate(owners)
    ]
    files, lengths = [clips.files[row] for row in owners], clips.lengths[owners]
    if copies.stretch is not None or copies.pitch is not None:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            made = pool.map(
                lambda pair: _altered(clips, pair[0], pair[1], sample_rate, folder), zip(owners, amounts, strict=True)
            )
            for place, (file, length) in enumerate(made):
                files[place], lengths[place] = file, length
                if progress is not None:
                    progress(place + 1, len(files))
    delays = np.array([amount.delay for amount in amounts], dtype="int64")
    originals = clips.manifest.clips
    manifest = clips.manifest.replace(
        (
            *originals,
            *(
                replace(originals[row], id=f"{originals[row].id} copy {number % copies.count + 1}")
                for number, row in enumerate(owners)
            ),
        )
    )
    return CachedClips(
        manifest,
        (*clips.files, *files),
        np.concatenate([clips.lengths, lengths + delays]),
        clips.failures,
        np.concatenate([clips.delays, clips.delays[owners] + delays]),
    )


@dataclass(frozen=True)
class _Amounts:
    delay: int
    rate: float
    steps: float


def _amounts(clip: str, number: int, copies: Copies, sample_rate: int, seed: int) -> _Amounts:
    digest = hashlib.blake2b(f"{seed} {number} {clip}".encode(), digest_size=8).digest()
    random = np.random.default_rng(int.from_bytes(digest, "little"))
    delay, rate, steps = random.random(3)
    low, high = copies.stretch or (1.0, 1.0)
    down, up = copies.pitch or (0.0, 0.0)
    # Tempos in equal ratios: half and double are equally far from 1.
    return _Amounts(
        int(delay * copies.delay * sample_rate), float(low * (high / low) ** rate), float(down + (up - down) * steps)
    )


def _altered(clips: CachedClips, row: int, amounts: _Amounts, sample_rate: int, folder: Path) -> tuple[Path, int]:
    """A stretched and shifted clip's file, made where it is not there yet, and its length."""
    import librosa

    source = clips.files[row]
    key = hashlib.blake2b(
        f"{source.stem} {amounts.rate!r} {amounts.steps!r} {version('librosa')}".encode(), digest_size=20
    ).hexdigest()
    file = folder / key[:2] / f"{key}.npy"
    if length := whole_length(file):
        return file, length
    delay = int(clips.delays[row])
    waveform = clips.read(row, delay, int(clips.lengths[row]) - delay)
    if amounts.rate != 1:
        waveform = librosa.effects.time_stretch(waveform, rate=amounts.rate)
    if amounts.steps != 0:
        waveform = librosa.effects.pitch_shift(waveform, sr=sample_rate, n_steps=amounts.steps)
    write_samples(file, waveform)
    return file, len(waveform)
