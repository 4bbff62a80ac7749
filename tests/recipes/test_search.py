"""The search: what it proposes, prunes, continues and refuses, with runs that are over at once."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from keraudio.errors import KeraudioError, RecipeError
from keraudio.recipes import Recipe, load_recipe, run_search
from keraudio.recipes.search import _Searcher

RANGES = """
[search]
trials = 6
startup_trials = 2
[search.parameters.rate]
key = "training.learning_rate"
low = 1e-4
high = 1e-1
log = true
[search.parameters.batch]
key = "training.batch_size"
low = 2
high = 6
[search.parameters.optimizer]
key = "training.optimizer"
choices = ["sgd", "adam"]
[search.parameters.noise.sets]
yes = ["augmentation.noise={}"]
no = []
"""


class Runs:
    """Stands for `run_recipe`: three epochs whose loss is the distance of the learning rate from 0.01.

    Attributes:
        begun: recipe, folder and `resume` of each.
        fails: raised by the runs with these numbers, at their second epoch.
    """

    def __init__(self) -> None:
        self.begun: list[tuple[Recipe, Path, bool]] = []
        self.fails: dict[int, BaseException] = {}

    def __call__(
        self, recipe: Recipe, data: str, *, folder: Path, seed: int, resume: bool, splits, cache_folder: Any, progress
    ):
        # Settings are never chosen by clips that are tested on.
        assert splits == ("valid",)
        self.begun.append((recipe, folder, resume))
        (folder / "recipe.toml").write_text("")
        metrics = folder / "metrics.csv"
        lines = metrics.read_text().splitlines() if resume else ["epoch,val_loss,val_accuracy"]
        loss = abs(math.log10(recipe.training.learning_rate) + 2)
        for epoch in range(len(lines) - 1, 3):
            if epoch == 1 and len(self.begun) - 1 in self.fails:
                raise self.fails[len(self.begun) - 1]
            lines.append(f"{epoch},{loss - epoch / 100},{1 - loss / 10}")
            metrics.write_text("\n".join(lines) + "\n")
            (folder / "state.npz").write_bytes(b"")
            row = {"epoch": epoch, "val_loss": loss - epoch / 100, "val_accuracy": 1 - loss / 10}
            progress({"event": "epoch", "row": row, "best_epoch": epoch})


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    found = Runs()
    monkeypatch.setattr("keraudio.recipes.search.run_recipe", found)
    return found


@pytest.fixture
def searched(tmp_path: Path) -> tuple[Recipe, str]:
    """A recipe with ranges, and a data set."""
    from command_line import TINY_RECIPE
    from tones import write_tones

    (tmp_path / "tiny.toml").write_text(TINY_RECIPE + RANGES)
    return load_recipe(tmp_path / "tiny.toml"), f"folder:{write_tones(tmp_path / 'tones')}"


def test_what_does_best_within_the_ranges_becomes_a_recipe(runs: Runs, searched, tmp_path: Path) -> None:
    result = run_search(*searched, folder=tmp_path / "search", trials=40)
    assert (result.metric, result.maximized, result.logarithmic) == ("val_loss", False, ("rate",))
    assert result.choices == {"optimizer": ("sgd", "adam"), "noise": ("yes", "no")}
    assert [trial.number for trial in result.trials] == list(range(40))
    assert len({folder for _, folder, _ in runs.begun}) == 40 and not any(resume for *_, resume in runs.begun)
    for (recipe, _, _), trial in zip(runs.begun, result.trials, strict=True):
        training = recipe.training
        values = (training.learning_rate, training.batch_size, training.optimizer)
        assert values == tuple(trial.parameters[name] for name in ("rate", "batch", "optimizer"))
        assert 1e-4 <= values[0] <= 1e-1 and values[1] in range(2, 7) and values[2] in ("sgd", "adam")
        assert ("noise" in recipe.augmentation) == (trial.parameters["noise"] == "yes")
        assert recipe.search is None
    complete = [trial for trial in result.trials if trial.state == "complete"]
    assert result.best == min(complete, key=lambda trial: trial.value)
    assert sum(result.importances.values()) == pytest.approx(1)
    # The one parameter on which the loss depends.
    assert next(iter(result.importances)) == "rate"
    best = load_recipe(tmp_path / "search" / "best.toml")
    assert best.training.learning_rate == result.best.parameters["rate"] and best.search is None
    told = json.loads((tmp_path / "search" / "trials.json").read_text())
    assert told["best"] == result.best.number and len(told["trials"]) == 40


def test_what_is_worse_than_the_median_is_pruned(runs: Runs, searched, tmp_path: Path) -> None:
    result = run_search(*searched, folder=tmp_path / "search", trials=15)
    pruned = [trial for trial in result.trials if trial.state == "pruned"]
    assert pruned and all(trial.number >= 2 and trial.epochs < 3 for trial in pruned)
    assert all(trial.epochs == 3 for trial in result.trials if trial.state == "complete")
    assert result.best.value < min(trial.value for trial in pruned)


def test_accuracy_is_maximized_and_the_best_epoch_may_count(runs: Runs, searched, tmp_path: Path) -> None:
    recipe, data = searched
    data_of = recipe.model_dump(by_alias=True, exclude_none=True)
    data_of["training"]["monitor"] = "val_accuracy"
    result = run_search(Recipe.model_validate(data_of), data, folder=tmp_path / "accuracy")
    assert result.maximized and result.best.value == max(t.value for t in result.trials if t.state == "complete")
    data_of["training"]["monitor"], data_of["search"]["value"] = "val_loss", "best"
    best = run_search(Recipe.model_validate(data_of), data, folder=tmp_path / "best")
    last = run_search(*searched, folder=tmp_path / "last")
    # Losses fall, so that the last epoch is the best; with the same seed both propose the same.
    assert best.trials == last.trials


def test_the_same_call_goes_on_and_another_search_is_refused(runs: Runs, searched, tmp_path: Path) -> None:
    folder = tmp_path / "search"
    first = run_search(*searched, folder=folder, trials=3)
    assert run_search(*searched, folder=folder, trials=3) == first and len(runs.begun) == 3
    more = run_search(*searched, folder=folder)
    assert more.trials[:3] == first.trials and len(more.trials) == len(runs.begun) == 6
    with pytest.raises(KeraudioError, match="A search goes on only with its own recipe, data, seed and storage"):
        run_search(*searched, folder=folder, seed=1)


def test_a_trial_whose_process_is_gone_continues_from_its_last_epoch(runs: Runs, searched, tmp_path: Path) -> None:
    runs.fails[1] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        run_search(*searched, folder=tmp_path / "search", trials=3)
    result = run_search(*searched, folder=tmp_path / "search", trials=3)
    (broken, place, _), (again, same, resumed) = runs.begun[1], runs.begun[2]
    assert (again, same, resumed) == (broken, place, True)
    assert len(runs.begun) == 4 and len(result.trials) == 3
    assert [trial.state in ("complete", "pruned") for trial in result.trials] == [True] * 3
    continued = next(trial for trial in result.trials if trial.parameters["rate"] == broken.training.learning_rate)
    assert continued.epochs == 3 or continued.state == "pruned"


def test_processes_share_the_trials_and_leave_each_others_alone(runs: Runs, searched, tmp_path: Path) -> None:
    options = (tmp_path / "search", None, 0, None, lambda _event: None)
    one, other = _Searcher(*searched, *options), _Searcher(*searched, *options)
    mine, theirs = one.next(2), other.next(2)
    assert (mine[0].number, theirs[0].number) == (0, 1)
    # As many as are wanted have begun, and both run.
    assert one.next(2) is None and other.next(2) is None
    assert one.run(*mine) is None and other.run(*theirs) is None
    assert (
        [trial.state for trial in one.result().trials] == ["complete"] * 2 == [t.state for t in other.result().trials]
    )
    rates = [recipe.training.learning_rate for recipe, *_ in runs.begun]
    assert rates[0] != rates[1]


def test_trials_that_cannot_be_run_are_told_and_five_in_a_row_are_enough(runs: Runs, searched, tmp_path: Path) -> None:
    runs.fails[1] = KeraudioError("The loss must be finite. Received: nan")
    result = run_search(*searched, folder=tmp_path / "one", trials=4)
    assert [trial.state for trial in result.trials].count("failed") == 1 and len(runs.begun) == 4
    assert result.trials[1].reason == "The loss must be finite. Received: nan"
    runs.begun.clear()
    runs.fails = {number: KeraudioError(f"number {number}") for number in range(9)}
    with pytest.raises(KeraudioError, match="number 4"):
        run_search(*searched, folder=tmp_path / "all", trials=9)


def test_trials_may_be_kept_in_a_database(runs: Runs, searched, tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'search.db'}"
    first = run_search(*searched, folder=tmp_path / "search", trials=2, storage=storage)
    assert run_search(*searched, folder=tmp_path / "search", trials=2, storage=storage) == first
    assert (tmp_path / "search.db").stat().st_size and not (tmp_path / "search" / "search.journal").exists()
    # The same recipe in another folder is another search, although it is in the same database.
    other = run_search(*searched, folder=tmp_path / "other", trials=1, storage=storage)
    assert len(other.trials) == 1 and len(runs.begun) == 3
    with pytest.raises(KeraudioError, match="A storage must be the URL of a database. Received: nowhere: "):
        run_search(*searched, folder=tmp_path / "wrong", storage="nowhere")
    # What was wrong is not remembered.
    assert len(run_search(*searched, folder=tmp_path / "wrong", trials=1).trials) == 1


def test_what_is_wrong_leaves_no_folder(runs: Runs, searched, tmp_path: Path) -> None:
    recipe, data = searched
    plain = recipe.model_copy(update={"search": None})
    with pytest.raises(RecipeError, match="A recipe to search must have ranges"):
        run_search(plain, data, folder=tmp_path / "search")
    with pytest.raises(KeraudioError, match="The path of a data set must exist"):
        run_search(recipe, "folder:missing", folder=tmp_path / "search")
    wrong = recipe.model_dump(by_alias=True, exclude_none=True)
    wrong["search"]["parameters"]["rate"]["key"] = "training.learning_rat"
    with pytest.raises(RecipeError, match=r"unknown key `training.learning_rat`. Did you mean 'learning_rate'"):
        run_search(Recipe.model_validate(wrong), data, folder=tmp_path / "search")
    assert not (tmp_path / "search").exists() and not runs.begun


@pytest.mark.parametrize(
    ("parameter", "rule"),
    [
        ({"key": "training.epochs"}, "takes `key` with `low` and `high`"),
        ({"low": 1, "high": 2}, "takes `key` with"),
        ({"key": "training.epochs", "low": 1}, "takes `key` with"),
        ({"key": "training.epochs", "low": 1, "high": 2, "choices": [1]}, "takes `key` with"),
        ({"key": "training.epochs", "sets": {"a": []}}, "takes `key` with"),
        ({"key": "training.epochs", "low": 2, "high": 2}, "`low` must be below `high`"),
        ({"key": "training.epochs", "low": 0, "high": 2, "log": True}, "above 0 with `log`"),
        ({"key": "training.epochs", "choices": [1, 2], "log": True}, "`log` is of a range"),
    ],
)
def test_ranges_are_of_one_kind(parameter: dict[str, Any], rule: str, searched) -> None:
    wrong = searched[0].model_dump(by_alias=True, exclude_none=True)
    wrong["search"]["parameters"]["rate"] = parameter
    with pytest.raises(ValueError, match=rule):
        Recipe.model_validate(wrong)


def test_the_papers_search_has_its_five_parameters() -> None:
    recipe = load_recipe("adaptive_stft_search")
    assert set(recipe.search.parameters) == {"learning_rate", "optimizer", "decay", "parts", "augmentation"}
    assert recipe.search.trials == 100 and recipe.training.epochs == 1000
    parts = recipe.search.parameters["parts"].sets
    assert list(parts) == ["1", "3", "4", "6", "12"]
    for count, changes in parts.items():
        audio = load_recipe("adaptive_stft_search", changes=changes).audio
        # So many windows of a clip of 30 s.
        assert (30 * 22050 - audio.window_samples) // audio.hop_samples + 1 == int(count)
