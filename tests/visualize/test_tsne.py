from pathlib import Path

import numpy as np
import pytest

from keraudio.errors import KeraudioError
from keraudio.visualize import embed_plane, save_study_curves, save_study_figure, save_tsne_figure


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


def test_pictures_are_drawn(tmp_path: Path) -> None:
    points = np.random.default_rng(0).standard_normal((12, 2))
    labels = [f"label {n % 9}" for n in range(12)]
    save_tsne_figure([("level -1", points), ("level -2", points)], labels, tmp_path / "tsne.png", title="Title")
    rows = [(0.5, 0.4, 0.6), (0.7, 0.65, 0.72)]
    save_study_figure(
        ["a", "b"],
        rows,
        {"AUC": [0.9, 0.8], "accuracy": [0.7, 0.6]},
        tmp_path / "study.png",
        title="Title",
        figure_name="accuracy",
    )
    save_study_figure(["a", "b"], rows, {}, tmp_path / "plain.png", title="Title", figure_name="accuracy")
    # More rows than colours, runs of one epoch and of many.
    random = np.random.default_rng(1)
    curves = {
        f"row {n}": [(m, m - 0.05, m + 0.05) for m in np.cumsum(random.uniform(0, 0.05, 1 if n == 2 else 12))]
        for n in range(9)
    }
    panels = {"loss": {name: [(9 - m, 9 - h, 9 - low) for m, low, h in row] for name, row in curves.items()}}
    panels["accuracy"] = curves
    save_study_curves(panels, tmp_path / "curves.png", title="Title", logarithmic=["loss"], note="small budget")
    for name in ("tsne", "study", "plain", "curves"):
        assert (tmp_path / f"{name}.png").stat().st_size > 5_000
