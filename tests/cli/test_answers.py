import csv
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keraudio.cli.answers import print_answers
from keraudio.tagging import Prediction

LABELS = ("jazz", "metal", "noise")

# Any name that a file can have: bytes but "/" and NUL, undecodable ones as surrogates.
names = st.binary(min_size=1, max_size=20).map(
    lambda raw: raw.replace(b"/", b"_").replace(b"\0", b"_").decode(errors="surrogateescape")
)


def known(path: str = "song.wav", *, values: tuple[float, ...] = (0.2, 0.7, 0.1), chosen: tuple[str, ...] = ("metal",)):
    return Prediction(Path(path), LABELS, np.float32(values), 3, chosen)


def failed(path: str = "bad.wav", error: str = "bad.wav: is empty (0 bytes)") -> Prediction:
    return Prediction(Path(path), LABELS, error=error)


def printed(capfd: pytest.CaptureFixture[bytes], predictions: list[Prediction], form: str | None, **options) -> str:
    options = {"model": "m", "top_k": 3} | options
    # As `keraudio.cli.main` sets it up.
    sys.stdout.reconfigure(errors="surrogateescape")
    print_answers(predictions, form=form, **options)
    return capfd.readouterr().out.decode(errors="surrogateescape")


def test_people_get_the_answer_its_confidence_and_the_rest(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert printed(capfdbinary, [known()], None) == "song.wav -> metal 70%  (jazz 20%, noise 10%)\n"


def test_people_see_paths_below_the_folder_that_they_gave(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    shown = printed(capfdbinary, [known("/music/a/song.wav"), known("/else/song.wav")], None, root=Path("/music"))
    assert [line.split(" -> ")[0] for line in shown.splitlines()] == ["a/song.wav", "/else/song.wav"]


def test_an_unsure_answer_says_so_and_shows_what_was_likeliest(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert printed(capfdbinary, [known(chosen=())], None, top_k=1) == "song.wav -> unsure  (metal 70%)\n"
    record = json.loads(printed(capfdbinary, [known(chosen=())], "jsonl"))
    assert record["unsure"] and record["labels"] == [] and record["top"][0]["label"] == "metal"
    row = next(csv.DictReader(io.StringIO(printed(capfdbinary, [known(chosen=())], "csv"))))
    assert row["label"] == row["probability"] == "" and row["label_1"] == "metal"


def test_the_confidence_is_that_of_the_chosen_label_not_of_the_likeliest(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    # A label with a low threshold is believed where a likelier one is not.
    prediction = known(values=(0.8, 0.3, 0.0), chosen=("metal",))
    assert printed(capfdbinary, [prediction], None, top_k=2) == "song.wav -> metal 30%  (jazz 80%)\n"
    row = next(csv.DictReader(io.StringIO(printed(capfdbinary, [prediction], "csv"))))
    assert (row["label"], row["probability"]) == ("metal", "0.300000")


def test_several_labels_at_once_are_all_named(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    prediction = known(values=(0.6, 0.9, 0.1), chosen=("metal", "jazz"))
    assert printed(capfdbinary, [prediction], None) == "song.wav -> metal 90%, jazz 60%  (noise 10%)\n"
    assert json.loads(printed(capfdbinary, [prediction], "jsonl"))["labels"] == ["metal", "jazz"]
    assert next(csv.DictReader(io.StringIO(printed(capfdbinary, [prediction], "csv"))))["label"] == "metal|jazz"


def test_a_json_document_holds_every_file(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    document = json.loads(printed(capfdbinary, [known(), failed()], "json", model="mine", top_k=1))
    assert document == {
        "schema": 1,
        "model": "mine",
        "files": [
            {
                "path": "song.wav",
                "labels": ["metal"],
                "unsure": False,
                "top": [{"label": "metal", "probability": 0.7}],
                "windows": 3,
                "error": None,
            },
            {
                "path": "bad.wav",
                "labels": [],
                "unsure": False,
                "top": [],
                "windows": 0,
                "error": "bad.wav: is empty (0 bytes)",
            },
        ],
        "failed": 1,
    }


def test_a_json_document_of_no_files_is_whole(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert json.loads(printed(capfdbinary, [], "json")) == {"schema": 1, "model": "m", "files": [], "failed": 0}


def test_json_lines_come_as_soon_as_each_file_is_known(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    seen = []

    def predictions():
        for number in range(3):
            yield known(f"{number}.wav")
            seen.append(capfdbinary.readouterr().out.count(b"\n"))

    print_answers(predictions(), model="m", form="jsonl", top_k=1)
    assert seen == [1, 1, 1]


@pytest.mark.parametrize("top_k", [1, 3, 7])
def test_every_csv_row_has_every_column(capfdbinary: pytest.CaptureFixture[bytes], top_k: int) -> None:
    rows = list(csv.reader(io.StringIO(printed(capfdbinary, [known(), failed()], "csv", top_k=top_k))))
    assert rows[0][:4] == ["path", "label", "probability", "error"]
    assert [len(row) for row in rows] == [4 + 2 * top_k] * 3
    assert rows[2][:4] == ["bad.wav", "", "", "bad.wav: is empty (0 bytes)"]


@pytest.mark.parametrize("form", [None, "json", "jsonl", "csv"])
def test_the_code_is_3_where_a_file_failed(form: str | None) -> None:
    assert print_answers([known()], model="m", form=form, top_k=1) == 0
    assert print_answers([known(), failed()], model="m", form=form, top_k=1) == 3


def test_people_get_failures_and_their_count_on_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    print_answers([known(), failed()], model="m", form=None, top_k=1)
    out, err = capfd.readouterr()
    assert out == "song.wav -> metal 70%\n"
    assert err == "bad.wav: is empty (0 bytes)\n1 of 2 files could not be read\n"


@pytest.mark.parametrize("form", ["json", "jsonl", "csv"])
def test_programs_get_failures_in_the_data_alone(capfd: pytest.CaptureFixture[str], form: str) -> None:
    print_answers([failed()], model="m", form=form, top_k=1)
    assert capfd.readouterr().err == ""


# The stream is emptied after each example, so one for all of them is enough.
once = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@once
@given(name=names, label=st.text(min_size=1, max_size=8))
def test_programs_get_any_name_back_as_it_is(capfdbinary, name: str, label: str) -> None:
    path = Path(name)
    prediction = Prediction(path, (label,), np.float32([1.0]), 1, (label,))
    document = json.loads(printed(capfdbinary, [prediction], "json"))
    lines = printed(capfdbinary, [prediction], "jsonl").split("\n")
    assert document["files"][0]["path"] == json.loads(lines[0])["path"] == str(path)
    assert lines[1:] == [""]
    assert json.loads(lines[0])["labels"] == [label]


@once
@given(name=names)
def test_csv_gives_the_bytes_of_any_name_back(capfdbinary, name: str) -> None:
    rows = list(csv.reader(io.StringIO(printed(capfdbinary, [known(name), known("next.wav")], "csv"), newline="")))
    assert [row[0] for row in rows] == ["path", str(Path(name)), "next.wav"]


@once
@given(name=names, label=st.text(min_size=1, max_size=8))
def test_people_get_one_line_a_file_whatever_its_name_or_label(capfdbinary, name: str, label: str) -> None:
    shown = printed(capfdbinary, [Prediction(Path(name), (label,), np.float32([1.0]), 1, (label,))], None)
    assert shown.count("\n") == 1 and shown.endswith("\n")
    # Nothing that could steer a terminal.
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in shown[:-1])
