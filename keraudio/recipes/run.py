"""A recipe carried out: data, training, evaluation, and the run folder from which it can be repeated."""

import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from keraudio.classifier import load
from keraudio.datasets import Manifest, absolute_spec, assign_splits, load_manifest
from keraudio.errors import KeraudioError
from keraudio.evaluation import evaluate_clips
from keraudio.pipeline import Crops, Windows, cache_clips
from keraudio.recipes.build import build_classifier
from keraudio.recipes.load import dump_recipe
from keraudio.recipes.schema import Recipe
from keraudio.training import Fitted, fit
from keraudio.training.fit import MODEL_FILE, STATE_FILE
from keraudio.versions import versions
from keraudio.whole_file import whole_file

RECIPE_FILE = "recipe.toml"
RUN_FILE = "run.json"
REPORT_FILE = "report.json"

Progress = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: of the run.
        fitted: metrics of each epoch, and which was best.
        reports: evaluation of each split that has clips, `"valid"` and `"test"`.
        failures: clips that could not be decoded, each with its reason.
    """

    folder: Path
    fitted: Fitted
    reports: dict[str, dict[str, Any]]
    failures: list[tuple[str, str]]


def prepare_manifest(recipe: Recipe, data: str, *, seed: int) -> Manifest:
    """The data set with every clip in its split, as the recipe says.

    Raises:
        DatasetError: the data set breaks its kind's layout, or cannot be split so.
    """
    settings = recipe.data
    return assign_splits(
        load_manifest(data, **settings.options),
        method=settings.split,
        train_folds=settings.train_folds,
        valid_folds=settings.valid_folds,
        test_folds=settings.test_folds,
        fractions=settings.fractions,
        seed=seed,
    )


def run_recipe(
    recipe: Recipe,
    data: str,
    *,
    folder: Path,
    seed: int = 0,
    resume: bool = False,
    cache_folder: Path | None = None,
    progress: Progress | None = None,
) -> Run:
    """Trains and evaluates a recipe on a data set.

    The run folder holds `recipe.toml` (every default written out), `run.json` (data, seed, versions), `metrics.csv`,
    `model.keras` (the best epoch), `report.json`, and `state.npz`, from which `resume` goes on.

    Args:
        recipe: the experiment.
        data: `"KIND:PATH"`.
        folder: of the run; made if needed. Unless `resume`, it must not hold a run already.
        seed: of weights, crops, augmentation and random splits.
        resume: go on with the run in `folder`.
        cache_folder: of decoded clips. Defaults to the platform's.
        progress: called with `{"event": ..., ...}` as things happen.

    Returns:
        The finished run.

    Raises:
        KeraudioError: what is wrong with recipe, data set, folder or training, in one line.
    """
    tell = progress or (lambda _event: None)
    is_new = check_run_folder(folder, recipe, absolute_spec(data), seed, resume=resume)
    manifest = prepare_manifest(recipe, data, seed=seed)
    clips = cache_clips(
        manifest,
        sample_rate=recipe.audio.sample_rate,
        folder=cache_folder,
        progress=lambda done, total: tell({"event": "decode", "done": done, "total": total}),
    )
    for clip, reason in clips.failures:
        tell({"event": "bad_clip", "id": clip.id, "reason": reason})
    keras.utils.set_random_seed(seed)
    classifier = build_classifier(recipe, manifest.labels, multi_label=manifest.multi_label)
    window, batch_size = recipe.audio.window_samples, recipe.training.batch_size
    hop = recipe.audio.hop_samples if recipe.training.sampling == "windows" else None
    train = Crops(clips.split("train"), window, batch_size, seed, recipe.training.crops_per_clip, hop)
    valid = Windows(clips.split("valid"), window, recipe.audio.hop_samples, batch_size)
    if is_new:
        # Only now, so that a wrong path or option leaves no folder that a second try would find used.
        _begin_folder(folder, recipe, absolute_spec(data), seed)
    began = time.perf_counter()
    can_resume = resume and (folder / STATE_FILE).exists()
    fitted = fit(classifier, train, valid, recipe.training, folder=folder, resume=can_resume, progress=tell)
    seconds = time.perf_counter() - began
    best = load(folder / MODEL_FILE)
    reports = {}
    for split in ("valid", "test"):
        if any(clip.split == split for clip in clips.manifest.clips):
            tell({"event": "evaluate", "split": split})
            reports[split] = evaluate_clips(best, clips.split(split), batch_size=batch_size)
    facts = {
        "schema": 1,
        "recipe": recipe.name,
        "seed": seed,
        "best_epoch": fitted.best_epoch,
        "epochs": len(fitted.history),
        "stopped_early": fitted.stopped_early,
        "seconds_training": round(seconds, 1),
        "parameters": best.count_params(),
        "clips": {split: _count(clips.manifest, split) for split in ("train", "valid", "test")},
        "failures": [{"id": clip.id, "reason": reason} for clip, reason in clips.failures],
        "reports": reports,
    }
    _write(folder / REPORT_FILE, json.dumps(facts, indent=1, allow_nan=False) + "\n")
    return Run(folder, fitted, reports, [(clip.id, reason) for clip, reason in clips.failures])


def _count(manifest: Manifest, split: str) -> int:
    return sum(clip.split == split for clip in manifest.clips)


def check_run_folder(folder: Path, recipe: Recipe, data: str, seed: int, *, resume: bool) -> bool:
    """Whether a run begins in `folder`, or else goes on there.

    Args:
        folder: of the run.
        recipe: the experiment.
        data: `"KIND:PATH"`, the path absolute.
        seed: of the run.
        resume: there must be a run, or else there must be none.

    Raises:
        KeraudioError: the folder holds a run though it must not, none though it must, or one of another recipe, data
            set or seed.
    """
    text = dump_recipe(recipe)
    recipe_file = folder / RECIPE_FILE
    if recipe_file.exists():
        if not resume:
            raise KeraudioError(f"A new run needs an empty folder, or --resume. Received: {folder}, which holds a run")
        recorded = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
        same = (recipe_file.read_text(encoding="utf-8"), recorded["data"], recorded["seed"]) == (text, data, seed)
        if not same:
            raise KeraudioError(
                f"A run goes on only with its own recipe, data and seed ({recipe_file}). "
                f"Received: recipe {recipe.name!r}, data {data!r}, seed {seed}"
            )
        return False
    if resume:
        raise KeraudioError(f"{folder}: there is no run to resume")
    return True


def _begin_folder(folder: Path, recipe: Recipe, data: str, seed: int) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KeraudioError(f"{folder}: cannot be made: {error.strerror or error}") from error
    facts = {
        "schema": 1,
        "data": data,
        "seed": seed,
        "backend": keras.backend.backend(),
        "versions": versions(),
        "platform": platform.platform(),
    }
    _write(folder / RUN_FILE, json.dumps(facts, indent=1) + "\n")
    _write(folder / RECIPE_FILE, dump_recipe(recipe))


def _write(path: Path, text: str) -> None:
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
