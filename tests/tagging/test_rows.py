import csv
from pathlib import Path

import numpy as np
import pytest

from keraudio import TagError
from keraudio.tagging import Outcome, Prediction, Proposal, write_results

LABELS = ("jazz", "metal")


def outcome(name: str = "a.wav", error: str | None = None) -> Outcome:
    prediction = Prediction(Path(name), LABELS, np.float32([0.2, 0.75]), 3, ("metal",))
    return Outcome(
        Proposal(Path(name), "change", ("Pop",), ("metal", "R|B"), None, prediction), error is None, None, error
    )


def read(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
        return list(csv.DictReader(lines))


def test_a_table_of_results_has_a_row_a_song_whatever_its_name(tmp_path: Path) -> None:
    names = ["a.wav", '\udcff,"x"\r\n.wav']
    write_results(tmp_path / "r.csv", [outcome(name) for name in names], top_k=3)
    rows = read(tmp_path / "r.csv")
    assert [row["path"] for row in rows] == names
    row = rows[0]
    assert (row["label"], row["probability"], row["label_2"], row["label_3"]) == ("metal", "0.750000", "jazz", "")
    assert (row["state"], row["current"], row["new"], row["written"]) == ("change", "Pop", "metal|R|B", "true")


def test_a_song_that_failed_says_why(tmp_path: Path) -> None:
    write_results(tmp_path / "r.csv", [outcome(error="a.wav: is read-only")])
    (row,) = read(tmp_path / "r.csv")
    assert (row["state"], row["error"], row["written"]) == ("failed", "a.wav: is read-only", "false")


def test_a_table_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(TagError, match="cannot be written: no such file"):
        write_results(tmp_path / "nowhere" / "r.csv", [outcome()])
