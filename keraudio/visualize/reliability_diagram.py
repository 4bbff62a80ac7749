"""A reliability diagram: how often labels hold that were given with some confidence."""

from collections.abc import Mapping
from pathlib import Path

from keraudio.evaluation import Reliability
from keraudio.visualize.figure import BLUE, GREY, VERMILION, new_figure, save_figure

__all__ = ["save_reliability_diagram"]


def save_reliability_diagram(curves: Mapping[str, Reliability], out: Path, *, title: str | None = None) -> None:
    """Draws one or two reliability curves over their counts; on the diagonal, confidences mean what they say.

    Args:
        curves: by name, at most two.
        out: the file to write: `.png`, `.svg` or `.pdf`.
        title: above the picture. Defaults to None.

    Raises:
        ValueError: there is no curve, or there are more than two.
        KeraudioError: matplotlib is not installed, or the file cannot be written.
    """
    if not 1 <= len(curves) <= 2:
        raise ValueError(f"`curves` must be one or two. Received: {len(curves)}")
    figure = new_figure(5.5, 5.5)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="as confident as right")
    for (name, curve), color, side in zip(curves.items(), (BLUE, VERMILION), (-0.5, 0.5), strict=False):
        full = curve.counts > 0
        label = f"{name} (error {curve.error:.3f})"
        above.plot(curve.confidences[full], curve.shares[full], marker="o", color=color, label=label)
        width = (curve.edges[1] - curve.edges[0]) * 0.8 / len(curves)
        middles = (curve.edges[:-1] + curve.edges[1:]) / 2 + (side * width if len(curves) > 1 else 0)
        below.bar(middles, curve.counts, width, color=color)
    above.set(ylabel="share that holds", xlim=(0, 1), ylim=(-0.02, 1.02))
    above.legend(loc="lower right", frameon=False)
    above.grid(color=GREY, alpha=0.2)
    below.set(xlabel="confidence", ylabel="labels", yscale="log")
    if title:
        above.set_title(title)
    save_figure(figure, out)
