import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import Outcome, snapshot, write_broken_songs
from tones import LABELS, WINDOW, write_tones

Command = Callable[..., Outcome]
pytestmark = pytest.mark.usefixtures("fast_load")


@pytest.fixture(scope="module")
def scores_by_hand(trained_run: Path, tones: Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Id, label index and mean probabilities of every clip: files cut by hand, predicted by Keras alone."""
    import keras

    model = keras.saving.load_model(trained_run / "model.keras")
    ids, actual, scores = [], [], []
    for index, label in enumerate(LABELS):
        for file in sorted((tones / label).iterdir()):
            sound = soundfile.read(file, dtype="float32")[0]
            windows = np.stack([sound[start : start + WINDOW] for start in (0, WINDOW // 2)])
            ids.append(f"{label}/{file.name}")
            actual.append(index)
            scores.append(np.asarray(model.predict(windows, verbose=0)).mean(axis=0))
    return ids, np.array(actual), np.array(scores)


def test_the_figures_are_scikit_learns_on_predictions_made_in_a_script(
    command: Command, trained_run: Path, tones: Path, scores_by_hand
) -> None:
    from sklearn import metrics

    ids, actual, scores = scores_by_hand
    outcome = command("evaluate", trained_run / "model.keras", "--data", f"folder:{tones}", "--split", "all", "--json")
    assert (outcome.code, outcome.err) == (0, b"")
    report = json.loads(outcome.out)
    assert [clip["id"] for clip in report["clips"]] == ids
    # Decoded clips are kept in 16 bits, half a step of which moves a probability by less than this.
    given = [clip["score"] for clip in report["clips"]]
    np.testing.assert_allclose(given, scores.max(axis=1), atol=2e-3)
    predicted = scores.argmax(axis=1)
    assert [clip["predicted"] for clip in report["clips"]] == [LABELS[index] for index in predicted]
    assert report["n"] == 16 and report["labels"] == list(LABELS)
    figures = {name: entry["value"] for name, entry in report["metrics"].items()}
    assert figures["accuracy"] == pytest.approx(metrics.accuracy_score(actual, predicted))
    assert figures["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(actual, predicted))
    assert figures["macro_f1"] == pytest.approx(metrics.f1_score(actual, predicted, average="macro"))
    assert figures["log_loss"] == pytest.approx(metrics.log_loss(actual, scores), abs=2e-3)
    assert report["confusion"] == metrics.confusion_matrix(actual, predicted).tolist()


def test_the_model_of_two_tones_has_learnt_them(command: Command, trained_run: Path, tones: Path) -> None:
    report = json.loads(command("evaluate", trained_run, "--split", "all", "--json").out)
    assert report["metrics"]["accuracy"]["value"] == 1.0


@pytest.mark.parametrize("split", ["valid", "test"])
def test_a_run_is_measured_on_its_own_clips_and_gives_the_runs_own_report(
    command: Command, trained_run: Path, split: str
) -> None:
    outcome = command("evaluate", trained_run, "--split", split, "--json")
    report = json.loads(outcome.out)
    recorded = json.loads((trained_run / "report.json").read_text())["reports"][split]
    assert report.pop("failures") == []
    # Windows may be batched otherwise, which moves the last bits of a sum.
    assert [clip["id"] for clip in report["clips"]] == [clip["id"] for clip in recorded["clips"]]
    for name, entry in recorded["metrics"].items():
        assert report["metrics"][name]["value"] == pytest.approx(entry["value"], abs=1e-5)


def test_the_test_clips_are_the_default(command: Command, trained_run: Path) -> None:
    default, test = (command("evaluate", trained_run, "--json", *flags).out for flags in ([], ["--split", "test"]))
    assert default == test


def test_people_get_tables_within_100_columns(command: Command, trained_run: Path) -> None:
    outcome = command("evaluate", trained_run)
    assert (outcome.code, outcome.err) == (0, b"")
    assert max(map(len, outcome.lines)) <= 100
    assert any(line.startswith("accuracy") for line in outcome.lines)
    assert any(line.startswith("macro F1") for line in outcome.lines)


@pytest.mark.parametrize("how", ["mean", "majority", "max"])
def test_the_vote_can_be_chosen(command: Command, trained_run: Path, how: str) -> None:
    report = json.loads(command("evaluate", trained_run, "--vote", how, "--json").out)
    assert report["vote"] == how


@pytest.fixture
def table(tones: Path, tmp_path: Path) -> Path:
    """A data set with splits, folds and a clip of each."""
    rows = [
        f"{tones / label / f'{n}.wav'},{label},{split},{fold}"
        for label in LABELS
        for n, (split, fold) in enumerate([("train", 1), ("train", 2), ("valid", 2), ("test", 3)])
    ]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["path,label,split,fold", *rows]) + "\n")
    return path


@pytest.mark.parametrize(
    ("flags", "clips"),
    [
        ([], 2),
        (["--split", "train"], 4),
        (["--split", "valid"], 2),
        (["--split", "all"], 8),
        (["--folds", "2"], 4),
        (["--folds", "1,3"], 4),
    ],
)
def test_splits_and_folds_choose_the_clips(
    command: Command, model_file: Path, table: Path, flags: list[str], clips: int
) -> None:
    outcome = command("evaluate", model_file, "--data", f"csv:{table}", "--json", *flags)
    assert json.loads(outcome.out)["n"] == clips


@pytest.mark.parametrize(
    ("flags", "phrase"),
    [
        (["--folds", "9"], "Folds must be folds of the data set. Received: 9"),
        (["--option", "label=x"], "Did you mean 'labels'?"),
        (["--option", "labels"], "must be given as key=value. Received: 'labels'"),
        (["--option", "=x"], "must be given as key=value. Received: '=x'"),
    ],
)
def test_what_the_data_set_does_not_have_is_refused(
    command: Command, model_file: Path, table: Path, flags: list[str], phrase: str
) -> None:
    outcome = command("evaluate", model_file, "--data", f"csv:{table}", *flags)
    assert (outcome.code, outcome.out) == (2, b"")
    assert phrase in outcome.message and "\n" not in outcome.message


@pytest.mark.parametrize(
    ("data", "phrase"),
    [
        ("tones", "must be given as KIND:PATH. Received: 'tones'"),
        ("foldr:x", "Did you mean 'folder'?"),
        ("folder:nowhere", "The path of a data set must exist. Received: nowhere"),
    ],
)
def test_a_wrong_data_set_is_refused(command: Command, model_file: Path, data: str, phrase: str) -> None:
    outcome = command("evaluate", model_file, "--data", data)
    assert (outcome.code, outcome.out) == (2, b"")
    assert phrase in outcome.message and "\n" not in outcome.message


def test_a_data_set_without_splits_needs_to_be_told(command: Command, model_file: Path, tones: Path) -> None:
    outcome = command("evaluate", model_file, "--data", f"folder:{tones}")
    assert outcome.code == 2
    assert outcome.message == "keraudio: tones has no splits: use --split all or --folds. Received: --split test"


def test_a_split_without_clips_is_refused(command: Command, model_file: Path, table: Path) -> None:
    table.write_text("\n".join(line for line in table.read_text().splitlines() if ",test," not in line) + "\n")
    outcome = command("evaluate", model_file, "--data", f"csv:{table}", "--split", "test")
    assert outcome.code == 2 and "test" in outcome.message and "\n" not in outcome.message


def test_a_model_file_alone_needs_data(command: Command, model_file: Path, trained_run: Path) -> None:
    for model in (model_file, trained_run / "model.keras", "openmusic_baseline"):
        outcome = command("evaluate", model)
        assert (outcome.code, outcome.out) == (2, b"")
        assert "--data is needed unless MODEL is a run folder" in outcome.message


def test_options_without_data_are_refused_rather_than_ignored(command: Command, trained_run: Path) -> None:
    outcome = command("evaluate", trained_run, "--option", "labels=x")
    assert outcome.code == 2 and "--option needs --data" in outcome.message


def test_labels_that_the_model_does_not_know_are_named(command: Command, model_file: Path, tmp_path: Path) -> None:
    write_tones(tmp_path / "other", clips=1)
    (tmp_path / "other" / "low").rename(tmp_path / "other" / "middle")
    outcome = command("evaluate", model_file, "--data", f"folder:{tmp_path / 'other'}", "--split", "all")
    assert outcome.code == 2
    assert outcome.message.endswith("(high, low). Received: middle")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"data": "folder:x", "seed": null}', "\0"])
def test_a_damaged_record_of_a_run_is_one_line(command: Command, trained_run: Path, tmp_path: Path, text: str) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained_run, run)
    (run / "run.json").write_text(text)
    outcome = command("evaluate", run)
    assert outcome.code == 1
    assert outcome.message.startswith(f"keraudio: {run / 'run.json'}: not the record of a run: ")


def test_broken_clips_are_left_out_named_and_counted(command: Command, model_file: Path, tmp_path: Path) -> None:
    data = write_tones(tmp_path / "data", clips=2)
    # A clip's content is its key in the cache, so that a missing file is noticed before it is decoded.
    reasons = write_broken_songs(data / "low") | {"dangling.wav": "no such file"}
    flags = ["--data", f"folder:{data}", "--split", "all"]
    before = snapshot(data)
    outcome = command("evaluate", model_file, *flags, "--json")
    assert outcome.code == 3
    report = json.loads(outcome.out)
    assert report["n"] == 4
    assert {failure["id"] for failure in report["failures"]} == {f"low/{name}" for name in reasons}
    assert all(reasons[Path(entry["id"]).name].lower() in entry["reason"].lower() for entry in report["failures"])
    assert sorted(outcome.message.splitlines()) == sorted(f"left out: {f['reason']}" for f in report["failures"])
    assert snapshot(data) == before


def test_a_data_set_of_broken_clips_alone_is_refused(command: Command, model_file: Path, tmp_path: Path) -> None:
    for label in LABELS:
        (tmp_path / "data" / label).mkdir(parents=True)
        (tmp_path / "data" / label / "empty.wav").touch()
    outcome = command("evaluate", model_file, "--data", f"folder:{tmp_path / 'data'}", "--split", "all")
    assert outcome.code == 2
    assert "must have clips that decode. Received: 2 that do not" in outcome.message
