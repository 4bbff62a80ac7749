"""Small audio files and manifests that the tests of data sets share."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from keraudio.datasets import Clip, Manifest

WriteTone = Callable[..., Path]
MakeManifest = Callable[..., Manifest]


@pytest.fixture
def write_tone() -> WriteTone:
    """Writes a short sine; its frequency and peak can be chosen, so that files differ."""

    def write(path: Path, *, frequency: float = 440.0, peak: float = 0.5, seconds: float = 0.1) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        time = np.arange(round(8000 * seconds)) / 8000
        soundfile.write(path, peak * np.sin(2 * np.pi * frequency * time), 8000)
        return path

    return write


@pytest.fixture
def make_manifest() -> MakeManifest:
    """Builds a manifest of paths that need not exist, from (label or labels, group, fold, split) for each clip."""

    def make(
        rows: list[tuple[str | tuple[str, ...], str | None, int | None, str | None]], *, multi_label: bool = False
    ) -> Manifest:
        clips = [
            Clip(
                Path(f"{number}.wav"),
                (labels,) if isinstance(labels, str) else labels,
                f"c{number}",
                split,
                fold,
                group,
            )
            for number, (labels, group, fold, split) in enumerate(rows)
        ]
        vocabulary = sorted({label for clip in clips for label in clip.labels})
        return Manifest("made", tuple(clips), tuple(vocabulary), multi_label)

    return make
