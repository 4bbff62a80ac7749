"""What the rows of a study come to: recipes that are trained, or features of trained networks that are classified."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from keraudio.classifier import layer_name
from keraudio.datasets import Manifest, absolute_spec, load_manifest
from keraudio.errors import DatasetError, KeraudioError
from keraudio.pipeline import CachedClips
from keraudio.recipes.catalog import read_pretraining, study_recipe
from keraudio.recipes.load import apply_changes
from keraudio.recipes.pretrain import run_pretraining
from keraudio.recipes.run import (
    RECIPE_FILE,
    REPORT_FILE,
    Progress,
    check_run_folder,
    decode_clips,
    make_folder,
    prepare_manifest,
    run_recipe,
)
from keraudio.recipes.schema import PretrainingRecipe, Recipe, check_recipe
from keraudio.recipes.transfer import measure_head, rotations
from keraudio.training import build_extractor, clip_features, clip_samples, load_sources
from keraudio.training.fit import MODEL_FILE, read_history
from keraudio.whole_file import write_text

# The longest stretch of a clip, from its middle, of which features are taken; those of the papers last 30 s.
_SECONDS = 30.0


@dataclass(frozen=True)
class RowResult:
    """What one row came to with one seed.

    Attributes:
        metrics: figures on the test clips, as a report has them.
        failures: clips that could not be decoded.
        seconds: of training, or None where nothing of the row's own was trained on audio.
        epochs: that the training took.
        history: metrics of each of them.
    """

    metrics: dict[str, Any]
    failures: int
    seconds: float | None = None
    epochs: int = 0
    history: tuple[dict[str, float], ...] = ()


@dataclass(frozen=True)
class StudyRuns:
    """How the runs of a study are made, whichever row.

    Attributes:
        study: what its TOML holds.
        data: `"KIND:PATH"`.
        folder: of the study; each run has a folder of its own in it, `ROW/seed-N`, of a study over folds
            `ROW/fold-K/seed-N`.
        small: with the study's small budget.
        changes: `"section.key=value"` each, of every recipe but that of pretraining.
        cache_folder: of decoded clips, or None for the platform's.
        progress: called with `{"event": ..., ...}` as things happen.
        more_data: `"KIND:PATH"` each, unlabelled, for rows that pretrain on more.
        only_folds: those that are tested, of a study over folds; none for all.
        start: a front end's file, for rows that begin with one that is given.
    """

    study: dict[str, Any]
    data: str
    folder: Path
    small: bool
    changes: tuple[str, ...]
    cache_folder: Path | None
    progress: Progress
    more_data: tuple[str, ...] = ()
    only_folds: tuple[int, ...] = ()
    start: Path | None = None

    @cached_property
    def folds(self) -> list[int | None]:
        """The folds that are tested in turn; None alone where the data set's own split is.

        Raises:
            DatasetError: the study needs folds, and the data set has fewer than three, or lacks one that is asked for.
        """
        if not self.study.get("folds"):
            return [None]
        if unknown := [fold for fold in self.only_folds if fold not in self._all_folds]:
            raise DatasetError(f"A fold must be one of {self._all_folds}. Received: {unknown[0]}")
        return [fold for fold in self._all_folds if not self.only_folds or fold in self.only_folds]

    @cached_property
    def _all_folds(self) -> list[int]:
        manifest = load_manifest(self.data, **self.recipe(self.study["reference"]).data.options)
        folds = sorted({clip.fold for clip in manifest.clips if clip.fold is not None})
        if len(folds) < 3:
            raise DatasetError(f"{self.study['name']} needs a data set with at least 3 folds. Received: {len(folds)}")
        return folds

    def recipe(self, row: str, fold: int | None = None, **parts: Any) -> Recipe:
        """The recipe of a row.

        Args:
            row: its name.
            fold: that is tested. Defaults to None, as the recipe says.
            parts: what the study decides run by run: `start`, or `front_end_start`.

        Raises:
            RecipeError: the changes do not fit it.
        """
        data = study_recipe(self.study, row, small=self.small)
        every = next(one for one in self.study["rows"] if one["name"] == row).get("every_fold", False)
        self._turn(data, fold, validates=not every)
        if "start" in parts:
            data["start"] = parts["start"]
        if "front_end_start" in parts:
            data["front_end"]["start"] = parts["front_end_start"]
        apply_changes(data, self.changes)
        return check_recipe(data, source=f"{self.study['name']}/{row}")

    def _turn(self, data: dict[str, Any], fold: int | None, *, validates: bool = True) -> None:
        if fold is None:
            return
        folds = self._all_folds
        # As the papers on ESC-50 have it: the fold before the tested one is validated on.
        valid = [folds[folds.index(fold) - 1]] if validates else []
        rest = [one for one in folds if one not in (fold, *valid)]
        turn = {"split": "folds", "train_folds": rest, "valid_folds": valid, "test_folds": [fold]}
        data["data"] = data.get("data", {}) | turn

    def train(self, row: dict[str, Any], seed: int) -> list[RowResult]:
        """Trains a row's recipe for each fold, unless that is done, from where it was broken off.

        Raises:
            KeraudioError: the recipe cannot be run, or the folder holds a run of another recipe, data set or seed.
        """
        return [self._train(row, seed, fold) for fold in self.folds]

    def _train(self, row: dict[str, Any], seed: int, fold: int | None) -> RowResult:
        parts: dict[str, Any] = {}
        if "start_row" in row:
            first = next(one for one in self.study["rows"] if one["name"] == row["start_row"])
            self._train(first, seed, fold)
            parts["start"] = str(self.run_folder(first["name"], seed, fold).absolute())
        elif row.get("given_start"):
            assert self.start is not None
            parts["front_end_start"] = str(self.start.absolute())
        elif row.get("pretrained"):
            more = self.more_data if row.get("more_data") else ()
            parts["front_end_start"] = str(self._pretrain(seed, fold, more).absolute())
        recipe, folder = self.recipe(row["name"], fold, **parts), self.run_folder(row["name"], seed, fold)
        if (folder / REPORT_FILE).exists():
            check_run_folder(folder, recipe, absolute_spec(self.data), seed, resume=True)
        else:
            self.progress({"event": "study_row", "row": row["label"], "fold": fold, "seed": seed})
            run_recipe(
                recipe,
                self.data,
                folder=folder,
                seed=seed,
                resume=(folder / RECIPE_FILE).exists(),
                cache_folder=self.cache_folder,
                progress=self.progress,
            )
        report = _read(folder)
        return RowResult(
            report["reports"]["test"]["metrics"],
            len(report["failures"]),
            report["seconds_training"],
            report["epochs"],
            tuple(read_history(folder)),
        )

    def _pretrain(self, seed: int, fold: int | None, more_data: Sequence[str]) -> Path:
        """The folder of a front end that has learned from this fold's training clips, and from more if there are."""
        data = read_pretraining(self.study["pretraining"])
        for section, values in self.study.get("small_pretraining", {}).items() if self.small else ():
            data[section] |= values
        self._turn(data, fold)
        recipe = check_recipe(data, source=self.study["pretraining"], schema=PretrainingRecipe)
        folder = self.run_folder("pretraining_more" if more_data else "pretraining", seed, fold)
        if (folder / REPORT_FILE).exists():
            spec = ", ".join(map(absolute_spec, (self.data, *more_data)))
            check_run_folder(folder, recipe, spec, seed, resume=True)
            return folder
        self.progress({"event": "study_row", "row": "pretraining", "fold": fold, "seed": seed})
        run_pretraining(
            recipe,
            self.data,
            folder=folder,
            more_data=more_data,
            seed=seed,
            resume=(folder / RECIPE_FILE).exists(),
            cache_folder=self.cache_folder,
            progress=self.progress,
        )
        return folder

    def run_folder(self, row: str, seed: int, fold: int | None = None) -> Path:
        """Where a row's run with a seed stands."""
        place = self.folder / row
        return (place if fold is None else place / f"fold-{fold}") / f"seed-{seed}"


