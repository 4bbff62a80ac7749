"""A stranger's way: a folder of folders, `fit`, `evaluate`, `predict`, `tag`; on every backend."""

import csv
import json
from pathlib import Path

import pytest
from command_line import TINY_RECIPE, snapshot
from tones import LABELS, write_tones

import keraudio
from keraudio.cli.main import run

pytestmark = pytest.mark.backends

PNG = b"\x89PNG\r\n\x1a\n"


def test_from_a_folder_of_folders_to_tags(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], backend: str
) -> None:
    monkeypatch.setenv("KERAUDIO_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    data = write_tones(tmp_path / "sounds")
    Path("tiny.toml").write_text(TINY_RECIPE)
    untouched = snapshot(data)

    # Where this test is the first, the backend has just said hello.
    capfd.readouterr()
    assert run(["fit", "tiny.toml", "--data", "folder:sounds", "--out", "run", "--seed", "3"]) == 0
    out, err = capfd.readouterr()
    assert out.startswith("test clips, best epoch ") and out.endswith("Run folder: run\n")
    assert [line[:9] for line in err.splitlines()[:2]] == ["epoch 1/2", "epoch 2/2"]

    folder = Path("run")
    assert {path.name for path in folder.iterdir()} == {
        "recipe.toml",
        "run.json",
        "metrics.csv",
        "model.keras",
        "report.json",
        "state.npz",
        "learning_curves.png",
        "confusion_matrix.png",
    }
    facts = json.loads((folder / "run.json").read_text())
    assert (facts["data"], facts["seed"], facts["backend"]) == (f"folder:{tmp_path / 'sounds'}", 3, backend)
    assert facts["versions"]["keraudio"] == keraudio.__version__
    rows = list(csv.DictReader((folder / "metrics.csv").open()))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert float(rows[1]["loss"]) < float(rows[0]["loss"])
    for picture in ("learning_curves.png", "confusion_matrix.png"):
        content = (folder / picture).read_bytes()
        assert content.startswith(PNG) and len(content) > 5000
    report = json.loads((folder / "report.json").read_text())
    assert report["clips"] == {"train": 8, "valid": 4, "test": 4} and report["failures"] == []
    assert keraudio.describe(keraudio.load(folder / "model.keras")).labels == LABELS

    # The effective recipe is printed the same by `recipes`, and repeats the run.
    assert run(["recipes", "run/recipe.toml"]) == 0
    assert capfd.readouterr().out == (folder / "recipe.toml").read_text()

    assert run(["evaluate", "run", "--json"]) == 0
    measured = json.loads(capfd.readouterr().out)
    recorded = report["reports"]["test"]
    assert measured["metrics"]["accuracy"] == recorded["metrics"]["accuracy"]
    assert [clip["predicted"] for clip in measured["clips"]] == [clip["predicted"] for clip in recorded["clips"]]

    ids = [clip["id"] for clip in measured["clips"]]
    assert run(["predict", "run", *(f"sounds/{name}" for name in ids), "--jsonl"]) == 0
    answers = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [answer["labels"] for answer in answers] == [[clip["predicted"]] for clip in measured["clips"]]

    assert run(["tag", "sounds", "--model", "run", "--jsonl"]) == 0
    tags = {answer["path"]: answer for answer in map(json.loads, capfd.readouterr().out.splitlines())}
    assert len(tags) == 16
    expected = [tags[answer["path"]] | answer | {"model": "model"} for answer in answers]
    assert [tags[answer["path"]] for answer in answers] == expected
    # Two tones are learnt by anything that works.
    right = sum(answer["labels"] == [Path(path).parent.name] for path, answer in tags.items())
    assert right >= 15
    assert snapshot(data) == untouched
