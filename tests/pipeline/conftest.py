"""Clips that need no decoding: each sample tells its clip and its place."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from keraudio.datasets import Clip, Manifest
from keraudio.pipeline import CachedClips

CountedClips = Callable[[Sequence[int]], CachedClips]


@pytest.fixture(scope="module")
def counted_clips(tmp_path_factory: pytest.TempPathFactory) -> CountedClips:
    """Clips of the given lengths, each below 100 samples: sample k of clip c is 100 * c + k + 1 over 32767."""
    folder = tmp_path_factory.mktemp("counted")

    def make(lengths: Sequence[int]) -> CachedClips:
        files, clips = [], []
        for row, length in enumerate(lengths):
            file = folder / f"{row}_{length}.npy"
            np.save(file, (100 * row + np.arange(length) + 1).astype("<i2"))
            files.append(file)
            clips.append(Clip(file, ("even", "odd")[row % 2 : row % 2 + 1], f"c{row}"))
        manifest = Manifest("counted", tuple(clips), ("even", "odd"), multi_label=False)
        return CachedClips(manifest, tuple(files), np.array(lengths, dtype="int64"))

    return make
