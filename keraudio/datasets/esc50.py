"""ESC-50: 2,000 environmental sounds of 5 s, 50 classes, 5 folds (Piczak 2015), and its subset ESC-10."""

from pathlib import Path

from keraudio.datasets.manifest import Clip, Manifest
from keraudio.datasets.table import Row, read_table
from keraudio.errors import DatasetError
from keraudio.nearest import did_you_mean

_SUBSETS = ("esc50", "esc10")
_COLUMNS = ("filename", "fold", "target", "category", "esc10", "src_file")
# The release's stem is FOLD-SRC-TAKE-TARGET; copies in other formats keep it.
_SUFFIXES = (".wav", ".ogg", ".flac", ".mp3")


def load_esc50(path: Path | str, *, subset: str = "esc50") -> Manifest:
    """ESC-50 as released, or re-encoded: `esc50.csv` (or `meta/esc50.csv`) beside `audio/`.

    The table's file names may end otherwise than the files: `1-100032-A-0.wav` is found as `1-100032-A-0.ogg`.
    The fold is the published one and the group is the source recording. The published folds divide four source
    recordings (131943, 134049, 209698 and 234879: nine clips, under two labels each); see `divided_groups` of
    `keraudio.datasets.assign_splits` for what that does to splits.

    Args:
        path: the data set's folder.
        subset: `"esc50"`, or `"esc10"` for the 400 clips of 10 classes. Defaults to `"esc50"`.

    Returns:
        A single-label manifest with labels in the order of the targets (for ESC-10, of ESC-50's targets).

    Raises:
        DatasetError: no table, a bad row, a target with two categories, or a file that is missing.
    """
    if subset not in _SUBSETS:
        raise DatasetError(
            f"`subset` must be one of {', '.join(_SUBSETS)}. Received: subset={subset!r}. "
            f"{did_you_mean(str(subset), _SUBSETS)}"
        )
    root = Path(path)
    table = next((table for table in (root / "esc50.csv", root / "meta" / "esc50.csv") if table.is_file()), None)
    if table is None:
        raise DatasetError(f"{root}: ESC-50 must hold esc50.csv or meta/esc50.csv. Received: neither")
    rows = read_table(table, required=_COLUMNS)
    categories = _categories(rows)
    if subset == "esc10":
        rows = [row for row in rows if _is_esc10(row)]
        if not rows:
            raise DatasetError(f"{table}: ESC-10 needs rows with esc10=True. Received: none")
    used = {row.integer("target") for row in rows}
    clips = []
    for row in rows:
        file = _audio_file(root / "audio", row)
        label = row.text("category")
        clips.append(Clip(file, (label,), file.stem, fold=row.integer("fold"), group=row.text("src_file")))
    labels = tuple(category for target, category in sorted(categories.items()) if target in used)
    return Manifest(subset, tuple(clips), labels, multi_label=False)


def _categories(rows: list[Row]) -> dict[int, str]:
    categories: dict[int, str] = {}
    for row in rows:
        target, category = row.integer("target"), row.text("category")
        if categories.setdefault(target, category) != category:
            raise row.error(
                f"a target must have one category. Received: {target} is {categories[target]!r}, {category!r}"
            )
    return categories


def _is_esc10(row: Row) -> bool:
    value = row.text("esc10").lower()
    if value not in ("true", "false"):
        raise row.error(f"column 'esc10' must be True or False. Received: {value!r}")
    return value == "true"


def _audio_file(folder: Path, row: Row) -> Path:
    named = folder / row.text("filename")
    for candidate in (named, *(named.with_suffix(suffix) for suffix in _SUFFIXES)):
        if candidate.is_file():
            return candidate
    raise row.error(f"column 'filename' must name a file in {folder}. Received: {named.name!r}, which is missing")
