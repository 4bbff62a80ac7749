from pathlib import Path

import pytest

from keraudio.datasets.table import read_table
from keraudio.errors import DatasetError


def test_quoted_values_and_blank_lines_keep_line_numbers_right(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text('id,text\n\n"a","two\nlines"\nb, plain \n')
    rows = read_table(table, required=("id",))
    assert [(row.line, row.text("id"), row.text("text")) for row in rows] == [(3, "a", "two\nlines"), (5, "b", "plain")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Received: 0 rows"),
        (b"id,fold\n", "Received: 0 rows"),
        (b"id,fold\na\n", "line 2.*header, 2. Received: 1"),
        (b"id,fold,id\n", "'id' twice"),
        (b"fold\n1\n", "column 'id' must be there"),
        (b"id\n\xff\n", "UTF-8.*byte 3"),
        (b'id,fold\n"a,1\n', "not a comma-separated table"),
    ],
)
def test_broken_tables_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    table = tmp_path / "t.csv"
    table.write_bytes(content)
    with pytest.raises(DatasetError, match=message) as caught:
        read_table(table, required=("id",))
    assert str(table) in str(caught.value)


@pytest.mark.parametrize("value", ["-1", "1.5", "one", "\u00b2"])
def test_what_is_no_whole_number_is_refused_with_its_line(tmp_path: Path, value: str) -> None:
    table = tmp_path / "t.csv"
    table.write_text(f"id\n{value}\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="line 2: column 'id' must be a whole number"):
        read_table(table, required=("id",))[0].integer("id")


def test_a_table_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        read_table(tmp_path / "none.csv", required=("id",))
