"""A recipe carried out: data, training, evaluation, and the run folder from which it can be repeated."""

import json
import platform
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
from pydantic import ValidationError

from keraudio.classifier import load
from keraudio.datasets import Manifest, absolute_spec, assign_splits, load_manifest
from keraudio.errors import DatasetError, KeraudioError
from keraudio.evaluation import evaluate_clips
from keraudio.pipeline import CachedClips, Copies, Crops, Windows, cache_clips, default_cache_folder, with_copies
from keraudio.recipes.build import build_classifier
from keraudio.recipes.load import dump_recipe
from keraudio.recipes.schema import PretrainingRecipe, Recipe
from keraudio.training import Fitted, fit
from keraudio.training.fit import MODEL_FILE, STATE_FILE
from keraudio.versions import versions
from keraudio.whole_file import write_text

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


def prepare_manifest(recipe: Recipe | PretrainingRecipe, data: str, *, seed: int) -> Manifest:
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
    splits: Sequence[str] = ("valid", "test"),
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
        splits: that are evaluated in the end, where they have clips. Defaults to both that are not trained on.
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
    clips = decode_clips(manifest, sample_rate=recipe.audio.sample_rate, folder=cache_folder, progress=tell)
    keras.utils.set_random_seed(seed)
    classifier = build_classifier(recipe, manifest.labels, multi_label=manifest.multi_label)
    train, valid = training_batches(recipe, clips, seed=seed, cache_folder=cache_folder, progress=tell)
    if is_new:
        # Only now, so that a wrong path or option leaves no folder that a second try would find used.
        begin_run_folder(folder, recipe, absolute_spec(data), seed)
    can_resume = resume and (folder / STATE_FILE).exists()
    fitted = fit(classifier, train, valid, recipe.training, folder=folder, resume=can_resume, progress=tell)
    best = load(folder / MODEL_FILE)
    reports = {}
    for split in splits:
        if _count(clips.manifest, split):
            tell({"event": "evaluate", "split": split})
            reports[split] = evaluate_clips(best, clips.split(split), batch_size=recipe.training.batch_size)
    facts = {
        "seconds_training": round(sum(epoch["seconds"] for epoch in fitted.history), 1),
        "clips": {split: _count(clips.manifest, split) for split in ("train", "valid", "test")},
        "reports": reports,
    }
    write_report(folder, recipe, seed, fitted, best, clips, facts)
    return Run(folder, fitted, reports, [(clip.id, reason) for clip, reason in clips.failures])


def decode_clips(manifest: Manifest, *, sample_rate: int, folder: Path | None, progress: Progress) -> CachedClips:
    """Decodes a data set's clips into the cache, and tells how far it is and which clips are left out.

    Raises:
        KeraudioError: no clip can be decoded, or the cache cannot be written.
    """
    clips = cache_clips(
        manifest,
        sample_rate=sample_rate,
        folder=folder,
        progress=lambda done, total: progress({"event": "decode", "done": done, "total": total}),
    )
    for clip, reason in clips.failures:
        progress({"event": "bad_clip", "id": clip.id, "reason": reason})
    return clips


def training_batches(
    recipe: Recipe | PretrainingRecipe,
    clips: CachedClips,
    *,
    seed: int,
    cache_folder: Path | None,
    progress: Progress,
) -> tuple[Crops, Windows | None]:
    """Batches to train on, with copies of the clips where the recipe has some, and batches to validate on.

    Raises:
        DatasetError: there are no validation clips, and the recipe needs some.
    """
    training = recipe.training
    held_out = held_out_windows(recipe, clips)
    if "valid" not in held_out and training.keep == "best":
        raise DatasetError('There must be validation clips, or `training.keep` must be "last". Received: none')
    train = clips.split("train")
    if training.copies is not None:
        train = with_copies(
            train,
            Copies(**training.copies.model_dump()),
            sample_rate=recipe.audio.sample_rate,
            seed=seed,
            folder=default_cache_folder() if cache_folder is None else cache_folder,
            progress=lambda done, total: progress({"event": "copies", "done": done, "total": total}),
        )
    return (
        Crops(
            train,
            recipe.audio.window_samples,
            training.batch_size,
            seed,
            training.crops_per_clip,
            hop=None if training.sampling == "crops" else recipe.audio.hop_samples,
            jitter=training.sampling == "jittered",
            sample_rate=recipe.audio.sample_rate,
            silence=recipe.audio.silence,
        ),
        held_out.get("valid"),
    )


def held_out_windows(recipe: Recipe | PretrainingRecipe, clips: CachedClips) -> dict[str, Windows]:
    """The audible windows of each split that has clips and is not trained on, `"valid"` and `"test"`."""
    audio = recipe.audio
    return {
        split: Windows(
            clips.split(split),
            audio.window_samples,
            audio.hop_samples,
            recipe.training.batch_size,
            sample_rate=audio.sample_rate,
            silence=audio.silence,
        )
        for split in ("valid", "test")
        if _count(clips.manifest, split)
    }


def write_report(
    folder: Path,
    recipe: Recipe | PretrainingRecipe,
    seed: int,
    fitted: Fitted,
    best: keras.Model,
    clips: CachedClips,
    facts: dict[str, Any],
) -> dict[str, Any]:
    """Writes what a run came to, by which it counts as finished: what every run tells, and `facts` of its kind."""
    report = {
        "schema": 1,
        "recipe": recipe.name,
        "seed": seed,
        "best_epoch": fitted.best_epoch,
        "epochs": len(fitted.history),
        "stopped_early": fitted.stopped_early,
        "parameters": best.count_params(),
        "failures": [{"id": clip.id, "reason": reason} for clip, reason in clips.failures],
        **facts,
    }
    write_text(folder / REPORT_FILE, json.dumps(report, indent=1, allow_nan=False) + "\n")
    return report


def _count(manifest: Manifest, split: str) -> int:
    return sum(clip.split == split for clip in manifest.clips)


def check_run_folder(folder: Path, recipe: Recipe | PretrainingRecipe, data: str, seed: int, *, resume: bool) -> bool:
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
        if (_recorded_recipe(recipe_file, type(recipe)), recorded["data"], recorded["seed"]) != (text, data, seed):
            raise KeraudioError(
                f"A run goes on only with its own recipe, data and seed ({recipe_file}). "
                f"Received: recipe {recipe.name!r}, data {data!r}, seed {seed}"
            )
        return False
    if resume:
        raise KeraudioError(f"{folder}: there is no run to resume")
    return True


def _recorded_recipe(file: Path, schema: type[Recipe] | type[PretrainingRecipe]) -> str | None:
    """The recipe in a run folder as it is written today, with defaults for options that came later."""
    try:
        return dump_recipe(schema.model_validate(tomllib.loads(file.read_text(encoding="utf-8"))))
    except (ValidationError, tomllib.TOMLDecodeError):
        return None


def begin_run_folder(folder: Path, recipe: Recipe | PretrainingRecipe, data: str, seed: int) -> None:
    """Makes a run folder, with the recipe and what it is run on."""
    make_folder(folder)
    facts = {
        "schema": 1,
        "data": data,
        "seed": seed,
        "backend": keras.backend.backend(),
        "versions": versions(),
        "platform": platform.platform(),
    }
    write_text(folder / RUN_FILE, json.dumps(facts, indent=1) + "\n")
    write_text(folder / RECIPE_FILE, dump_recipe(recipe))


def make_folder(path: Path) -> None:
    """Makes a folder, and those above it, unless it is there.

    Raises:
        KeraudioError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KeraudioError(f"{path}: cannot be made: {error.strerror or error}") from error
