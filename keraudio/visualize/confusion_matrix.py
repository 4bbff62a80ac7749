"""A confusion matrix as a picture: which labels are taken for which."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from keraudio.errors import KeraudioError
from keraudio.evaluation.label_text import shorten
from keraudio.visualize.figure import new_figure, save_figure

__all__ = ["save_confusion_matrix"]

_LABEL_WIDTH = 28
# Above this many labels zeros only clutter, and the remaining counts stand out without them.
_ZEROS_UP_TO = 10


def save_confusion_matrix(
    matrix: npt.ArrayLike,
    labels: list[str] | tuple[str, ...],
    out: Path,
    *,
    title: str | None = None,
) -> None:
    """Draws a confusion matrix, readable for 2 to 50 labels.

    A cell's colour is its share of the row, so rare labels are as visible as frequent ones; its number is the count of
    clips. Rows carry their number of clips; a label that no clip carries has a grey row.

    Args:
        matrix: counts `(labels, labels)`, rows actual, columns predicted.
        labels: their names; the middle of long ones is left out.
        out: the file to write: `.png`, `.svg` or `.pdf`.
        title: the first line of the title. Defaults to `None`: accuracy and number of clips alone.

    Raises:
        ValueError: the matrix is not square, holds something other than counts, or does not fit the labels.
        KeraudioError: the matrix has no labels, matplotlib is not installed, or the file cannot be written.
    """
    counts = _check_counts(matrix, labels)
    size = len(labels)
    cell = min(0.8, max(0.27, 3.6 / size))
    font = 9 if size <= 20 else 7
    names = [shorten(str(label), _LABEL_WIDTH) for label in labels]
    margin = 0.9 + max(map(len, names)) * font * 0.62 / 72
    figure = new_figure(max(4.6, size * cell + margin + 1.0), max(3.8, size * cell + margin + 0.6))
    # After `new_figure`, which says how to install matplotlib.
    from matplotlib.colors import PowerNorm

    axes = figure.add_subplot()

    support = counts.sum(axis=1)
    shares = np.full(counts.shape, np.nan)
    np.divide(counts, support[:, None], out=shares, where=support[:, None] > 0)
    axes.set_facecolor("#d9d9d9")
    # On a linear scale a confusion of 5 in 100 looks like none; its root is visible, and the bar shows the scale.
    image = axes.imshow(np.ma.masked_invalid(shares), cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=1))
    for row in range(size):
        for column in range(size):
            count = int(counts[row, column])
            if count or size <= _ZEROS_UP_TO:
                number = axes.text(
                    column,
                    row,
                    str(count),
                    ha="center",
                    va="center",
                    # Five digits still fit the smallest cell.
                    fontsize=min(font, cell * 72 / (0.75 * max(2, len(str(count))))),
                    color="white" if shares[row, column] > 0.3 else "black",
                )
                # It lies within its cell, and measuring 2,500 of them takes seconds.
                number.set_in_layout(False)

    axes.set_xticks(range(size), names, rotation=90 if size > 5 else 30, fontsize=font)
    if size <= 5:
        for tick in axes.get_xticklabels():
            tick.set(ha="right", rotation_mode="anchor")
    axes.set_yticks(range(size), [f"{name}  ({int(n)})" for name, n in zip(names, support, strict=True)], fontsize=font)
    for tick in [*axes.get_xticklabels(), *axes.get_yticklabels()]:
        # A label such as "$A$AP" is a name, not a formula.
        tick.set_parse_math(False)
    axes.set_xticks(np.arange(size + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(size + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=0.6)
    axes.tick_params(which="minor", length=0)
    axes.tick_params(which="major", length=2)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("actual (number of clips)")
    total = int(counts.sum())
    accuracy = f"accuracy {np.trace(counts) / total:.3f} (n = {total:,})" if total else "no clips"
    heading = axes.set_title(f"{title}\n{accuracy}" if title else accuracy, fontsize=11)
    heading.set_parse_math(False)
    side = size * cell
    height = min(1.0, 4 / side)
    bar = figure.colorbar(image, cax=axes.inset_axes((1 + 0.15 / side, 1 - height, 0.15 / side, height)))
    bar.set_ticks([0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1])
    bar.ax.tick_params(labelsize=8)
    bar.set_label("share of the actual label's clips", fontsize=9)
    bar.outline.set_visible(False)
    save_figure(figure, out)


def _check_counts(matrix: npt.ArrayLike, labels: list[str] | tuple[str, ...]) -> npt.NDArray[np.float64]:
    counts = np.asarray(matrix, dtype=np.float64)
    if not len(labels):
        raise KeraudioError("A confusion matrix must have at least one label. Received: labels=[]")
    if counts.shape != (len(labels), len(labels)):
        raise ValueError(f"`matrix` must be (labels, labels). Received: shape={counts.shape} for {len(labels)} labels")
    if not (np.isfinite(counts).all() and (counts >= 0).all() and (counts == np.round(counts)).all()):
        raise ValueError("`matrix` must hold counts, whole numbers from 0 up. Received: something else")
    return counts
