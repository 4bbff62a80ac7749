"""A run that was killed and goes on ends as the unbroken one.

Tolerance: on one machine all three backends come to the same bits. Asserted is a relative 1e-5 of every figure, because
threads may sum float32 in another order from run to run; drawing other crops, masks, units or mixtures changes the loss
in its first digits.
"""

import csv
import shutil
import signal
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from tones import run_python, tone_batches, tone_classifier, tone_clips

import keraudio
from keraudio.errors import KeraudioError
from keraudio.training import Fitted, TrainingSettings, fit

TOLERANCE = 1e-5
# Everything that is random is on, the rate depends on the step, and the optimizer has moments.
SETTINGS: dict[str, Any] = {
    "epochs": 4,
    "batch_size": 4,
    "learning_rate": 0.01,
    "warmup_epochs": 1.5,
    "label_smoothing": 0.1,
    "clip_norm": 1.0,
    "mixup": {"alpha": 0.4, "probability": 0.8},
}
SEED = 7


def run(folder: Path, clips: Any, *, resume: bool = False, progress: Callable[[dict], None] | None = None) -> Fitted:
    folder.mkdir(exist_ok=True)
    keras.utils.set_random_seed(SEED)
    classifier = tone_classifier(dropout=0.3, augmented=True)
    settings = TrainingSettings(**SETTINGS)
    batches = tone_batches(clips, seed=SEED)
    return fit(classifier, *batches, settings, folder=folder, resume=resume, progress=progress)


def table(folder: Path) -> list[dict[str, float]]:
    with open(folder / "metrics.csv", newline="") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    for row in rows:
        del row["seconds"]
    return rows


def assert_same_run(folder: Path, unbroken: Path) -> None:
    mine, theirs = table(folder), table(unbroken)
    assert len(mine) == len(theirs)
    for row, expected in zip(mine, theirs, strict=True):
        assert row == pytest.approx(expected, rel=TOLERANCE)
    weights = [keraudio.load(each / "model.keras").get_weights() for each in (folder, unbroken)]
    for value, truth in zip(*weights, strict=True):
        np.testing.assert_allclose(value, truth, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """The folder of a run from beginning to end, and its clips."""
    folder = tmp_path_factory.mktemp("unbroken")
    clips = tone_clips(folder)
    run(folder / "run", clips)
    return folder / "run", clips


KILLED = """
import os, signal, sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from tones import tone_clips

spec = spec_from_file_location("resume", sys.argv[1])
module = module_from_spec(spec)
spec.loader.exec_module(module)
epochs = 0

def kill(event):
    global epochs
    epochs += event["event"] == "epoch"
    if epochs == 2 and event == {"event": "step", "step": 2}:
        os.kill(os.getpid(), signal.SIGKILL)

module.run(Path(sys.argv[2]), tone_clips(Path(sys.argv[3])), progress=kill)
"""


@pytest.mark.backends
def test_a_run_killed_within_an_epoch_ends_as_the_unbroken_one(
    tmp_path: Path, unbroken: tuple[Path, Any], backend: str
) -> None:
    killed = run_python(KILLED, __file__, tmp_path / "run", tmp_path, backend=backend)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(table(tmp_path / "run")) == 2
    keraudio.load(tmp_path / "run" / "model.keras")
    started: list[dict[str, Any]] = []
    fitted = run(tmp_path / "run", unbroken[1], resume=True, progress=started.append)
    assert started[0] == {"event": "start", "epoch": 2, "epochs": 4, "steps": 3}
    assert len(fitted.history) == 4
    assert_same_run(tmp_path / "run", unbroken[0])


@pytest.mark.parametrize("lost", ["metrics.csv", "state.npz"])
def test_a_run_broken_off_between_two_files_ends_as_the_unbroken_one(
    tmp_path: Path, unbroken: tuple[Path, Any], lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stop(Exception):
        pass

    writes = []
    writer = {"metrics.csv": "_write_metrics", "state.npz": "save_run_state"}[lost]
    module = import_module(fit.__module__)
    original = getattr(module, writer)

    def stop_at_the_third(*arguments: Any) -> None:
        writes.append(arguments)
        if len(writes) == 3:
            raise Stop
        original(*arguments)

    with monkeypatch.context() as patch, pytest.raises(Stop):
        patch.setattr(module, writer, stop_at_the_third)
        run(tmp_path / "run", unbroken[1])
    run(tmp_path / "run", unbroken[1], resume=True)
    assert_same_run(tmp_path / "run", unbroken[0])


def test_a_finished_run_is_left_as_it_is(tmp_path: Path, unbroken: tuple[Path, Any]) -> None:
    folder = shutil.copytree(unbroken[0], tmp_path / "run")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    fitted = run(folder, unbroken[1], resume=True)
    assert len(fitted.history) == 4
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_without_a_checkpoint_there_is_nothing_to_resume(tmp_path: Path, unbroken: tuple[Path, Any]) -> None:
    with pytest.raises(KeraudioError, match="there is no checkpoint to resume from"):
        run(tmp_path, unbroken[1], resume=True)
