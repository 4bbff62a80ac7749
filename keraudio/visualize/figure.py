"""Figures without a screen: matplotlib's object interface on the Agg canvas, written whole or not at all."""

from pathlib import Path
from typing import TYPE_CHECKING

from keraudio.errors import KeraudioError
from keraudio.whole_file import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["BLUE", "GREY", "PALETTE", "VERMILION", "add_grid", "count_along_x", "new_figure", "save_figure"]

# Two colours that people with any colour blindness tell apart.
# Source: M. Okabe and K. Ito, "Color universal design" (2002).
BLUE = "#0072B2"
VERMILION = "#D55E00"
GREY = "#595959"
# All of theirs that stand out on white.
PALETTE = (BLUE, VERMILION, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

_SUFFIXES = (".png", ".svg", ".pdf")
_DPI = 120


def new_figure(width: float, height: float) -> "Figure":
    """Makes an empty figure on a canvas of its own, apart from pyplot and whatever the caller draws there.

    Args:
        width: in inches, at 120 dots each.
        height: in inches.

    Returns:
        A `matplotlib.figure.Figure` that lays its axes out without overlaps.

    Raises:
        KeraudioError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise KeraudioError("Plots need matplotlib: pip install 'keraudio[plots]'") from error
    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def add_grid(axes: "Axes") -> None:
    """Light lines behind what is drawn."""
    axes.grid(color="0.9")
    axes.set_axisbelow(True)


def scale_by_logarithm(axes: "Axes") -> None:
    """Gives the y axis a logarithmic scale whose ticks read 0.1 and 3, not 1e-01 and 3 x 10^0."""
    from matplotlib.ticker import LogFormatter

    class Plain(LogFormatter):
        def __call__(self, x: float, pos: int | None = None) -> str:
            return f"{x:g}" if super().__call__(x, pos) else ""

    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(Plain())
    axes.yaxis.set_minor_formatter(Plain(minor_thresholds=(1.5, 0.5)))


def count_along_x(axes: "Axes") -> None:
    """Whole numbers alone along the horizontal axis, as of epochs."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def save_figure(figure: "Figure", out: Path) -> None:
    """Writes a figure atomically: a reader finds the old file or the new one, never half of one.

    Args:
        figure: from `new_figure`.
        out: a `.png`, `.svg` or `.pdf` file; its folder is made if it does not exist.

    Raises:
        KeraudioError: another suffix, or the file cannot be written.
    """
    out = Path(out)
    if out.suffix.lower() not in _SUFFIXES:
        raise KeraudioError(f"A plot must end in {', '.join(_SUFFIXES)}. Received: {out}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(out) as part:
            figure.savefig(part, format=out.suffix.lower()[1:], dpi=_DPI, bbox_inches="tight", pad_inches=0.1)
    except OSError as error:
        raise KeraudioError(f"A plot cannot be written. Received: {out}: {error.strerror or error}") from error
