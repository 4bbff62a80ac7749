import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import ENTRY, Outcome, write_broken_songs
from tones import write_tones

import keraudio

Command = Callable[..., Outcome]


@pytest.mark.parametrize(
    ("changes", "phrase"),
    [
        (["trainng.epochs=3"], "unknown key `trainng`. Did you mean 'training'?"),
        (["training.epoch=3"], "unknown key `training.epoch`. Did you mean 'epochs'?"),
        (["front_end.n_mel=3"], "unknown key `front_end.n_mel`. Did you mean 'n_mels'?"),
        (["front_end.name=logmel"], "Did you mean 'log_mel'?"),
        (["augmentation.gian.min_db=-6"], "Did you mean 'gain'?"),
        (["training.epochs=0"], "`training.epochs`"),
        (["training.epochs=many"], "`training.epochs`"),
        (["training.epochs"], "must be given as key=value"),
        (["=3"], "must be given as key=value"),
        (["training..epochs=3"], "must be given as key=value"),
        (["name.x=3"], "`name` is no section"),
        (["training.optimizer=adamm"], "`training.optimizer`"),
    ],
)
def test_a_wrong_change_is_refused_by_its_key(
    command: Command, recipe_file: Path, tones: Path, tmp_path: Path, changes: list[str], phrase: str
) -> None:
    flags = [part for change in changes for part in ("--set", change)]
    outcome = command("fit", recipe_file, "--data", f"folder:{tones}", "--out", tmp_path / "run", *flags)
    assert (outcome.code, outcome.out) == (2, b"")
    assert phrase in outcome.message and "\n" not in outcome.message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "content", "phrase"),
    [
        ("missing.toml", None, "no such file"),
        ("broken.toml", b"[data", "not valid TOML"),
        ("binary.toml", b"\xff\xfe\x00", "UTF-8"),
        ("empty.toml", b"", "`name` is required"),
        ("future.toml", b"schema = 2\nname = 'x'\nfront_end.name = 'log_mel'\nbackbone.name = 'resnet'", "`schema`"),
        ("folder.toml/x", b"", "is a directory"),
    ],
)
def test_a_wrong_recipe_file_is_refused(
    command: Command, tones: Path, tmp_path: Path, name: str, content: bytes | None, phrase: str
) -> None:
    if content is not None:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    path = tmp_path / name.split("/")[0]
    outcome = command("fit", path, "--data", f"folder:{tones}", "--out", tmp_path / "run")
    assert (outcome.code, outcome.out) == (2, b"")
    assert outcome.message.startswith(f"keraudio: {path}: ")
    assert phrase.lower() in outcome.message.lower() and "\n" not in outcome.message
    assert not (tmp_path / "run").exists()


def test_an_unknown_recipe_names_the_nearest(command: Command, tones: Path) -> None:
    outcome = command("fit", "folder_basline", "--data", f"folder:{tones}")
    assert outcome.code == 2
    assert outcome.message.endswith("Received: 'folder_basline'. Did you mean 'folder_baseline'?")


@pytest.mark.parametrize(
    ("data", "phrase"),
    [
        ("tones", "must be given as KIND:PATH"),
        ("foldr:tones", "Did you mean 'folder'?"),
        ("folder:nowhere", "The path of a data set must exist. Received: nowhere"),
    ],
)
def test_a_wrong_data_set_is_refused_and_leaves_no_run_folder(
    command: Command, recipe_file: Path, tmp_path: Path, data: str, phrase: str
) -> None:
    # A folder left behind would refuse the second, right try as "holds a run".
    outcome = command("fit", recipe_file, "--data", data, "--out", tmp_path / "run")
    assert (outcome.code, outcome.out) == (2, b"")
    assert phrase in outcome.message and "\n" not in outcome.message
    assert not (tmp_path / "run").exists()