class TransferRuns:
    """The rows of a study that joins features of another study's networks and classifies them.

    The networks are trained first, those that are not there yet. Where they were trained on the same data set, the
    features are classified on the same split of it; else each fold of the data set is tested once.

    Args:
        runs: how the study's runs are made.
        networks: the same of the networks' study.
        seed: of networks, splits and classifiers.
    """

    def __init__(self, runs: StudyRuns, networks: StudyRuns, seed: int) -> None:
        self._runs, self._networks, self._seed = runs, networks, seed
        self._features: dict[str, tuple[np.ndarray, dict[str, np.ndarray]]] = {}

    def classify(self, row: dict[str, Any]) -> list[RowResult]:
        """Classifies a row's features, unless that is done.

        Raises:
            KeraudioError: a network cannot be trained, the data set cannot be split, or the folder holds a row of other
                networks or data.
        """
        known = {one["name"]: one for one in self._networks.study["rows"]}
        for name in row["networks"]:
            self._networks.train(known[name], self._seed)
        folder = self._runs.run_folder(row["name"], self._seed)
        settings = _settings(self._runs.study, small=self._runs.small)
        facts = {
            "schema": 1,
            "data": absolute_spec(self._runs.data),
            "networks": {name: _digest(self._model(name)) for name in row["networks"]},
            "levels": row["levels"],
            "classifier": settings["classifier"],
            "units": settings["units"],
            "seed": self._seed,
        }
        if (folder / REPORT_FILE).exists():
            report = _read(folder)
            if {key: report.get(key) for key in facts} != facts:
                raise KeraudioError(
                    f"A row goes on only with its own networks, data and budget. Received: {folder}, made with others"
                )
            return [RowResult(report["metrics"], report["failures"])]
        self._runs.progress({"event": "study_row", "row": row["label"], "seed": self._seed})
        columns = []
        for name in row["networks"]:
            features, places = self._of(name)
            columns += [features[:, places[str(level)]] for level in row["levels"]]
        features = np.concatenate(columns, axis=1)
        figures, _ = measure_head(
            settings["classifier"], features, self._turns, seed=self._seed, units=settings["units"]
        )
        failures = len(self._clips.failures)
        metrics = {key: value for key, value in figures.items() if isinstance(value, dict)}
        make_folder(folder)
        report = facts | {"columns": features.shape[1], "failures": failures, "metrics": metrics}
        write_text(folder / REPORT_FILE, json.dumps(report, indent=1, allow_nan=False) + "\n")
        return [RowResult(metrics, failures)]

    def _model(self, network: str) -> Path:
        return self._networks.run_folder(network, self._seed) / MODEL_FILE

    def _of(self, network: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """A network's features of every clip, and which columns are each level's."""
        if network not in self._features:
            (source,) = load_sources([self._model(network)])
            source.name = layer_name(f"{self._networks.study['name']}_{network}")
            clips, levels = self._clips, [str(level) for level in self._levels]
            extractor = build_extractor([source], levels, samples=clip_samples([source], clips, _SECONDS))
            # Of one level there is one row, under its own name.
            places = {level: extractor.rows[f"{source.name} {level}"] for level in levels}
            features = clip_features(
                extractor,
                clips,
                progress=lambda done, total: self._runs.progress({"event": "features", "done": done, "total": total}),
            )
            self._features[network] = features, places
        return self._features[network]

    @cached_property
    def _levels(self) -> list[int]:
        return sorted({level for row in self._runs.study["rows"] for level in row["levels"]}, reverse=True)

    @cached_property
    def _on_source(self) -> bool:
        return absolute_spec(self._runs.data) == absolute_spec(self._networks.data)

    @cached_property
    def _clips(self) -> CachedClips:
        recipe = self._networks.recipe(self._networks.study["reference"])
        data, seed = self._runs.data, self._seed
        return decode_clips(
            prepare_manifest(recipe, data, seed=seed) if self._on_source else load_manifest(data),
            sample_rate=recipe.audio.sample_rate,
            folder=self._runs.cache_folder,
            progress=self._runs.progress,
        )

    @cached_property
    def _turns(self) -> list[Manifest]:
        manifest = self._clips.manifest
        return [manifest] if self._on_source else rotations(manifest, seed=self._seed)


def describe_classifier(study: dict[str, Any], *, small: bool) -> str:
    """What classifies the features of a study that joins them, with the size of its layers."""
    settings = _settings(study, small=small)
    units = f", two layers of {settings['units']}" if settings["classifier"] == "mlp" else ""
    return f"{settings['classifier']}{units}"


def _settings(study: dict[str, Any], *, small: bool) -> dict[str, Any]:
    return study | (study["small"] if small else {})


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _read(folder: Path) -> dict[str, Any]:
    return json.loads((folder / REPORT_FILE).read_text(encoding="utf-8"))
