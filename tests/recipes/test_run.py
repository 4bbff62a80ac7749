import csv
import json
import math
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from tones import LABELS, SAMPLE_RATE, run_python, write_tones

import keraudio
from keraudio.errors import DatasetError, KeraudioError, RecipeError
from keraudio.recipes import Recipe, Run, check_recipe, dump_recipe, load_recipe, run_recipe

TINY: dict[str, Any] = {
    "name": "tiny",
    "data": {"split": "random", "fractions": [0.5, 0.25, 0.25]},
    "audio": {"sample_rate": SAMPLE_RATE, "window": 0.5, "hop": 0.2},
    "front_end": {"name": "log_mel", "n_fft": 256, "hop_length": 128, "n_mels": 16},
    "backbone": {"name": "residual_cnn", "filters": [4]},
    "training": {"epochs": 2, "batch_size": 4, "learning_rate": 0.01, "mixup": {"alpha": 0.2}},
}
SEED = 3


def recipe(**sections: Any) -> Recipe:
    return check_recipe(TINY | sections, source="tiny")


@dataclass
class Finished:
    run: Run
    sound: Path
    data: str
    cache: Path
    events: list[dict[str, Any]]

    def facts(self, name: str) -> dict[str, Any]:
        return dict(json.loads((self.run.folder / name).read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A whole run on eight tones of each label and one file that is no sound."""
    folder = tmp_path_factory.mktemp("run")
    sound = write_tones(folder / "sound")
    (sound / "low" / "broken.wav").write_text("no sound")
    events: list[dict[str, Any]] = []
    data = f"folder:{sound}"
    run = run_recipe(
        recipe(), data, folder=folder / "a" / "run", seed=SEED, cache_folder=folder / "cache", progress=events.append
    )
    return Finished(run, sound, data, folder / "cache", events)


@pytest.mark.backends
def test_a_run_from_files_to_its_report(finished: Finished, backend: str) -> None:
    folder = finished.run.folder
    names = ["metrics.csv", "model.keras", "recipe.toml", "report.json", "run.json", "state.npz"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert load_recipe(folder / "recipe.toml") == recipe()

    began = finished.facts("run.json")
    assert (began["schema"], began["data"], began["seed"], began["backend"]) == (1, finished.data, SEED, backend)
    assert {"python", "keras", "numpy", "keraudio"} <= set(began["versions"])

    report = finished.facts("report.json")
    assert (report["schema"], report["recipe"], report["epochs"]) == (1, "tiny", 2)
    assert sum(report["clips"].values()) == 16 and min(report["clips"].values()) > 0
    assert [failure["id"] for failure in report["failures"]] == ["low/broken.wav"]
    assert set(report["reports"]) == {"valid", "test"} == set(finished.run.reports)
    with open(folder / "metrics.csv", newline="") as file:
        losses = [float(row["val_loss"]) for row in csv.DictReader(file)]
    assert report["best_epoch"] == finished.run.fitted.best_epoch == int(np.argmin(losses))


@pytest.mark.backends
def test_the_figures_of_the_report_follow_from_the_files_and_the_model(finished: Finished) -> None:
    model = keraudio.load(finished.run.folder / "model.keras")
    report = finished.facts("report.json")
    assert report["parameters"] == sum(math.prod(weight.shape) for weight in model.get_weights())
    for split in ("valid", "test"):
        part = report["reports"][split]
        assert part["n"] == report["clips"][split] == len(part["clips"])
        right, surprise = 0, 0.0
        for clip in part["clips"]:
            sound, rate = soundfile.read(finished.sound / clip["id"])
            assert rate == SAMPLE_RATE
            # 16 bits of the cache; windows of 0.5 s each 0.2 s, while they fit into 0.75 s.
            stored = np.rint(sound * 32767) / 32767
            windows = np.stack([stored[start : start + 2000] for start in (0, 800)]).astype("float32")
            scores = np.asarray(model.predict_on_batch(windows), "float64").mean(axis=0)
            actual = LABELS.index(clip["id"].split("/")[0])
            assert clip["actual"] == LABELS[actual]
            assert clip["predicted"] == LABELS[scores.argmax()]
            # float32 of a network in batches of another size.
            assert clip["score"] == pytest.approx(scores.max(), abs=1e-5)
            right += int(scores.argmax() == actual)
            surprise -= math.log(scores[actual])
        assert part["metrics"]["accuracy"]["value"] == pytest.approx(right / part["n"])
        assert part["metrics"]["log_loss"]["value"] == pytest.approx(surprise / part["n"], abs=1e-4)
        confusion = np.array(part["confusion"])
        assert confusion.trace() == right and confusion.sum() == part["n"]


def test_progress_tells_of_decoding_bad_clips_training_and_evaluation(finished: Finished) -> None:
    events = finished.events
    decoded = [event for event in events if event["event"] == "decode"]
    assert [event["done"] for event in decoded] == list(range(1, 18)) and decoded[0]["total"] == 17
    bad = [event for event in events if event["event"] == "bad_clip"]
    assert [event["id"] for event in bad] == ["low/broken.wav"] and "broken.wav: " in bad[0]["reason"]
    order = list(dict.fromkeys(event["event"] for event in events))
    assert order == ["decode", "bad_clip", "start", "step", "epoch", "evaluate"]
    assert [event["split"] for event in events if event["event"] == "evaluate"] == ["valid", "test"]


@pytest.mark.backends
def test_the_same_seed_gives_the_same_run_and_another_seed_another(finished: Finished, tmp_path: Path) -> None:
    losses = {}
    for seed in (SEED, SEED + 1):
        again = run_recipe(recipe(), finished.data, folder=tmp_path / str(seed), seed=seed, cache_folder=finished.cache)
        losses[seed] = [row["loss"] for row in again.fitted.history]
    truth = [row["loss"] for row in finished.run.fitted.history]
    # As for resumed runs: see tests/training/test_resume.py.
    assert losses[SEED] == pytest.approx(truth, rel=1e-5)
    assert losses[SEED + 1] != pytest.approx(truth, rel=1e-3)


def test_a_folder_that_holds_a_run_is_refused_and_left_as_it_is(finished: Finished) -> None:
    folder = finished.run.folder
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(KeraudioError, match="needs an empty folder, or --resume"):
        run_recipe(recipe(), finished.data, folder=folder, seed=SEED, cache_folder=finished.cache)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("other", ["recipe", "data", "seed"])
def test_a_run_goes_on_only_as_it_began(finished: Finished, tmp_path: Path, other: str) -> None:
    arguments: dict[str, Any] = {"recipe": recipe(), "data": finished.data, "seed": SEED}
    arguments |= {other: {"recipe": recipe(head={"dropout": 0.1}), "data": f"folder:{tmp_path}", "seed": 4}[other]}
    with pytest.raises(KeraudioError, match="goes on only with its own recipe, data and seed"):
        run_recipe(**arguments, folder=finished.run.folder, resume=True, cache_folder=finished.cache)


def test_there_must_be_a_run_to_resume(finished: Finished, tmp_path: Path) -> None:
    with pytest.raises(KeraudioError, match="there is no run to resume"):
        run_recipe(recipe(), finished.data, folder=tmp_path / "new", resume=True, cache_folder=finished.cache)
    assert not (tmp_path / "new").exists()


def test_a_finished_run_that_is_resumed_trains_no_more(finished: Finished) -> None:
    seconds = finished.facts("report.json")["seconds_training"]
    assert seconds == pytest.approx(sum(row["seconds"] for row in finished.run.fitted.history), abs=0.06)
    model = (finished.run.folder / "model.keras").read_bytes()
    events: list[dict[str, Any]] = []
    again = run_recipe(
        recipe(),
        finished.data,
        folder=finished.run.folder,
        seed=SEED,
        resume=True,
        cache_folder=finished.cache,
        progress=events.append,
    )
    assert not [event for event in events if event["event"] == "step"]
    assert (finished.run.folder / "model.keras").read_bytes() == model
    assert again.reports == finished.run.reports
    assert finished.facts("report.json")["seconds_training"] == seconds > 0


@pytest.mark.parametrize(
    ("sections", "data", "error"),
    [
        ({}, "folder:{tmp}/missing", DatasetError),
        ({"data": {"split": "folds", "train_folds": [1], "valid_folds": [2]}}, "{data}", DatasetError),
        ({"data": {"split": "random", "fractions": [0.5, 0.0, 0.5]}}, "{data}", DatasetError),
        ({"data": {"options": {"subset": "esc10"}}}, "{data}", DatasetError),
        ({"front_end": {"name": "log_mel", "n_fft": 0}}, "{data}", RecipeError),
    ],
    ids=["no data", "no folds", "no validation", "no such option", "out of range"],
)
def test_a_run_that_cannot_begin_leaves_no_folder(
    finished: Finished, tmp_path: Path, sections: dict[str, Any], data: str, error: type[KeraudioError]
) -> None:
    spec = data.format(tmp=tmp_path, data=finished.data)
    with pytest.raises(error):
        run_recipe(recipe(**sections), spec, folder=tmp_path / "run", cache_folder=finished.cache)
    assert not (tmp_path / "run").exists()


def test_without_validation_clips_the_last_epoch_is_kept(finished: Finished, tmp_path: Path) -> None:
    sections = {"data": {"split": "random", "fractions": [0.5, 0.0, 0.5]}, "training": {"epochs": 2, "keep": "last"}}
    run = run_recipe(recipe(**sections), finished.data, folder=tmp_path / "run", cache_folder=finished.cache)
    assert run.fitted.best_epoch == 1 and list(run.reports) == ["test"]


def test_only_the_splits_that_are_asked_for_are_evaluated(finished: Finished, tmp_path: Path) -> None:
    options = {"folder": tmp_path / "run", "cache_folder": finished.cache, "splits": ("valid",)}
    assert list(run_recipe(recipe(training={"epochs": 1}), finished.data, **options).reports) == ["valid"]


def test_a_folder_that_cannot_be_made_is_one_line(finished: Finished, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KeraudioError, match="file/run: cannot be made: "):
        run_recipe(recipe(), finished.data, folder=tmp_path / "file" / "run", cache_folder=finished.cache)


KILLED = """
import os, signal, sys
from pathlib import Path
from keraudio.recipes import load_recipe, run_recipe

def kill(event):
    if event["event"] == sys.argv[5]:
        os.kill(os.getpid(), signal.SIGKILL)

recipe, cache = load_recipe(sys.argv[1]), Path(sys.argv[4])
run_recipe(recipe, sys.argv[2], folder=Path(sys.argv[3]), seed=3, cache_folder=cache, progress=kill)
"""


def test_a_run_killed_before_its_first_checkpoint_begins_again(
    finished: Finished, tmp_path: Path, backend: str
) -> None:
    (tmp_path / "tiny.toml").write_text(dump_recipe(recipe()), encoding="utf-8")
    folder = tmp_path / "run"
    arguments = (tmp_path / "tiny.toml", finished.data, folder, finished.cache, "step")
    killed = run_python(KILLED, *arguments, backend=backend)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    again = run_recipe(recipe(), finished.data, folder=folder, seed=SEED, resume=True, cache_folder=finished.cache)
    truth = [row["loss"] for row in finished.run.fitted.history]
    assert [row["loss"] for row in again.fitted.history] == pytest.approx(truth, rel=1e-5)


WITHOUT_TENSORFLOW = """
import sys
sys.modules["tensorflow"] = None
from pathlib import Path
from keraudio.pipeline import feed_kind
from keraudio.recipes import load_recipe, run_recipe

assert feed_kind() == "PyDataset"
recipe, cache = load_recipe(sys.argv[1]), Path(sys.argv[4])
run = run_recipe(recipe, sys.argv[2], folder=Path(sys.argv[3]), seed=3, cache_folder=cache)
assert not [name for name in sys.modules if name.startswith("tensorflow.")]
print(*[row["loss"] for row in run.fitted.history])
"""


@pytest.mark.parametrize("chosen", ["jax", "torch"])
def test_without_tensorflow_a_run_is_the_same(finished: Finished, tmp_path: Path, chosen: str, backend: str) -> None:
    (tmp_path / "tiny.toml").write_text(dump_recipe(recipe()), encoding="utf-8")
    arguments = (tmp_path / "tiny.toml", finished.data, tmp_path / "run", finished.cache)
    ended = run_python(WITHOUT_TENSORFLOW, *arguments, backend=chosen)
    assert ended.returncode == 0, ended.stderr
    assert json.loads((tmp_path / "run" / "report.json").read_text())["epochs"] == 2
    if chosen == backend:
        truth = [row["loss"] for row in finished.run.fitted.history]
        assert [float(loss) for loss in ended.stdout.split()] == pytest.approx(truth, rel=1e-5)


@pytest.mark.backends
def test_windows_are_trained_on_with_copies_and_mixed_between_classes(finished: Finished, tmp_path: Path) -> None:
    training = TINY["training"] | {
        "sampling": "windows",
        "mixup": {"kind": "between_class"},
        "copies": {"count": 2, "delay": 0.3},
    }
    found = recipe(training=training, audio=TINY["audio"] | {"silence": -70.0})
    run = run_recipe(found, finished.data, folder=tmp_path / "run", seed=SEED, cache_folder=finished.cache)
    assert all(math.isfinite(row["loss"]) for row in run.fitted.history)
    # Mixed labels cost more than they would by themselves: their own entropy, half a nat on average.
    assert run.fitted.history[-1]["loss"] > 0.3
    assert keraudio.load(tmp_path / "run" / "model.keras").description.silence == -70.0