def test_clips_of_which_none_decodes_leave_no_run_folder(command: Command, recipe_file: Path, tmp_path: Path) -> None:
    for label in ("a", "b"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(4):
            (tmp_path / "data" / label / f"{number}.wav").write_bytes(bytes([number]))
    outcome = command("fit", recipe_file, "--data", f"folder:{tmp_path / 'data'}", "--out", tmp_path / "run")
    assert outcome.code == 2 and "must have clips that decode" in outcome.message
    assert not (tmp_path / "run").exists()


def test_options_that_do_not_fit_together_leave_no_run_folder(
    command: Command, recipe_file: Path, tones: Path, tmp_path: Path
) -> None:
    flags = ["--out", tmp_path / "run", "--set", "front_end.hop_length=0"]
    outcome = command("fit", recipe_file, "--data", f"folder:{tones}", *flags)
    assert outcome.code == 2 and "hop_length" in outcome.message and "\n" not in outcome.message
    assert not (tmp_path / "run").exists()


def test_resume_needs_the_folder(command: Command, recipe_file: Path, tones: Path) -> None:
    outcome = command("fit", recipe_file, "--data", f"folder:{tones}", "--resume")
    assert outcome.code == 2 and "--resume needs --out" in outcome.message


def test_resume_needs_a_run(command: Command, recipe_file: Path, tones: Path, tmp_path: Path) -> None:
    outcome = command("fit", recipe_file, "--data", f"folder:{tones}", "--resume", "--out", tmp_path / "run")
    assert (outcome.code, outcome.message) == (1, f"keraudio: {tmp_path / 'run'}: there is no run to resume")


def test_out_must_be_a_folder(command: Command, recipe_file: Path, tones: Path) -> None:
    outcome = command("fit", recipe_file, "--data", f"folder:{tones}", "--out", recipe_file)
    assert outcome.code == 2 and "'--out'" in outcome.message


def test_a_used_folder_is_refused_and_stays_as_it_was(
    command: Command, recipe_file: Path, tones: Path, trained_run: Path
) -> None:
    before = {path.name: path.read_bytes() for path in trained_run.iterdir()}
    for flags, phrase in (
        ([], "A new run needs an empty folder, or --resume"),
        (["--resume", "--seed", "1"], "goes on only with its own recipe, data and seed"),
        (["--resume", "--set", "training.epochs=3"], "goes on only with its own recipe, data and seed"),
    ):
        outcome = command("fit", recipe_file, "--data", f"folder:{tones}", "--out", trained_run, *flags)
        assert (outcome.code, outcome.out) == (1, b"")
        assert phrase in outcome.message and "\n" not in outcome.message
    assert {path.name: path.read_bytes() for path in trained_run.iterdir()} == before


def test_resuming_a_finished_run_prints_its_report_again(
    command: Command, recipe_file: Path, tones: Path, trained_run: Path
) -> None:
    model = (trained_run / "model.keras").read_bytes()
    outcome = command("fit", recipe_file, "--data", f"folder:{tones}", "--out", trained_run, "--resume")
    assert outcome.code == 0
    assert outcome.lines[0].startswith("test clips, best epoch ") and outcome.lines[0].endswith(" of 2")
    assert outcome.lines[-1] == f"Run folder: {trained_run}"
    assert outcome.message.splitlines() == ["evaluating the valid clips", "evaluating the test clips"]
    assert (trained_run / "model.keras").read_bytes() == model


def test_broken_clips_are_left_out_and_the_rest_is_trained(
    command: Command, recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_tones(tmp_path / "data", clips=6)
    reasons = write_broken_songs(data / "low")
    monkeypatch.chdir(tmp_path)
    changes = ["--set", "training.epochs=1", "--set", "training.crops_per_clip=1"]
    outcome = command("fit", recipe_file, "--data", "folder:data", *changes)
    assert outcome.code == 3
    left_out = [line for line in outcome.message.splitlines() if line.startswith("left out: ")]
    assert len(left_out) == len(reasons)
    # Without --out the folder is named after recipe and time, below the working folder.
    (run,) = (tmp_path / "runs").iterdir()
    assert run.name.startswith("tiny-") and outcome.lines[-1] == f"Run folder: runs/{run.name}"
    report = json.loads((run / "report.json").read_text())
    assert {failure["id"] for failure in report["failures"]} == {f"low/{name}" for name in reasons}
    # Progress without a terminal is a line an epoch, on standard error; and nothing is drawn over.
    assert sum(line.startswith("epoch 1/1: loss ") for line in outcome.message.splitlines()) == 1
    assert "\r" not in outcome.message and "\x1b" not in outcome.message


def test_an_interrupted_run_keeps_what_is_finished_and_resume_ends_it(
    command: Command, recipe_file: Path, tones: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    # Ten more epochs of some tenths of a second: long enough to be interrupted, short enough to be finished.
    changes = ["--set", "training.epochs=12", "--set", "training.crops_per_clip=4"]
    arguments = ["fit", recipe_file, "--data", f"folder:{tones}", "--out", run, "--cache", tmp_path / "cache", *changes]
    environment = {"PYTHONPATH": str(Path(keraudio.__file__).parents[1])} | os.environ
    child = subprocess.Popen(
        [sys.executable, "-c", ENTRY, *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    for line in child.stderr:
        if line.startswith("epoch 2/12"):
            break
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=120)
    assert child.returncode == 130
    assert out == ""
    assert err.splitlines()[-1] == "keraudio: interrupted; everything finished so far is kept"
    assert "Traceback" not in err

    assert (run / "state.npz").is_file()
    assert keraudio.load(run / "model.keras").output_shape == (None, 2)
    rows = (run / "metrics.csv").read_text().splitlines()
    assert 3 <= len(rows) < 13
    assert not (run / "report.json").exists()

    outcome = command(*arguments, "--resume")
    assert outcome.code == 0, outcome.message
    finished = (run / "metrics.csv").read_text().splitlines()
    assert len(finished) == 13 and finished[: len(rows)] == rows
    assert outcome.message.startswith(f"epoch {len(rows)}/12: ")
    assert json.loads((run / "report.json").read_text())["epochs"] == 12
