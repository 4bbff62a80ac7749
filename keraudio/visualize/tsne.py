"""Clips as points in a plane, near where a level of a network hears them alike."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keraudio.errors import KeraudioError
from keraudio.visualize.figure import PALETTE, new_figure, save_figure

# Of more labels than colours.
_SHAPES = ("o", "s", "^", "D", "v", "P", "X")


def embed_plane(features: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Embeds features `(clips, features)` in a plane, `(clips, 2)`, by t-SNE as scikit-learn does by default.

    Perplexity is 30, or less where there are few clips; it starts from the principal components.

    Raises:
        KeraudioError: there are fewer than 4 clips.
    """
    if len(features) < 4:
        raise KeraudioError(f"t-SNE needs at least 4 clips. Received: {len(features)}")
    from sklearn.manifold import TSNE
    from sklearn.preprocessing import StandardScaler

    perplexity = min(30.0, (len(features) - 1) / 3)
    plane = TSNE(perplexity=perplexity, init="pca", random_state=seed)
    return np.asarray(plane.fit_transform(StandardScaler().fit_transform(features)))


def save_tsne_figure(planes: Sequence[tuple[str, np.ndarray]], labels: Sequence[str], out: Path, *, title: str) -> None:
    """Draws one panel a level.

    Args:
        planes: name and points `(clips, 2)` of each level.
        labels: of the clips.
        out: a `.png`, `.svg` or `.pdf` file.
        title: above the picture.

    Raises:
        KeraudioError: matplotlib is not installed, or the file cannot be written.
    """
    figure = new_figure(4.2 * len(planes) + 1.2, 4.4)
    axes_of = figure.subplots(1, len(planes), squeeze=False)[0]
    names = sorted(set(labels))
    of_clip = np.array(labels)
    for axes, (level, points) in zip(axes_of, planes, strict=True):
        for number, name in enumerate(names):
            mine = points[of_clip == name]
            shape = _SHAPES[number // len(PALETTE) % len(_SHAPES)]
            colour = PALETTE[number % len(PALETTE)]
            axes.scatter(mine[:, 0], mine[:, 1], s=14, marker=shape, color=colour, label=name, linewidths=0)
        axes.set_title(level, fontsize=10)
        axes.set_xticks([])
        axes.set_yticks([])
    axes_of[-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False)
    figure.suptitle(title)
    save_figure(figure, out)
