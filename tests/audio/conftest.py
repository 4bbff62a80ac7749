from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

Write = Callable[..., Path]


def music(seconds: float, sample_rate: int, channels: int = 2) -> NDArray[np.float32]:
    """Gliding tones, beats and a little noise: no two places sound the same."""
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    tones = sum(0.1 * np.sin(2 * np.pi * f * time * (1 + 0.01 * np.sin(time))) for f in (110, 440, 1234, 3000))
    sound = tones * (0.5 + 0.5 * np.sin(2 * np.pi * 0.7 * time))
    sound = sound + 0.02 * np.random.default_rng(0).standard_normal(len(time))
    return np.stack([np.roll(sound, 7 * channel) for channel in range(channels)], axis=1).astype(np.float32)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes `samples`, or `seconds` of music, to a file and returns its path."""

    def writer(
        name: str,
        samples: NDArray[Any] | None = None,
        *,
        seconds: float = 3.0,
        sample_rate: int = 44_100,
        channels: int = 2,
        **options: Any,
    ) -> Path:
        sound = music(seconds, sample_rate, channels) if samples is None else samples
        sound = sound.reshape(len(sound), -1)
        with soundfile.SoundFile(tmp_path / name, "w", sample_rate, sound.shape[1], **options) as file:
            # In small pieces: libsndfile's Vorbis encoder overflows its stack on one large write.
            for at in range(0, len(sound), 4096):
                file.write(sound[at : at + 4096])
        return tmp_path / name

    return writer


@pytest.fixture
def cut_file() -> Callable[[Path, float], Path]:
    """Keeps the given fraction of a file's bytes."""

    def cut(path: Path, fraction: float) -> Path:
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * fraction)])
        return path

    return cut


@pytest.fixture
def without_xing() -> Callable[[Path], Path]:
    """Drops an MP3's first frame, which holds no sound but the length."""

    def drop(path: Path) -> Path:
        data = path.read_bytes()
        mark = data.find(b"Xing", 0, 400)
        assert mark > 0
        path.write_bytes(data[data.find(data[:2], mark + 100) :])
        return path

    return drop
