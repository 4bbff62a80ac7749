"""What tagging would write: a proposal a song, and the plan, a table of them that people may edit."""

import contextlib
import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from keraudio.audio.sound import readable
from keraudio.errors import TagError
from keraudio.tagging.payload import open_regular
from keraudio.whole_file import whole_file

# Late, so that a plan is read without waiting for NumPy.
if TYPE_CHECKING:
    from keraudio.tagging.predict import Prediction

EXISTING = ("keep", "append", "replace")
SEPARATOR = "|"
_COLUMNS = ("path", "state", "current", "new", "confidence", "move_to", "sha256")


@dataclass(frozen=True)
class Proposal:
    """What would become of one song.

    Attributes:
        path: of the song.
        state: `"change"`, `"same"` (it has what would be written), `"keep"` (it has a genre, which stays), `"unsure"`,
            `"untaggable"` (it can be heard, but its tags cannot be read) or `"failed"`.
        current: genres in its tags; None where they are not known.
        new: genres that it would have then.
        move_to: where it would go, or None.
        prediction: from which that follows; None where it comes from a plan's file.
        error: why nothing can be done, or None.
        digest: of the file that the plan was written for; None where it comes from a prediction.
    """

    path: Path
    state: str
    current: tuple[str, ...] | None = None
    new: tuple[str, ...] = ()
    move_to: Path | None = None
    prediction: "Prediction | None" = None
    error: str | None = None
    digest: str | None = field(default=None, compare=False)

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return self.state == "change" or self.move_to is not None


def propose(prediction: "Prediction", *, existing: str = "keep", most: int = 3) -> Proposal:
    """What a prediction means for a song's genre.

    Args:
        prediction: with the song's tags.
        existing: `"keep"`: a song that has a genre keeps it alone; `"append"`: new genres come behind it; `"replace"`:
            they take its place. Defaults to `"keep"`.
        most: genres at most that are new. Defaults to 3.

    Raises:
        ValueError: `existing` is unknown or `most` below 1.
    """
    if existing not in EXISTING:
        raise ValueError(f"`existing` must be one of {', '.join(EXISTING)}. Received: existing={existing!r}")
    if most < 1:
        raise ValueError(f"`most` must be at least 1. Received: most={most}")
    path = prediction.path
    current = None if prediction.tags is None else prediction.tags.genres
    if prediction.error is not None:
        return Proposal(path, "failed", current, (), None, prediction, prediction.error)
    heard = prediction.chosen[:most]
    old = current or ()
    if prediction.tag_error is not None:
        return Proposal(path, "untaggable", None, heard, None, prediction)
    if not heard:
        return Proposal(path, "unsure", current, old, None, prediction)
    if old and existing == "keep":
        return Proposal(path, "keep", current, old, None, prediction)
    new = without_doubles((*old, *heard) if existing == "append" else heard)
    return Proposal(path, "same" if new == old else "change", current, new, None, prediction)


def without_doubles(genres: Iterable[str]) -> tuple[str, ...]:
    """Genres in their order, each once whatever its case."""
    found: dict[str, str] = {}
    for genre in genres:
        found.setdefault(genre.casefold(), genre)
    return tuple(found.values())


