from pathlib import Path

import numpy as np
import pytest

from keraudio.errors import KeraudioError
from keraudio.visualize import embed_plane, save_tsne_figure


def test_what_is_heard_alike_lies_near() -> None:
    random = np.random.default_rng(0)
    features = np.concatenate([random.normal(10 * group, 1, (20, 8)) for group in range(3)])
    plane = embed_plane(features)
    assert plane.shape == (60, 2)
    groups = plane.reshape(3, 20, 2)
    within = np.linalg.norm(groups - groups.mean(axis=1, keepdims=True), axis=2).mean()
    between = np.linalg.norm(groups.mean(axis=1)[0] - groups.mean(axis=1)[1])
    assert between > 3 * within
    np.testing.assert_array_equal(embed_plane(features), plane)


def test_few_clips_are_enough_and_fewer_are_refused() -> None:
    assert embed_plane(np.eye(5)).shape == (5, 2)
    with pytest.raises(KeraudioError, match="at least 4 clips. Received: 3"):
        embed_plane(np.eye(3))


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    points = np.random.default_rng(0).standard_normal((12, 2))
    labels = [f"label {n % 9}" for n in range(12)]
    save_tsne_figure([("level -1", points), ("level -2", points)], labels, tmp_path / "tsne.png", title="Title")
    assert (tmp_path / "tsne.png").stat().st_size > 5_000
