"""Learning curves: what training and validation did, epoch by epoch."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from keraudio.errors import KeraudioError
from keraudio.visualize.figure import BLUE, GREY, VERMILION, new_figure, save_figure, scale_by_logarithm

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["read_metrics", "save_learning_curves"]

_RATE_NAMES = ("learning_rate", "lr")
# How long an epoch took says nothing of what was learned.
_NOT_METRICS = ("seconds",)
# Metrics whose name tells that more is better; for others but the loss no epoch is called the best.
_MORE_IS_BETTER = ("accuracy", "auc", "precision", "recall", "f1")
_MARKED_UP_TO = 40


def save_learning_curves(metrics_csv: Path, out: Path, *, title: str | None = None, log_loss: bool = False) -> None:
    """Draws each metric of a run over its epochs, training and validation in one panel.

    The loss comes first, then the other metrics in the order of the file, and last the learning rate if it changes. An
    epoch stands where the file has it: Keras counts from 0. The best epoch on the validation part is marked for the
    loss and for metrics whose name tells that more is better.

    Args:
        metrics_csv: as `keras.callbacks.CSVLogger` writes it: a column `epoch`, and `NAME` and `val_NAME` for each
            metric. See `read_metrics` for what is tolerated.
        out: the file to write: `.png`, `.svg` or `.pdf`.
        title: heading of the figure. Defaults to `None`, no heading.
        log_loss: whether the axis of the loss is logarithmic. Defaults to `False`.

    Raises:
        KeraudioError: the file cannot be read, holds no epoch or no metric, matplotlib is not installed, or the picture
            cannot be written.
    """
    epochs, columns = read_metrics(metrics_csv)
    names = list(dict.fromkeys(name.removeprefix("val_") for name in columns if name not in _NOT_METRICS))
    rates = [name for name in names if name in _RATE_NAMES]
    names = sorted((name for name in names if name not in _RATE_NAMES), key=lambda name: name != "loss")
    names += [name for name in rates if len({rate for rate in columns[name] if math.isfinite(rate)}) > 1]
    if not names:
        raise KeraudioError(f"A metrics file must have a metric beside the epoch. Received: {metrics_csv}")

    across = len(names) if len(names) <= 3 else 2 if len(names) == 4 else 3
    down = math.ceil(len(names) / across)
    figure = new_figure(max(5.0, 4.4 * across), 3.4 * down + (0.3 if title else 0))
    for index, name in enumerate(names):
        axes = figure.add_subplot(down, across, index + 1)
        if name in _RATE_NAMES:
            _draw_panel(axes, epochs, name, [("rate", columns[name], GREY, "-")])
            axes.set_yscale("log" if all(rate > 0 for rate in columns[name] if math.isfinite(rate)) else "linear")
            continue
        curves = [
            (part, columns[column], colour, style)
            for part, column, colour, style in (
                ("train", name, BLUE, "-"),
                ("valid", f"val_{name}", VERMILION, "--"),
            )
            if column in columns
        ]
        _draw_panel(axes, epochs, name, curves)
        if log_loss and name == "loss":
            scale_by_logarithm(axes)
    if title:
        figure.suptitle(title, fontsize=11).set_parse_math(False)
    save_figure(figure, out)


def read_metrics(path: Path) -> tuple[list[int], dict[str, list[float]]]:
    """Reads what `keras.callbacks.CSVLogger` wrote.

    What is not a number ("NA", the missing end of a line that is being written) becomes NaN. A resumed run repeats the
    epochs after its checkpoint, and perhaps the header: the last line of an epoch counts.

    Args:
        path: the CSV file.

    Returns:
        The epochs, ascending, and for each other column its values, in the order of the file's columns; columns without
        any finite value are left out.

    Raises:
        KeraudioError: the file cannot be read, has no column `epoch`, or no epoch.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            fields = [field for field in reader.fieldnames or [] if field != "epoch"]
            if "epoch" not in (reader.fieldnames or []):
                raise KeraudioError(f"A metrics file must have the column epoch. Received: {path}: {fields}")
            rows: dict[int, dict[str, float]] = {}
            for line in reader:
                epoch = _number(line["epoch"])
                if math.isfinite(epoch):
                    rows[int(epoch)] = {field: _number(line[field]) for field in fields}
    except OSError as error:
        raise KeraudioError(f"A metrics file must be readable. Received: {path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise KeraudioError(f"A metrics file must be UTF-8 CSV. Received: {path}: {error}") from error
    if not rows:
        raise KeraudioError(f"A metrics file must hold at least one epoch. Received: {path}")
    epochs = sorted(rows)
    columns = {field: [rows[epoch][field] for epoch in epochs] for field in fields}
    return epochs, {field: values for field, values in columns.items() if any(map(math.isfinite, values))}


def _draw_panel(
    axes: "Axes", epochs: Sequence[int], name: str, curves: Sequence[tuple[str, Sequence[float], str, str]]
) -> None:
    from matplotlib.ticker import MaxNLocator

    for part, values, colour, style in curves:
        label = part
        best = _best_epoch(name, values) if part == "valid" else None
        if best is not None:
            label = f"{part}, best {values[best]:.4g} at {epochs[best]}"
            axes.plot(epochs[best], values[best], "o", ms=9, mfc="none", mec=colour, mew=1.5)
        marker = "." if len(epochs) <= _MARKED_UP_TO else None
        axes.plot(epochs, values, color=colour, linestyle=style, marker=marker, linewidth=1.6, label=label)
    if len(epochs) == 1:
        axes.set_xlim(epochs[0] - 0.5, epochs[0] + 0.5)
        axes.set_xticks(epochs)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
    axes.set_xlabel("epoch")
    axes.set_ylabel(name.replace("_", " ")).set_parse_math(False)
    axes.grid(color="#e0e0e0", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if len(curves) > 1 or curves[0][0] == "valid":
        # Above the panel: noisy curves leave no room inside.
        axes.legend(fontsize=8, frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)


def _best_epoch(name: str, values: Sequence[float]) -> int | None:
    finite = [index for index, value in enumerate(values) if math.isfinite(value)]
    if len(finite) < 2:
        return None
    if name == "loss":
        return min(finite, key=lambda index: values[index])
    if any(word in name.lower() for word in _MORE_IS_BETTER):
        return max(finite, key=lambda index: values[index])
    return None


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan
