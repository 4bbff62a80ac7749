"""A search for a recipe's settings: Optuna's trials, each a run that a kill costs one epoch at most."""

import json
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from keraudio.datasets import absolute_spec
from keraudio.errors import KeraudioError, RecipeError
from keraudio.recipes.load import apply_changes, dump_recipe, set_value
from keraudio.recipes.run import RECIPE_FILE, Progress, make_folder, prepare_manifest, run_recipe
from keraudio.recipes.schema import Recipe, SearchParameter, check_recipe
from keraudio.training.fit import STATE_FILE, read_history
from keraudio.whole_file import new_token, write_text

if TYPE_CHECKING:
    import optuna

JOURNAL_FILE = "search.journal"
SEARCH_FILE = "search.json"
BEST_FILE = "best.toml"
TRIALS_FILE = "trials.json"
# As many trials in a row that cannot be run are no accident.
_FAILURES = 5
_FOLDER, _REASON, _EPOCHS = "folder", "reason", "epochs"


@dataclass(frozen=True)
class Trial:
    """One set of values that was tried.

    Attributes:
        number: in the order in which they began.
        state: `"complete"`, `"pruned"`, `"failed"`, or `"running"`, perhaps in another process.
        value: of the metric, of a pruned trial the last one; None where there is none.
        parameters: value of each, by name.
        epochs: that it was trained for.
        reason: why it failed, or `""`.
    """

    number: int
    state: str
    value: float | None
    parameters: dict[str, Any]
    epochs: int
    reason: str = ""


@dataclass(frozen=True)
class Search:
    """What a search has found so far.

    Attributes:
        name: of the recipe.
        metric: that was searched for.
        maximized: more of it is better.
        trials: in their order; those that another one continues are left out.
        best: of the complete ones, or None.
        importances: each parameter's share in how the metric varies (fANOVA), the greatest first; empty while there are
            too few complete trials to tell.
        logarithmic: parameters whose range is even in the logarithm.
        choices: of each parameter that has no range, in the recipe's order.
    """

    name: str
    metric: str
    maximized: bool
    trials: tuple[Trial, ...]
    best: Trial | None
    importances: dict[str, float]
    logarithmic: tuple[str, ...]
    choices: dict[str, tuple[Any, ...]]


def run_search(
    recipe: Recipe,
    data: str,
    *,
    folder: Path,
    trials: int | None = None,
    storage: str | None = None,
    seed: int = 0,
    cache_folder: Path | None = None,
    progress: Progress | None = None,
) -> Search:
    """Tries settings from the ranges of a recipe's `[search]`, until as many trials as asked for have ended.

    The tree-structured Parzen estimator proposes them; a trial that falls below the median of the others at the same
    epoch is pruned. `folder` holds the journal of all trials, which several processes may share, a run folder for each
    trial, and `best.toml`, the best trial as a recipe. The same call goes on with a search that was broken off: a trial
    whose process is gone continues from its last epoch.

    Args:
        recipe: with `search`.
        data: `"KIND:PATH"`.
        folder: of the search; made if needed.
        trials: that must have ended, those of earlier calls and of other processes included. Defaults to the recipe's.
        storage: URL of a database for the trials, such as `"sqlite:///search.db"`. Defaults to a journal file in
            `folder`.
        seed: of proposals, and of each trial's run.
        cache_folder: of decoded clips. Defaults to the platform's.
        progress: called with `{"event": ..., ...}` as things happen.

    Returns:
        All trials, those of other processes included.

    Raises:
        KeraudioError: Optuna is not installed; the recipe has no ranges, or one that it cannot take; the folder holds
            another search; the data set cannot be used; or five trials in a row cannot be run.
    """
    searcher = _Searcher(recipe, data, folder, storage, seed, cache_folder, progress or (lambda _event: None))
    wanted = searcher.settings.trials if trials is None else trials
    failures = 0
    while (trial := searcher.next(wanted)) is not None:
        error = searcher.run(*trial)
        failures = 0 if error is None else failures + 1
        if error is not None and failures == _FAILURES:
            raise error
    result = searcher.result()
    if result.best is not None:
        write_text(folder / BEST_FILE, dump_recipe(searcher.recipe_of(result.best.parameters)))
    facts = {"schema": 1, **vars(result), "trials": [vars(trial) for trial in result.trials]}
    facts["best"] = None if result.best is None else result.best.number
    write_text(folder / TRIALS_FILE, json.dumps(facts, indent=1, allow_nan=False) + "\n")
    return result


