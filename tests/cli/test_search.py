import json
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import TINY_RECIPE, Outcome

Command = Callable[..., Outcome]
RANGES = """
[search]
trials = 2
[search.parameters.learning_rate]
key = "training.learning_rate"
low = 0.005
high = 0.05
"""


@pytest.fixture
def ranges(tmp_path: Path) -> Path:
    file = tmp_path / "ranges.toml"
    file.write_text(TINY_RECIPE.replace("epochs = 2", "epochs = 1") + RANGES)
    return file


def test_a_search_leaves_trials_pictures_and_a_recipe_that_fits(
    command: Command, ranges: Path, tones: Path, tmp_path: Path
) -> None:
    given = ("--data", f"folder:{tones}", "--cache", tmp_path / "cache", "--set", "training.crops_per_clip=5")
    out = tmp_path / "search"
    outcome = command("search", ranges, *given, "--out", out)
    assert outcome.code == 0, outcome.err
    assert outcome.lines[0] == "2 complete, 0 pruned, 0 failed trials"
    assert outcome.lines[1].startswith("Best: trial ") and "learning_rate = 0.0" in outcome.lines[2]
    assert b"trial 0: learning_rate 0.0" in outcome.err and b"trial 1 complete, " in outcome.err
    for name in ("history.png", "importances.png", "parallel.png"):
        assert (out / name).stat().st_size > 5_000
    trials = json.loads((out / "trials.json").read_text())
    assert [trial["state"] for trial in trials["trials"]] == ["complete"] * 2
    for trial in trials["trials"]:
        run = json.loads((out / "trials" / f"{trial['number']:04d}" / "report.json").read_text())
        assert run["epochs"] == 1
    fitted = command("fit", out / "best.toml", *given[:4], "--out", tmp_path / "run")
    assert fitted.code == 0
    found = json.loads((tmp_path / "run" / "report.json").read_text())
    place = out / "trials" / f"{trials['best']:04d}" / "report.json"
    # The same recipe, data and seed; trials are not tested.
    assert {"valid": found["reports"]["valid"]} == json.loads(place.read_text())["reports"]

    again = command("search", ranges, *given, "--out", out)
    assert again.code == 0 and again.lines[:2] == outcome.lines[:2] and b"trial" not in again.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("adaptive_stft",), "A recipe to search must have ranges, [search.parameters]. Received: adaptive_stft"),
        (("adaptive_stft_serch",), "Did you mean 'adaptive_stft_search'"),
        (("adaptive_stft_search", "--trials", "0"), "0 is not in the range"),
    ],
)
def test_what_cannot_be_searched_is_one_line(
    command: Command, tones: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    outcome = command("search", *arguments, "--data", f"folder:{tones}", "--out", tmp_path / "out")
    assert outcome.code == 2 and said in outcome.message and not (tmp_path / "out").exists()
