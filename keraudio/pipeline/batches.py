"""What a batch is: a pure function of seed, epoch and step, so that any feed and any resumed run sees the same ones."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from keraudio.audio import audible_windows, window_starts
from keraudio.pipeline.cache import CachedClips

Batch = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Crops:
    """Training batches: each epoch takes every clip `crops_per_clip` times, in random order, one random crop each time.

    With `hop` it takes every window of every clip once instead, in random order; with `jitter` moved at random.

    The last batch of an epoch is dropped where it would be incomplete, so that every step has one shape.

    Attributes:
        clips: decoded clips.
        window: length of a crop in samples; shorter clips are filled with zeros at the end.
        batch_size: crops in a batch; fewer where the data set is smaller.
        seed: of order and crops.
        crops_per_clip: crops of each clip in an epoch. Defaults to 1.
        hop: samples between successive windows of a clip. Defaults to None, random crops.
        jitter: with `hop`, each window begins up to half a hop earlier or later, anew in each epoch, yet within the
            clip. Defaults to False.
        sample_rate: of the clips in Hz, where `silence` is given.
        silence: with `hop`, decibels at which a window is silent and left out (`keraudio.audio.audible_windows`).
            Defaults to None, all are taken.
    """

    clips: CachedClips
    window: int
    batch_size: int
    seed: int = 0
    crops_per_clip: int = 1
    hop: int | None = None
    jitter: bool = False
    sample_rate: int | None = None
    silence: float | None = None

    @cached_property
    def _count(self) -> int:
        """Crops, or windows, in an epoch."""
        return len(self.clips) * self.crops_per_clip if self.hop is None else len(self._places[0])

    @cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        assert self.hop is not None
        return _window_places(self.clips, self.window, self.hop, None, self.sample_rate, self.silence)

    @cached_property
    def size(self) -> int:
        """Crops in a batch."""
        return min(self.batch_size, self._count)

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return self._count // self.size

    @cached_property
    def targets(self) -> np.ndarray:
        return self.clips.manifest.targets()

    def batch(self, epoch: int, step: int) -> Batch:
        """Waveforms `(batch, window)` and labels `(batch, labels)`, both float32."""
        chosen = _epoch_order(self._count, self.seed, epoch)[step * self.size : (step + 1) * self.size]
        random = np.random.default_rng((self.seed, epoch, step))
        rows = self._places[0][chosen] if self.hop is not None else chosen % len(self.clips)
        spare = np.maximum(self.clips.lengths[rows] - self.window, 0)
        if self.hop is None:
            starts = random.integers(0, spare + 1)
        else:
            starts = self._places[1][chosen]
            if self.jitter:
                most = self.hop // 2
                starts = np.clip(starts + random.integers(-most, most + 1, len(starts)), 0, spare)
        waveforms = np.stack(
            [self.clips.read(row, start, self.window) for row, start in zip(rows, starts, strict=True)]
        )
        return waveforms, self.targets[rows]


def _window_places(
    clips: CachedClips, window: int, hop: int, limit: int | None, sample_rate: int | None, silence: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Row and start of every audible window of every clip, in order."""
    starts = [window_starts(int(n), window, hop=hop, limit=limit) for n in clips.lengths]
    if silence is not None:
        assert sample_rate is not None

        def audible(row: int) -> np.ndarray:
            windows = np.stack([clips.read(row, int(start), window) for start in starts[row]])
            return starts[row][audible_windows(windows, sample_rate=sample_rate, threshold=silence)]

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            starts = list(pool.map(audible, range(len(clips))))
    return np.repeat(np.arange(len(starts)), [len(s) for s in starts]), np.concatenate(starts)


@lru_cache(maxsize=4)
def _epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng((seed, epoch)).permutation(count)


@dataclass(frozen=True)
class Windows:
    """Evaluation batches: every window of every clip once, in order; each window carries its clip's labels.

    Attributes:
        clips: decoded clips.
        window: length of a window in samples.
        hop: samples between successive windows of a clip.
        batch_size: windows in a batch; the last may have fewer.
        limit: most windows of one clip, evenly spread. Defaults to None, all.
        sample_rate: of the clips in Hz, where `silence` is given.
        silence: decibels at which a window is silent and left out (`keraudio.audio.audible_windows`). Defaults to None,
            all are taken.
    """

    clips: CachedClips
    window: int
    hop: int
    batch_size: int
    limit: int | None = None
    sample_rate: int | None = None
    silence: float | None = None

    @cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        return _window_places(self.clips, self.window, self.hop, self.limit, self.sample_rate, self.silence)

    @property
    def clip_of_window(self) -> np.ndarray:
        """Row of each window's clip, int64 `(windows,)`."""
        return self._places[0]

    @cached_property
    def targets(self) -> np.ndarray:
        return self.clips.manifest.targets()

    @property
    def steps(self) -> int:
        return -(-len(self.clip_of_window) // self.batch_size)

    def batch(self, epoch: int, step: int) -> Batch:
        """Waveforms `(batch, window)` and labels `(batch, labels)`, both float32; the same in every epoch."""
        rows, starts = (part[step * self.batch_size : (step + 1) * self.batch_size] for part in self._places)
        waveforms = np.stack(
            [self.clips.read(row, start, self.window) for row, start in zip(rows, starts, strict=True)]
        )
        return waveforms, self.targets[rows]
