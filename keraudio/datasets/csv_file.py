"""A CSV table of clips: paths with a label or several, and optionally split, fold, group and id."""

import re
from collections.abc import Sequence
from pathlib import Path

from keraudio.datasets.manifest import SPLITS, Clip, Manifest
from keraudio.datasets.table import Row, read_table
from keraudio.errors import DatasetError
from keraudio.nearest import did_you_mean

_OPTIONAL = ("label", "labels", "split", "fold", "group", "id")


def load_csv(path: Path | str, *, labels: Sequence[str] | None = None) -> Manifest:
    """A CSV table with the columns path, label (or labels) and optionally split, fold, group, id.

    Paths are relative to the table's folder unless absolute. With the column `label` a clip has exactly one label;
    with `labels` it has any number, separated by "|" or ";". UTF-8, with or without a byte order mark.

    Args:
        path: the table.
        labels: the vocabulary in its order; every label of the table must be in it. Defaults to the table's labels in
            sorted order.

    Returns:
        A manifest, multi-label when the column is `labels`. The id of a clip defaults to its path as written.

    Raises:
        DatasetError: an unknown, repeated or missing column (with the nearest valid name), a bad row (with its line
            number), or what a manifest refuses.
    """
    table = Path(path)
    rows = read_table(table, required=("path",), allowed=_OPTIONAL)
    columns = rows[0].values
    if ("label" in columns) == ("labels" in columns):
        raise DatasetError(
            f"{table}: exactly one of the columns 'label' and 'labels' must be there. Received: {', '.join(columns)}"
        )
    multi_label = "labels" in columns
    seen: dict[str, int] = {}
    clips = []
    for row in rows:
        clip = _clip(row, multi_label=multi_label)
        if clip.id in seen:
            raise row.error(
                f"a clip's id (by default its path) must be unique. Received: {clip.id!r}, also on line {seen[clip.id]}"
            )
        seen[clip.id] = row.line
        for label in clip.labels:
            if labels is not None and label not in labels:
                raise row.error(f"label must be in `labels`. Received: {label!r}. {did_you_mean(label, labels)}")
        clips.append(clip)
    vocabulary = sorted({label for clip in clips for label in clip.labels}) if labels is None else labels
    return Manifest(table.stem, tuple(clips), tuple(vocabulary), multi_label=multi_label)


def _clip(row: Row, *, multi_label: bool) -> Clip:
    split = row.optional_text("split")
    if split is not None and split not in SPLITS:
        raise row.error(
            f"column 'split' must be one of {', '.join(SPLITS)}, or blank. Received: {split!r}. "
            f"{did_you_mean(split, SPLITS)}"
        )
    return Clip(
        path=row.file("path"),
        labels=_labels(row) if multi_label else (row.text("label"),),
        id=row.optional_text("id") or row.text("path"),
        split=split,
        fold=None if row.optional_text("fold") is None else row.integer("fold"),
        group=row.optional_text("group"),
    )


def _labels(row: Row) -> tuple[str, ...]:
    labels = tuple(label.strip() for label in re.split(r"[|;]", row.values["labels"]) if label.strip())
    if len(set(labels)) != len(labels):
        raise row.error(f"a clip must carry a label once. Received: {row.values['labels']!r}")
    return labels