class _Searcher:
    """A process's part in a search."""

    def __init__(
        self,
        recipe: Recipe,
        data: str,
        folder: Path,
        storage: str | None,
        seed: int,
        cache_folder: Path | None,
        tell: Progress,
    ) -> None:
        if recipe.search is None:
            raise RecipeError(f"A recipe to search must have ranges, [search.parameters]. Received: {recipe.name}")
        self.settings = recipe.search
        self._plain = recipe.model_copy(update={"search": None})
        self._data, self._folder, self._seed, self._cache, self._tell = data, folder, seed, cache_folder, tell
        self._monitor = recipe.training.monitor
        self._maximized = self._monitor != "val_loss"
        # Before anything is written: what is wrong should leave no folder.
        for name, parameter in self.settings.parameters.items():
            for value in _ends(parameter):
                self.recipe_of({name: value})
        prepare_manifest(self._plain, data, seed=seed)
        optuna, filelock = _libraries()
        make_folder(folder)
        self._lock = filelock.FileLock(folder / ".lock")
        self._file_lock = filelock.FileLock
        self._timeout = filelock.Timeout
        self._optuna = optuna
        facts = {"data": absolute_spec(data), "seed": seed, "storage": storage, "recipe": dump_recipe(recipe)}
        with self._lock:
            begun = _begun(folder, facts, recipe.name)
            # A database may hold other searches of the same recipe.
            name = f"{recipe.name}-{new_token()}" if begun is None else begun
            self._study = self._open(storage, name)
            if begun is None:
                write_text(folder / SEARCH_FILE, json.dumps({"schema": 1, "study": name, **facts}, indent=1) + "\n")

    def _open(self, storage: str | None, name: str) -> "optuna.Study":
        optuna = self._optuna
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        backend: Any = storage
        if storage is None:
            journal = optuna.storages.journal
            file = str(self._folder / JOURNAL_FILE)
            backend = optuna.storages.JournalStorage(
                journal.JournalFileBackend(file, lock_obj=journal.JournalFileOpenLock(file))
            )
        try:
            study = optuna.create_study(
                storage=backend,
                study_name=name,
                direction="maximize" if self._maximized else "minimize",
                load_if_exists=True,
                pruner=optuna.pruners.MedianPruner(
                    n_startup_trials=self.settings.startup_trials, n_warmup_steps=self.settings.warmup_epochs
                ),
            )
        except Exception as error:
            if storage is None:
                raise
            line = str(error).strip().partition("\n")[0]
            raise KeraudioError(f"A storage must be the URL of a database. Received: {storage}: {line}") from error
        return study

    def next(self, wanted: int) -> tuple["optuna.Trial", Any] | None:
        """The next trial, with the lock that tells other processes that this one runs it; None once all have begun."""
        states = self._optuna.trial.TrialState
        with self._lock:
            self._recover()
            trials = self._study.get_trials(deepcopy=False)
            begun = sum(trial.state in (states.RUNNING, states.COMPLETE, states.PRUNED) for trial in trials)
            failed = sum(trial.state == states.FAIL and _REASON in trial.user_attrs for trial in trials)
            if begun + failed >= wanted:
                return None
            self._study.sampler = self._sampler(len(trials))
            trial = self._study.ask()
            place = _place(trial)
            trial.set_user_attr(_FOLDER, place)
            make_folder(self._folder / place)
            owned = self._file_lock(self._folder / place / ".lock")
            owned.acquire()
            return trial, owned

    def _sampler(self, number: int) -> "optuna.samplers.TPESampler":
        """For the trial of this number, whichever process runs it, so that no two propose the same by their seed."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", self._optuna.exceptions.ExperimentalWarning)
            return self._optuna.samplers.TPESampler(
                n_startup_trials=self.settings.startup_trials,
                seed=(self._seed * 1_000_003 + number) % 2**32,
                constant_liar=True,
            )

    def _recover(self) -> None:
        """Ends trials whose process is gone, and has them continued."""
        states = self._optuna.trial.TrialState
        for trial in self._study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            place = _place(trial)
            make_folder(self._folder / place)
            lock = self._file_lock(self._folder / place / ".lock")
            try:
                lock.acquire(timeout=0)
            except self._timeout:
                continue
            lock.release()
            self._study.tell(trial.number, state=states.FAIL)
            if set(trial.params) == set(self.settings.parameters):
                self._study.enqueue_trial(trial.params, user_attrs={_FOLDER: place})

    def run(self, trial: "optuna.Trial", owned: Any) -> KeraudioError | None:
        """Runs a trial to its end, its pruning or its failure, which is returned."""
        states = self._optuna.trial.TrialState
        folder = self._folder / trial.user_attrs[_FOLDER]
        values: list[float] = []
        failure: KeraudioError | None = None

        def note(row: dict[str, Any]) -> None:
            values.append(float(row[self._monitor]))
            if math.isfinite(values[-1]):
                trial.report(values[-1], int(row["epoch"]))

        def told(event: dict[str, Any]) -> None:
            self._tell(event)
            if event["event"] == "epoch":
                note(event["row"])
                trial.set_user_attr(_EPOCHS, len(values))
                if trial.should_prune():
                    raise self._optuna.TrialPruned

        try:
            parameters = {name: _suggest(trial, name, one) for name, one in self.settings.parameters.items()}
            self._tell({"event": "trial", "number": trial.number, "parameters": parameters})
            recipe = self.recipe_of(parameters)
            resume = (folder / RECIPE_FILE).exists()
            if resume and (folder / STATE_FILE).exists():
                for row in read_history(folder):
                    note(row)
            keras.backend.clear_session()
            run_recipe(
                recipe,
                self._data,
                folder=folder,
                seed=self._seed,
                resume=resume,
                # What is tested on must not be looked at while settings are chosen.
                splits=("valid",),
                cache_folder=self._cache,
                progress=told,
            )
            finite = [value for value in values if math.isfinite(value)]
            best = (max if self._maximized else min)(finite, default=math.nan)
            value = values[-1] if self.settings.value == "last" else best
            if not math.isfinite(value):
                raise KeraudioError(f"A trial must end with a finite metric. Received: {self._monitor} = {value}")
            self._study.tell(trial, value)
        except self._optuna.TrialPruned:
            self._study.tell(trial, state=states.PRUNED)
        except KeraudioError as error:
            failure = error
            trial.set_user_attr(_REASON, str(error))
            self._study.tell(trial, state=states.FAIL)
        finally:
            owned.release()
        self._tell({"event": "trial_end", "trial": self._trial(self._study.trials[trial.number])})
        return failure

    def recipe_of(self, parameters: dict[str, Any]) -> Recipe:
        """The recipe with values of parameters.

        Raises:
            RecipeError: it cannot take one of them.
        """
        data = self._plain.model_dump(mode="json", by_alias=True, exclude_none=True)
        for name, value in parameters.items():
            parameter = self.settings.parameters[name]
            if parameter.key is None:
                apply_changes(data, parameter.sets[value])
            else:
                set_value(data, parameter.key, value)
        return check_recipe(data, source=f"{self._plain.name}, [search.parameters]")

    def result(self) -> Search:
        """All trials so far."""
        found = tuple(
            self._trial(trial)
            for trial in self._study.trials
            if trial.state.name in _STATES and (trial.state.name != "FAIL" or _REASON in trial.user_attrs)
        )
        complete = [trial for trial in found if trial.state == "complete" and trial.value is not None]
        best = None
        if complete:
            best = (max if self._maximized else min)(complete, key=lambda trial: trial.value or 0.0)
        return Search(
            name=self._plain.name,
            metric=self._monitor,
            maximized=self._maximized,
            trials=found,
            best=best,
            importances=self._importances(complete),
            logarithmic=tuple(name for name, one in self.settings.parameters.items() if one.log),
            choices={name: _choices(one) for name, one in self.settings.parameters.items() if one.low is None},
        )

    def _importances(self, complete: list[Trial]) -> dict[str, float]:
        if len({trial.value for trial in complete}) < 2:
            return {}
        importance = self._optuna.importance
        evaluator = importance.FanovaImportanceEvaluator(seed=self._seed)
        return dict(importance.get_param_importances(self._study, evaluator=evaluator))

    def _trial(self, trial: "optuna.trial.FrozenTrial") -> Trial:
        value = trial.value
        if value is None and trial.intermediate_values:
            value = trial.intermediate_values[max(trial.intermediate_values)]
        return Trial(
            number=trial.number,
            state=_STATES[trial.state.name],
            value=value,
            parameters=dict(trial.params),
            epochs=trial.user_attrs.get(_EPOCHS, len(trial.intermediate_values)),
            reason=trial.user_attrs.get(_REASON, ""),
        )


# A trial that waits is one of a process that is gone; it counts once it runs again.
_STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running"}


def _place(trial: "optuna.Trial | optuna.trial.FrozenTrial") -> str:
    """A trial's run folder within that of the search: its own, or that of the trial which it continues."""
    return str(trial.user_attrs.get(_FOLDER, f"trials/{trial.number:04d}"))


