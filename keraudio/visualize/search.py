"""What a search has tried: how it went, which settings matter, and where the good ones lie."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keraudio.visualize.figure import BLUE, GREY, VERMILION, add_grid, count_along_x, new_figure, save_figure


def save_search_history(
    trials: Sequence[tuple[int, float, bool]], out: Path, *, title: str, metric: str, maximized: bool
) -> None:
    """Draws the value of each trial in the order in which they began, and the best complete one so far.

    Args:
        trials: number, value, and whether it is complete and not pruned.
        out: a `.png`, `.svg` or `.pdf` file.
        title: above the picture.
        metric: what the values are.
        maximized: more is better.

    Raises:
        KeraudioError: matplotlib is not installed, or the file cannot be written.
    """
    figure = new_figure(7, 4)
    axes = figure.subplots()
    for complete, marker, colour, name in ((True, "o", BLUE, "complete"), (False, "x", GREY, "pruned")):
        shown = [(number, value) for number, value, ended in trials if ended is complete]
        if shown:
            axes.plot(*zip(*shown, strict=True), marker, color=colour, label=name)
    whole = sorted((number, value) for number, value, complete in trials if complete)
    if whole:
        numbers, values = zip(*whole, strict=True)
        best = np.maximum.accumulate(values) if maximized else np.minimum.accumulate(values)
        axes.step(numbers, best, where="post", color=VERMILION, label="best so far")
    axes.set_xlabel("trial")
    axes.set_ylabel(metric).set_parse_math(False)
    count_along_x(axes)
    _finish(axes)
    axes.legend(frameon=False)
    figure.suptitle(title, fontsize=11).set_parse_math(False)
    save_figure(figure, out)


def save_importances(importances: Mapping[str, float], out: Path, *, title: str, metric: str) -> None:
    """Draws each parameter's share in how the metric varies, the greatest on top.

    Args:
        importances: by parameter.
        out: a `.png`, `.svg` or `.pdf` file.
        title: above the picture.
        metric: what varies.

    Raises:
        KeraudioError: matplotlib is not installed, or the file cannot be written.
    """
    ordered = sorted(importances.items(), key=lambda pair: pair[1])
    names, shares = zip(*ordered, strict=True)
    figure = new_figure(6, 1.4 + 0.35 * len(ordered))
    axes = figure.subplots()
    bars = axes.barh(names, shares, color=BLUE)
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.set_xlabel(f"importance for {metric} (fANOVA)").set_parse_math(False)
    axes.set_xlim(0, max(shares) * 1.15)
    _finish(axes)
    figure.suptitle(title, fontsize=11).set_parse_math(False)
    save_figure(figure, out)


def save_parallel_coordinates(
    trials: Sequence[tuple[Mapping[str, Any], float]],
    out: Path,
    *,
    title: str,
    metric: str,
    maximized: bool,
    logarithmic: Sequence[str] = (),
    choices: Mapping[str, Sequence[Any]] | None = None,
) -> None:
    """Draws a line a trial through its parameters, coloured by its value; the best lie on top.

    Args:
        trials: parameters and value.
        out: a `.png`, `.svg` or `.pdf` file.
        title: above the picture.
        metric: what the values are.
        maximized: more is better.
        logarithmic: parameters whose axis is.
        choices: by parameter, its values from the bottom up, tried or not. Other parameters are numbers.

    Raises:
        KeraudioError: matplotlib is not installed, or the file cannot be written.
    """
    choices = choices or {}
    names = list(dict.fromkeys(name for parameters, _ in trials for name in parameters))
    figure = new_figure(1.5 + 1.7 * len(names), 4.2)
    axes = figure.subplots()
    columns, labels = [], []
    for name in names:
        tried = [parameters.get(name) for parameters, _ in trials]
        heights, ends = _steps(tried, choices[name]) if name in choices else _heights(tried, name in logarithmic)
        columns.append(heights)
        labels.append(ends)
    values = np.array([value for _, value in trials])
    low, high = values.min(), values.max()
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    shades = ScalarMappable(Normalize(low, high if high > low else low + 1), "viridis" if maximized else "viridis_r")
    for number in np.argsort(values if maximized else -values):
        points = [column[number] for column in columns]
        axes.plot(range(len(names)), points, color=shades.to_rgba(values[number]), linewidth=1.4, alpha=0.8)
    for place, ends in enumerate(labels):
        axes.axvline(place, color=GREY, linewidth=0.8)
        for height, text in ends:
            axes.annotate(
                text, (place, height), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8
            ).set_parse_math(False)
    axes.set_xticks(range(len(names)), names)
    for tick in axes.get_xticklabels():
        tick.set_parse_math(False)
    axes.set_yticks([])
    axes.set_xlim(-0.2, len(names) - 0.4)
    axes.set_ylim(-0.05, 1.05)
    for side in ("top", "right", "bottom", "left"):
        axes.spines[side].set_visible(False)
    figure.colorbar(shades, ax=axes, label=metric)
    figure.suptitle(title, fontsize=11).set_parse_math(False)
    save_figure(figure, out)


def _heights(values: Sequence[float | None], logarithmic: bool) -> tuple[np.ndarray, list[tuple[float, str]]]:
    """Places of numbers on an axis from 0 to 1, and what is written beside it."""
    numbers = np.array([np.nan if value is None else value for value in values], float)
    scaled = np.log(numbers) if logarithmic else numbers
    low, high = np.nanmin(scaled), np.nanmax(scaled)
    heights = (scaled - low) / (high - low) if high > low else np.where(np.isnan(scaled), np.nan, 0.5)
    ends = [(0.0, f"{np.nanmin(numbers):.3g}"), (1.0, f"{np.nanmax(numbers):.3g}")]
    return heights, ends if high > low else [(0.5, ends[0][1])]


def _steps(values: Sequence[Any], choices: Sequence[Any]) -> tuple[np.ndarray, list[tuple[float, str]]]:
    """The same of choices, which are as far from each other."""
    places = np.linspace(0, 1, len(choices)) if len(choices) > 1 else np.array([0.5])
    heights = [np.nan if value is None else places[list(choices).index(value)] for value in values]
    return np.array(heights), [(float(place), str(one)) for place, one in zip(places, choices, strict=True)]


def _finish(axes: Any) -> None:
    add_grid(axes)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
