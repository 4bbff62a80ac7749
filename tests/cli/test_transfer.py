import json
from pathlib import Path

import pytest
from command_line import Outcome
from tones import write_tones


@pytest.fixture(scope="module")
def transferred(tmp_path_factory: pytest.TempPathFactory, tones: Path, model_file: Path) -> Path:
    """The folder of a finished `keraudio transfer`."""
    from keraudio.cli.main import run

    folder = tmp_path_factory.mktemp("runs") / "moved"
    cache = tmp_path_factory.mktemp("cache")
    arguments = ["--features", model_file, "--data", f"folder:{tones}", "--layers", "mel,-1", "--cache", cache]
    assert run(["transfer", *map(str, arguments), "--out", str(folder)]) == 0
    return folder


def test_the_folder_holds_table_report_and_model(command, transferred: Path, tones: Path) -> None:
    report = json.loads((transferred / "report.json").read_text())
    assert [row["features"] for row in report["rows"]] == ["tones mel", "tones -1", "tones mel, -1"]
    assert report["clip_seconds"] == 0.75 and report["seed"] == 0 and report["failures"] == []
    assert (transferred / "table.md").read_text().count("\n") == 5
    outcome = command("predict", transferred, tones / "high" / "0.wav", "--json")
    assert outcome.code == 0
    assert {item["label"] for item in json.loads(outcome.out)["files"][0]["top"]} == {"high", "low"}


def test_the_model_is_measured_like_any_other(command, transferred: Path, tones: Path, tmp_path: Path) -> None:
    outcome = command(
        "evaluate", transferred / "model.keras", "--data", f"folder:{tones}", "--split", "all", "--cache", tmp_path,
        "--json",
    )  # fmt: skip
    assert outcome.code == 0
    assert json.loads(outcome.out)["metrics"]["accuracy"]["value"] > 0.9


def test_a_folder_with_a_report_is_not_written_over(command, transferred: Path, tones: Path, model_file: Path) -> None:
    before = (transferred / "report.json").read_bytes()
    outcome = command("transfer", "--features", model_file, "--data", f"folder:{tones}", "--out", transferred)
    assert outcome.code == 1 and "needs a folder without a report. Received: " in outcome.message
    assert (transferred / "report.json").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--layers", "conv_9"], 1, "A layer must be one of tones's. Received: 'conv_9'"),
        (["--layers", "-7"], 1, "A level must be one of tones's"),
        (["--classifier", "tree"], 2, "tree"),
        (["--features", "no_such_model"], 1, "A model must be a file"),
        (["--data", "folder:nowhere"], 2, "nowhere"),
    ],
)
def test_what_is_wrong_is_one_line_and_leaves_no_folder(
    command, tones: Path, model_file: Path, tmp_path: Path, options: list[str], code: int, message: str
) -> None:
    settings = {"--features": str(model_file), "--data": f"folder:{tones}", "--cache": str(tmp_path / "cache")}
    settings |= dict(zip(options[::2], options[1::2], strict=True))
    arguments = [part for pair in settings.items() for part in pair]
    outcome: Outcome = command("transfer", *arguments, "--out", tmp_path / "out")
    assert outcome.code == code and message in outcome.message
    assert "Traceback" not in outcome.message and not (tmp_path / "out").exists()


def test_the_classifiers_offered_are_those_there_are() -> None:
    from keraudio.cli.transfer import CLASSIFIERS
    from keraudio.training import CLASSIFIERS as LEARNED

    assert CLASSIFIERS == LEARNED


def test_a_data_set_that_cannot_be_split_is_known_before_the_work(
    command, model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keraudio.training

    monkeypatch.setattr(keraudio.training, "clip_features", lambda *_arguments, **_options: pytest.fail("worked"))
    data = write_tones(tmp_path / "few", clips=1)
    outcome = command(
        "transfer", "--features", model_file, "--data", f"folder:{data}", "--cache", tmp_path, "--out", tmp_path / "out"
    )
    assert outcome.code == 2 and "groups" in outcome.message and not (tmp_path / "out").exists()


def test_a_place_that_cannot_be_written_is_known_before_the_work(
    command, tones: Path, model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keraudio.training

    monkeypatch.setattr(keraudio.training, "clip_features", lambda *_arguments, **_options: pytest.fail("worked"))
    (tmp_path / "file").touch()
    outcome = command(
        "transfer", "--features", model_file, "--data", f"folder:{tones}", "--cache", tmp_path, "--out",
        tmp_path / "file" / "out",
    )  # fmt: skip
    assert outcome.code == 1 and "cannot be made: Not a directory" in outcome.message


def test_options_of_the_data_set_are_taken(command, model_file: Path, tones: Path, tmp_path: Path) -> None:
    outcome = command("transfer", "--features", model_file, "--data", f"folder:{tones}", "--option", "labls=1")
    assert outcome.code == 2 and "labls" in outcome.message


def test_a_clip_that_cannot_be_read_is_named_and_the_rest_is_done(command, model_file: Path, tmp_path: Path) -> None:
    data = write_tones(tmp_path / "tones")
    (data / "high" / "broken.wav").write_bytes(b"RIFF")
    outcome = command(
        "transfer", "--features", model_file, "--data", f"folder:{data}", "--layers", "mel", "--cache",
        tmp_path / "cache", "--out", tmp_path / "out",
    )  # fmt: skip
    assert outcome.code == 3 and "broken.wav" in outcome.message
    assert len(json.loads((tmp_path / "out" / "report.json").read_text())["failures"]) == 1