def _libraries() -> tuple[Any, Any]:
    try:
        import filelock
        import optuna
    except ImportError as error:
        raise KeraudioError("A search needs Optuna: pip install 'keraudio[search]'") from error
    return optuna, filelock


def _begun(folder: Path, facts: dict[str, Any], recipe: str) -> str | None:
    """The name of the study that the folder holds; raises `KeraudioError` where it is of another search."""
    file = folder / SEARCH_FILE
    if not file.exists():
        return None
    recorded = json.loads(file.read_text(encoding="utf-8"))
    if {key: recorded[key] for key in facts} != facts:
        raise KeraudioError(
            f"A search goes on only with its own recipe, data, seed and storage ({file}). "
            f"Received: recipe {recipe!r}, data {facts['data']!r}, seed {facts['seed']}, storage {facts['storage']}"
        )
    return str(recorded["study"])


def _ends(parameter: SearchParameter) -> tuple[Any, ...]:
    if parameter.low is not None:
        return parameter.low, parameter.high
    return _choices(parameter)


def _choices(parameter: SearchParameter) -> tuple[Any, ...]:
    return parameter.choices or tuple(parameter.sets)


def _suggest(trial: "optuna.Trial", name: str, parameter: SearchParameter) -> Any:
    low, high = parameter.low, parameter.high
    if low is None or high is None:
        return trial.suggest_categorical(name, list(_choices(parameter)))
    suggest: Callable[..., Any] = (
        trial.suggest_int if isinstance(low, int) and isinstance(high, int) else trial.suggest_float
    )
    return suggest(name, low, high, log=parameter.log)
