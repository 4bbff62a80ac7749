"""openmusic: 30 s excerpts of openly licensed songs in five genres, split by artist."""

from pathlib import Path

from keraudio.datasets.manifest import SPLITS, Clip, Manifest
from keraudio.datasets.table import read_table
from keraudio.nearest import did_you_mean


def load_openmusic(path: Path | str) -> Manifest:
    """The openmusic folder: `manifest.csv` with its own splits, and the audio it names.

    Few artists a label, and nobody listened when labels were given: good for comparing things with each other on
    equal terms, not for claims about music at large.

    Args:
        path: the data set's folder.

    Returns:
        A single-label manifest with sorted labels, the group (artist) and the split of each clip.

    Raises:
        DatasetError: no table, a bad row, a file that is missing, or an artist in two splits.
    """
    rows = read_table(Path(path) / "manifest.csv", required=("id", "file", "label", "group", "split"))
    clips = []
    for row in rows:
        split = row.text("split")
        if split not in SPLITS:
            raise row.error(
                f"column 'split' must be one of {', '.join(SPLITS)}. Received: {split!r}. {did_you_mean(split, SPLITS)}"
            )
        clips.append(Clip(row.file("file"), (row.text("label"),), row.text("id"), split=split, group=row.text("group")))
    labels = tuple(sorted({clip.labels[0] for clip in clips}))
    return Manifest("openmusic", tuple(clips), labels, multi_label=False)
