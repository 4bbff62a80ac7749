import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keraudio.visualize import save_study_curves, save_study_figure
from keraudio.visualize.figure import save_figure


def learned(rows: int, epochs: int = 12) -> dict[str, list[tuple[float, float, float]]]:
    """Mean, least and greatest value of each row after each epoch; the third row has one epoch."""
    random = np.random.default_rng(1)
    return {
        f"row {n}, with a label of many words": [
            (value, value - 0.05, value + 0.05)
            for value in np.cumsum(random.uniform(0.05, 0.1, 1 if n == 2 else epochs)).tolist()
        ]
        for n in range(rows)
    }


def test_figures_are_drawn_with_the_papers_beside_them_or_without(tmp_path: Path) -> None:
    rows = [(0.5, 0.4, 0.6), (0.7, 0.65, 0.72)]
    published = {"AUC": [0.9, 0.8], "accuracy": [0.7, 0.6]}
    save_study_figure(["a", "b"], rows, published, tmp_path / "study.png", title="Title", figure_name="accuracy")
    save_study_figure(["a", "b"], rows, {}, tmp_path / "plain.png", title="Title", figure_name="accuracy")
    assert min((tmp_path / f"{name}.png").stat().st_size for name in ("study", "plain")) > 5_000


@pytest.mark.parametrize("panels", [1, 2])
@pytest.mark.parametrize("rows", [1, 9])
def test_curves_have_their_legend_below_them_and_room_enough(panels: int, rows: int, tmp_path, monkeypatch) -> None:
    kept: list[Any] = []

    def keep_and_save(figure: Any, out: Path) -> None:
        kept.append(figure)
        save_figure(figure, out)

    monkeypatch.setattr("keraudio.visualize.study.save_figure", keep_and_save)
    names = ["loss", "accuracy"][:panels]
    curves = dict.fromkeys(names, learned(rows))
    save_study_curves(curves, tmp_path / "curves.png", title="A title", logarithmic=["loss"], note="small budget")
    assert (tmp_path / "curves.png").stat().st_size > 5_000
    (figure,) = kept
    figure.canvas.draw()
    (legend,) = figure.legends
    below = legend.get_window_extent()
    assert len(legend.get_texts()) == rows and below.x0 >= 0 and below.y0 >= 0
    for axes, name in zip(figure.axes, names, strict=True):
        area = axes.get_window_extent()
        assert below.y1 < axes.get_tightbbox().y0 and area.width > 0.7 * figure.bbox.width / panels
        assert len(axes.lines) == rows and axes.get_yscale() == ("log" if name == "loss" else "linear")
        ticks = [tick.get_text() for tick in axes.get_yticklabels(which="both")]
        assert any(ticks) and not any(re.search(r"\^|e", tick) for tick in ticks)
