"""A study's table as a picture: each row's figure with its interval, and the paper's beside it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from keraudio.visualize.figure import (
    BLUE,
    GREY,
    PALETTE,
    VERMILION,
    add_grid,
    count_along_x,
    new_figure,
    save_figure,
    scale_by_logarithm,
)


def save_study_figure(
    labels: Sequence[str],
    figures: Sequence[tuple[float, float, float]],
    published: Mapping[str, Sequence[float | None]],
    out: Path,
    *,
    title: str,
    figure_name: str,
    note: str = "",
) -> None:
    """Draws the rows from top to bottom.

    Args:
        labels: of the rows.
        figures: mean, lower and upper end of each row's interval.
        published: by what the paper measured, its figure of each row, or None; each has a panel of its own.
        out: a `.png`, `.svg` or `.pdf` file.
        title: above the picture.
        figure_name: what is measured here.
        note: in a line below the title, such as how small the budget was.

    Raises:
        KeraudioError: matplotlib is not installed, or the file cannot be written.
    """
    published = {name: values for name, values in published.items() if any(value is not None for value in values)}
    panels = 1 + len(published)
    figure = new_figure(4.5 + 3.5 * min(panels, 2) + 2 * max(panels - 2, 0), 1.6 + 0.3 * len(labels))
    axes = figure.subplots(1, panels, sharey=True, squeeze=False)[0]
    places = range(len(labels))
    means, lows, highs = zip(*figures, strict=True)
    errors = [[mean - low for mean, low in zip(means, lows, strict=True)]]
    errors.append([high - mean for mean, high in zip(means, highs, strict=True)])
    axes[0].errorbar(means, places, xerr=errors, fmt="o", color=BLUE, ecolor=GREY, capsize=3)
    axes[0].set_xlabel(f"{figure_name}, 95 % interval")
    axes[0].set_yticks(list(places), labels)
    axes[0].set_ylim(len(labels) - 0.5, -0.5)
    for axis, (name, values) in zip(axes[1:], published.items(), strict=True):
        shown = [(value, place) for value, place in zip(values, places, strict=True) if value is not None]
        axis.plot(*zip(*shown, strict=True), "s", color=VERMILION)
        axis.set_xlabel(f"published: {name}")
    for axis in axes:
        # More of them run into each other.
        axis.locator_params(axis="x", nbins=6)
        axis.grid(axis="x", color="0.9")
        axis.set_axisbelow(True)
    figure.suptitle(f"{title}\n{note}" if note else title, fontsize=11)
    save_figure(figure, out)


def save_study_curves(
    panels: Mapping[str, Mapping[str, Sequence[tuple[float, float, float]]]],
    out: Path,
    *,
    title: str,
    logarithmic: Sequence[str] = (),
    note: str = "",
) -> None:
    """Draws how each row learned: the mean over its runs after each epoch, and the range between the runs.

    Args:
        panels: by what is measured; in each the rows, in the order of the legend: mean, least and greatest value after
            each epoch, or nothing where it was not measured.
        out: a `.png`, `.svg` or `.pdf` file.
        title: above the picture.
        logarithmic: panels whose axis is.
        note: in a line below the title.

    Raises:
        KeraudioError: matplotlib is not installed, or the file cannot be written.
    """
    rows = max(len(curves) for curves in panels.values())
    figure = new_figure(2 + 6 * len(panels), 4.5 + 0.22 * rows)
    drawn = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (name, curves) in zip(drawn, panels.items(), strict=True):
        for number, (label, values) in enumerate(curves.items()):
            if not values:
                continue
            means, lows, highs = zip(*values, strict=True)
            # The first epoch is 1, as in the progress and in the report's counts.
            epochs = range(1, len(means) + 1)
            colour, style = PALETTE[number % len(PALETTE)], ("-", "--", ":")[number // len(PALETTE) % 3]
            axes.plot(epochs, means, style, color=colour, marker="." if len(means) == 1 else None, label=label)
            axes.fill_between(epochs, lows, highs, color=colour, alpha=0.12, linewidth=0)
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
        count_along_x(axes)
        if name in logarithmic:
            scale_by_logarithm(axes)
        add_grid(axes)
    # Below the panels: labels are whole phrases, and would leave them no room beside.
    figure.legend(*drawn[0].get_legend_handles_labels(), frameon=False, loc="outside lower center")
    figure.suptitle(f"{title}\n{note}" if note else title, fontsize=11)
    save_figure(figure, out)
