"""CSV tables with errors that name the file, the line and the nearest valid column."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from keraudio.errors import DatasetError
from keraudio.nearest import did_you_mean


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: its number in the file (from 1, the header included) and its stripped values by column."""

    source: Path
    line: int
    values: Mapping[str, str]

    def text(self, column: str) -> str:
        """A value that must not be blank.

        Raises:
            DatasetError: it is blank.
        """
        value = self.values.get(column, "")
        if not value:
            raise self.error(f"column {column!r} must not be blank")
        return value

    def optional_text(self, column: str) -> str | None:
        """A value, or `None` where it is blank or the table has no such column."""
        return self.values.get(column) or None

    def integer(self, column: str) -> int:
        """A value that must be a whole number from 0.

        Raises:
            DatasetError: it is blank or no such number.
        """
        value = self.text(column)
        if not (value.isascii() and value.isdigit()):
            raise self.error(f"column {column!r} must be a whole number from 0. Received: {value!r}")
        return int(value)

    def file(self, column: str) -> Path:
        """A value that must name a file, relative to the table's folder unless absolute.

        Raises:
            DatasetError: it is blank, or no such file exists.
        """
        value = self.text(column)
        path = self.source.parent / value
        if not path.is_file():
            raise self.error(f"column {column!r} must name a file. Received: {value!r}, no file at {path}")
        return path

    def error(self, rule: str) -> DatasetError:
        """The error of this row: "TABLE, line N: rule"."""
        return DatasetError(f"{self.source}, line {self.line}: {rule}")


def read_table(path: Path, *, required: Sequence[str], allowed: Sequence[str] | None = None) -> list[Row]:
    """Reads a comma-separated table with a header.

    UTF-8, with or without a byte order mark. Blank lines are skipped.

    Args:
        path: the table.
        required: columns that must be there.
        allowed: all columns that may be there besides; `None` for any.

    Returns:
        The rows in order, at least one.

    Raises:
        DatasetError: the table cannot be read, lacks a column, has an unknown or repeated one, a row with another
            number of values than the header, or no rows.
    """
    reader = csv.reader(io.StringIO(_read_text(path), newline=""), strict=True)
    rows: list[Row] = []
    header: list[str] | None = None
    start = 1
    try:
        for values in reader:
            # A quoted value may span lines: a row is known by the line it starts on.
            line, start = start, reader.line_num + 1
            if not any(value.strip() for value in values):
                continue
            if header is None:
                header = [value.strip() for value in values]
                _check_header(path, header, required=required, allowed=allowed)
                continue
            if len(values) != len(header):
                raise DatasetError(
                    f"{path}, line {line}: a row must have as many values as the header, {len(header)}. "
                    f"Received: {len(values)}"
                )
            rows.append(Row(path, line, {name: value.strip() for name, value in zip(header, values, strict=True)}))
    except csv.Error as error:
        raise DatasetError(f"{path}, line {reader.line_num}: not a comma-separated table: {error}") from error
    if not rows:
        raise DatasetError(f"{path}: a table must have a header and at least one row. Received: 0 rows")
    return rows


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: a table must be UTF-8 text. Received: byte {error.start} is not") from error
    except OSError as error:
        raise DatasetError(f"{path}: the table cannot be read: {error.strerror or error}") from error


def _check_header(path: Path, header: list[str], *, required: Sequence[str], allowed: Sequence[str] | None) -> None:
    for column in header:
        if header.count(column) > 1:
            raise DatasetError(f"{path}: a column must stand once in the header. Received: {column!r} twice")
    # The unknown column is named before the missing one: a misspelt name is both, and the former says how to mend it.
    if allowed is not None:
        valid = [*required, *(name for name in allowed if name not in required)]
        for column in header:
            if column not in valid:
                raise DatasetError(f"{path}: unknown column. Received: {column!r}. {did_you_mean(column, valid)}")
    for column in required:
        if column not in header:
            raise DatasetError(
                f"{path}: column {column!r} must be there. Received: {', '.join(header)}. "
                f"{did_you_mean(column, header)}"
            )
