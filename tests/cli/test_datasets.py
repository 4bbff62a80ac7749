import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import Outcome, snapshot, write_broken_songs
from tones import write_tones

from keraudio.datasets import DATASET_KINDS

Command = Callable[..., Outcome]


def test_the_list_has_a_line_a_kind_with_its_options(command: Command) -> None:
    outcome = command("datasets")
    assert (outcome.code, outcome.err) == (0, b"")
    assert [line.split()[0] for line in outcome.lines] == list(DATASET_KINDS)
    assert any(line.startswith("esc50") and line.endswith("(subset='esc50')") for line in outcome.lines)


def test_the_list_as_json(command: Command) -> None:
    document = json.loads(command("datasets", "--json").out)
    assert document["schema"] == 1
    assert [kind["name"] for kind in document["kinds"]] == list(DATASET_KINDS)
    assert all(kind["summary"] and isinstance(kind["options"], dict) for kind in document["kinds"])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_tones(tmp_path / "data", clips=2)


def test_verify_of_good_clips_counts_them(command: Command, data: Path) -> None:
    before = snapshot(data)
    outcome = command("datasets", "verify", f"folder:{data}")
    assert (outcome.code, outcome.err) == (0, b"")
    assert outcome.lines == ["4 clips, 0 cannot be decoded; 0.00 hours of sound"]
    assert snapshot(data) == before


def test_verify_names_what_is_broken_silent_or_there_twice(command: Command, data: Path) -> None:
    reasons = write_broken_songs(data / "low")
    soundfile.write(data / "high" / "silent.wav", np.zeros(4000), 4000)
    shutil.copy(data / "high" / "0.wav", data / "high" / "copy.wav")
    outcome = command("datasets", "verify", f"folder:{data}")
    assert outcome.code == 3
    broken = [line for line in outcome.lines if line.startswith(str(data))]
    assert [Path(line.split(": ")[0]).name for line in broken] == sorted(reasons)
    rest = [line for line in outcome.lines if line not in broken]
    assert rest[0] == "silent: high/silent.wav"
    assert rest[1] == "same bytes: high/copy.wav and high/0.wav"
    assert rest[2].startswith(f"{6 + len(reasons)} clips, {len(reasons)} cannot be decoded; ")

    outcome = command("datasets", "verify", f"folder:{data}", "--json")
    assert outcome.code == 3 and outcome.message == ""
    document = json.loads(outcome.out)
    assert document["schema"] == 1 and document["name"] == "data"
    assert document["clips"] == 6 + len(reasons)
    # Four tones and a copy of 0.75 s, one second of silence.
    assert document["seconds"] == pytest.approx(5 * 0.75 + 1)
    assert {entry["id"]: entry["reason"] for entry in document["failures"]}.keys() == {
        f"low/{name}" for name in reasons
    }
    assert document["silent"] == ["high/silent.wav"]
    assert document["duplicates"] == [["high/copy.wav", "high/0.wav"]]


def test_verify_prints_one_line_a_clip_whatever_its_name(command: Command, data: Path) -> None:
    (data / "low" / "line\nbreak\x1b[31m.wav").touch()
    outcome = command("datasets", "verify", f"folder:{data}")
    assert outcome.code == 3 and len(outcome.lines) == 2
    assert b"\x1b" not in outcome.out


@pytest.mark.parametrize(
    ("arguments", "phrase"),
    [
        (["tones"], "must be given as KIND:PATH"),
        (["foldr:x"], "Did you mean 'folder'?"),
        (["folder:nowhere"], "The path of a data set must exist"),
        (["folder:DATA", "--option", "x=1"], "Unknown option of kind 'folder'. Received: x"),
        (["csv:DATA", "--option", "lables=a"], "Did you mean 'labels'?"),
        (["folder:DATA", "--option", "x"], "must be given as key=value"),
        (["esc50:DATA"], "esc50.csv"),
        (["folder:DATA/low"], "at least two sub-folders with audio are needed"),
    ],
)
def test_verify_refuses_what_is_wrong_in_one_line(
    command: Command, data: Path, arguments: list[str], phrase: str
) -> None:
    outcome = command("datasets", "verify", *(argument.replace("DATA", str(data)) for argument in arguments))
    assert (outcome.code, outcome.out) == (2, b"")
    assert phrase in outcome.message and "\n" not in outcome.message