def write_plan(file: Path, proposals: Iterable[Proposal]) -> None:
    r"""Writes a plan as CSV in UTF-8, a row a song, whole or not at all.

    People may edit `new`, genres with `|` between (one of a genre's own is written `\|`), and `move_to`; a row without
    either changes nothing.
    Names that are not UTF-8 are written as the file system has them.

    Args:
        file: the plan.
        proposals: of songs; those that failed stand in it too, with nothing to do.

    Raises:
        TagError: it cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for one in proposals:
        confidence = None if one.prediction is None else one.prediction.confidence
        writer.writerow(
            [
                str(one.path.absolute()),
                one.state,
                _joined(one.current or ()),
                _joined(one.new) if one.state == "change" else "",
                "" if confidence is None else f"{confidence:.4f}",
                "" if one.move_to is None else str(one.move_to),
                "" if one.state == "failed" else _digest_if_there(one.path),
            ]
        )
    try:
        with whole_file(file) as temporary:
            # A mark of UTF-8, without which spreadsheets take it for something older.
            temporary.write_bytes(b"\xef\xbb\xbf" + text.getvalue().encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise TagError(f"{readable(file)}: cannot be written: {(error.strerror or str(error)).lower()}") from error


def _joined(genres: Iterable[str]) -> str:
    return SEPARATOR.join(genre.replace(SEPARATOR, f"\\{SEPARATOR}") for genre in genres)


def _parted(cell: str) -> list[str]:
    """Genres of a cell; a `|` of their own has a backslash before it."""
    return [part.replace(f"\\{SEPARATOR}", SEPARATOR) for part in re.split(rf"(?<!\\)\{SEPARATOR}", cell)]


def _digest_if_there(path: Path) -> str:
    # A song that has gone since it was heard stops no other; its row says so when it is applied.
    with contextlib.suppress(TagError):
        return file_digest(path)
    return ""


def read_plan(file: Path) -> list[Proposal]:
    """Reads a plan, also as a spreadsheet has saved it: with `;` or tabs, and without quotes.

    Returns:
        One proposal a row that has something to do, in order. A song that has changed since the plan was written has
        an `error` and does not stop the others.

    Raises:
        TagError: the file cannot be read or is no plan.
    """
    rows = _rows(file)
    try:
        return list(_proposals(rows, file))
    except csv.Error as error:
        raise TagError(f"{readable(file)}: a plan must be CSV: {error}") from error


def _rows(file: Path) -> "csv.DictReader[str]":
    try:
        text = file.read_bytes().decode("utf-8-sig", "surrogateescape")
    except OSError as error:
        raise TagError(f"{readable(file)}: cannot be read: {(error.strerror or str(error)).lower()}") from error
    head = text.split("\n", 1)[0]
    try:
        rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), strict=True)
        missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
    except csv.Error as error:
        raise TagError(f"{readable(file)}: a plan must be CSV: {error}") from error
    if missing:
        columns = ", ".join(_COLUMNS)
        raise TagError(f"{readable(file)}: a plan must have the columns {columns}. Missing: {missing[0]}")
    return rows


def _proposals(rows: "csv.DictReader[str]", file: Path) -> Iterator[Proposal]:
    for row in rows:
        if any(row[name] is None for name in _COLUMNS):
            raise TagError(f"{readable(file)}: line {rows.line_num}: a row must have {len(_COLUMNS)} cells")
        new = without_doubles(name.strip() for name in _parted(row["new"]) if name.strip())
        current = tuple(name for name in _parted(row["current"]) if name)
        if not new and not row["move_to"]:
            continue
        if not row["path"] or "\0" in row["path"] + row["move_to"]:
            raise TagError(f"{readable(file)}: line {rows.line_num}: a row must have a path")
        path = Path(row["path"])
        move_to = Path(row["move_to"]) if row["move_to"] else None
        state = "change" if new and new != current else "same"
        try:
            error = None
            if file_digest(path) != row["sha256"]:
                error = f"{readable(path)}: has changed since the plan was written"
        except TagError as problem:
            error = str(problem)
        yield Proposal(path, "failed" if error else state, current, new or current, move_to, None, error, row["sha256"])


def file_digest(path: Path) -> str:
    """SHA-256 of a whole file.

    Raises:
        TagError: it cannot be read.
    """
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise TagError(f"{readable(path)}: {(error.strerror or str(error)).lower()}") from error


def check_plan(file: Path) -> None:
    """Raises `TagError` unless a plan can be written to a file: its folder is there, and it is new or a plan itself."""
    if file.is_dir() or not file.absolute().parent.is_dir():
        raise TagError(f"{readable(file)}: cannot be written: {'is a folder' if file.is_dir() else 'no such folder'}")
    if file.exists():
        try:
            _rows(file)
        except TagError:
            raise TagError(f"A plan must not replace another file. Received: {readable(file)}") from None
