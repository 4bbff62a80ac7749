import json
from collections.abc import Callable
from pathlib import Path

from command_line import Outcome
from tones import LABELS, SAMPLE_RATE, WINDOW

from keraudio.saved_models import DEFAULT_MODEL, saved_models

Command = Callable[..., Outcome]


def test_the_list_has_every_saved_model_and_marks_the_default(command: Command) -> None:
    outcome = command("models")
    assert (outcome.code, outcome.err) == (0, b"")
    heads = [line for line in outcome.lines if not line.startswith(" ")]
    assert [line.split(":")[0] for line in heads] == list(saved_models())
    assert [line.split(":")[0] for line in heads if "default of `keraudio tag`" in line] == [DEFAULT_MODEL]


def test_the_list_as_json_says_what_each_file_says_of_itself(command: Command) -> None:
    document = json.loads(command("models", "--json").out)
    assert document["schema"] == 1
    assert [model["name"] for model in document["models"]] == list(saved_models())
    for model in document["models"]:
        assert model["bytes"] == saved_models()[model["name"]].stat().st_size
        assert model["labels"] and model["sample_rate"] > 0 and model["window"] > 0


def test_a_name_prints_the_models_card(command: Command) -> None:
    outcome = command("models", DEFAULT_MODEL)
    assert outcome.code == 0
    assert outcome.out == saved_models()[DEFAULT_MODEL].with_suffix(".md").read_bytes()


def test_a_file_without_a_card_prints_its_description(command: Command, model_file: Path) -> None:
    outcome = command("models", model_file)
    assert outcome.code == 0
    lines = dict(line.split(": ", 1) for line in outcome.lines)
    assert lines["labels"] == str(list(LABELS))
    assert (lines["sample_rate"], lines["window"]) == (str(SAMPLE_RATE), str(WINDOW))


def test_a_file_as_json(command: Command, model_file: Path) -> None:
    document = json.loads(command("models", model_file, "--json").out)
    assert (document["schema"], document["file"]) == (1, str(model_file))
    assert document["description"]["labels"] == list(LABELS)
    assert document["description"]["thresholds"] is None


def test_a_card_that_is_no_text_is_no_reason_to_fail(command: Command, model_file: Path, tmp_path: Path) -> None:
    (tmp_path / "copy.keras").write_bytes(model_file.read_bytes())
    (tmp_path / "copy.md").write_bytes(b"\xff card")
    assert command("models", tmp_path / "copy.keras").out == "\N{REPLACEMENT CHARACTER} card".encode()
