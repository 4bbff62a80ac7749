"""A recipe for pretraining carried out: a front end learns another's output from unlabelled clips."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keraudio.audio import probe_signals
from keraudio.datasets import Manifest, absolute_spec, load_manifest, without_labels
from keraudio.errors import DatasetError, RecipeError
from keraudio.frontends import FRONT_ENDS
from keraudio.layers import RangeNormalization
from keraudio.learned_front_end import load_front_end
from keraudio.pipeline import Crops, Windows
from keraudio.recipes.build import start_front_end
from keraudio.recipes.run import (
    Progress,
    begin_run_folder,
    check_run_folder,
    decode_clips,
    held_out_windows,
    prepare_manifest,
    training_batches,
    write_report,
)
from keraudio.recipes.schema import PretrainingRecipe
from keraudio.training import FRONT_END_FILE, Fitted, check_target, fit_front_end
from keraudio.training.fit import STATE_FILE


@dataclass(frozen=True)
class Comparison:
    """What a learned front end gives beside what it should give.

    Attributes:
        name: of the sound.
        target: float32 `(frames, bins)`, within the recipe's `target_range` over the training clips.
        learned: the same from the front end.
    """

    name: str
    target: np.ndarray
    learned: np.ndarray

    @property
    def error(self) -> float:
        """Mean squared error."""
        return float(np.mean(np.square(self.target - self.learned)))


@dataclass(frozen=True)
class Pretrained:
    """A finished pretraining.

    Attributes:
        folder: of the run.
        fitted: metrics of each epoch, and which was best.
        report: what `report.json` holds.
        front_end: of the best epoch.
        comparisons: a clip that was not trained on, and sounds made by rule.
    """

    folder: Path
    fitted: Fitted
    report: dict[str, Any]
    front_end: keras.Model
    comparisons: tuple[Comparison, ...]


def run_pretraining(
    recipe: PretrainingRecipe,
    data: str,
    *,
    folder: Path,
    more_data: Sequence[str] = (),
    seed: int = 0,
    resume: bool = False,
    cache_folder: Path | None = None,
    progress: Progress | None = None,
) -> Pretrained:
    """Teaches a front end without labels, and measures it on clips and sounds that it has not learned from.

    The run folder holds `recipe.toml`, `run.json`, `metrics.csv`, `front_end.keras` (the best epoch), `report.json`,
    and `state.npz`, from which `resume` goes on. The target's range comes from the training clips alone.

    Args:
        recipe: the experiment.
        data: `"KIND:PATH"`, split as the recipe says.
        folder: of the run; made if needed. Unless `resume`, it must not hold a run already.
        more_data: further data sets, all of whose clips are trained on.
        seed: of weights, crops, copies and random splits.
        resume: go on with the run in `folder`.
        cache_folder: of decoded clips. Defaults to the platform's.
        progress: called with `{"event": ..., ...}` as things happen.

    Raises:
        KeraudioError: what is wrong with recipe, data set, folder or training, in one line.
    """
    tell = progress or (lambda _event: None)
    spec = ", ".join(map(absolute_spec, (data, *more_data)))
    is_new = check_run_folder(folder, recipe, spec, seed, resume=resume)
    manifest = _joined(recipe, data, more_data, seed)
    clips = decode_clips(manifest, sample_rate=recipe.audio.sample_rate, folder=cache_folder, progress=tell)
    keras.utils.set_random_seed(seed)
    front_end, target = _build(recipe)
    train, valid = training_batches(recipe, clips, seed=seed, cache_folder=cache_folder, progress=tell)
    low, high = _range(target, train, tell)
    scaled = _scaled(target, (low, high), recipe.target_range)
    if is_new:
        begin_run_folder(folder, recipe, spec, seed)
    fitted = fit_front_end(
        front_end,
        scaled,
        train,
        valid,
        recipe.training,
        sample_rate=recipe.audio.sample_rate,
        folder=folder,
        resume=resume and (folder / STATE_FILE).exists(),
        progress=tell,
    )
    best = load_front_end(folder / FRONT_END_FILE).front_end
    held_out = held_out_windows(recipe, clips)
    comparisons = _comparisons(best, scaled, list(held_out.values())[-1], recipe.audio.sample_rate)
    errors = {}
    for split, windows in held_out.items():
        tell({"event": "evaluate", "split": split})
        errors[split] = _error(best, scaled, windows)
    facts = {
        "range": [low, high],
        "windows": {
            "train": train.steps * train.size,
            **{split: len(w.clip_of_window) for split, w in held_out.items()},
        },
        "mean_squared_error": errors,
        "root_mean_square_in_target_units": {
            split: (high - low) / (recipe.target_range[1] - recipe.target_range[0]) * value**0.5
            for split, value in errors.items()
        },
        "mean_squared_error_of_sounds": {one.name: one.error for one in comparisons},
    }
    report = write_report(folder, recipe, seed, fitted, best, clips, facts)
    return Pretrained(folder, fitted, report, best, comparisons)


def _joined(recipe: PretrainingRecipe, data: str, more_data: Sequence[str], seed: int) -> Manifest:
    first = without_labels(prepare_manifest(recipe, data, seed=seed))
    clips = list(first.clips)
    for number, spec in enumerate(more_data, 2):
        clips += without_labels(load_manifest(spec), prefix=f"{number}/", split="train").clips
    return first.replace(clips)


def _build(recipe: PretrainingRecipe) -> tuple[keras.Model, keras.Model]:
    """The front end that learns, and the one that it learns from."""
    rate, samples = recipe.audio.sample_rate, recipe.audio.window_samples
    policy = keras.config.dtype_policy()
    try:
        target = FRONT_ENDS[recipe.target.name](rate, samples=samples, **recipe.target.options)
        keras.config.set_dtype_policy(recipe.training.precision)
        front_end = FRONT_ENDS[recipe.front_end.name](rate, samples=samples, **recipe.front_end.options)
        check_target(front_end, target)
        start_front_end(front_end, recipe)
        return front_end, target
    except (ValueError, TypeError) as error:
        raise RecipeError(f"{recipe.name}: {error}") from error
    finally:
        keras.config.set_dtype_policy(policy)


def _range(target: keras.Model, train: Crops, tell: Progress) -> tuple[float, float]:
    """Least and greatest value that the target has over an epoch of training batches."""
    lows, highs = [], []
    for step in range(train.steps):
        values = np.asarray(keras.ops.convert_to_numpy(target.predict_on_batch(train.batch(0, step)[0])))
        lows.append(values.min())
        highs.append(values.max())
        tell({"event": "range", "done": step + 1, "total": train.steps})
    low, high = float(min(lows)), float(max(highs))
    if low == high:
        raise DatasetError(f"The clips to learn from must not all be silent. Received: a target of {low:g} everywhere")
    return low, high


def _scaled(target: keras.Model, found: tuple[float, float], wanted: tuple[float, float]) -> keras.Model:
    """The target with what was found as its least and greatest value where they are wanted."""
    waveform = keras.Input(target.input_shape[1:], name="waveform")
    scaling = RangeNormalization(name="range")
    # From -1 and 1, which it gives.
    factor, middle = (wanted[1] - wanted[0]) / 2, (wanted[0] + wanted[1]) / 2
    moved = keras.layers.Rescaling(factor, middle, dtype="float32", name="target_range")
    model = keras.Model(waveform, moved(scaling(target(waveform))), name="target")
    scaling.set_range(*found)
    return model


def _both(learned: keras.Model, target: keras.Model, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    given, wanted = (np.asarray(model.predict_on_batch(waveforms), "float32") for model in (learned, target))
    return wanted[:, : given.shape[1]], given


def _error(learned: keras.Model, target: keras.Model, windows: Windows) -> float:
    total, count = 0.0, 0
    for step in range(windows.steps):
        wanted, given = _both(learned, target, windows.batch(0, step)[0])
        total += float(np.square(wanted - given, dtype="float64").sum())
        count += wanted.size
    return total / count


def _comparisons(
    learned: keras.Model, target: keras.Model, windows: Windows, sample_rate: int
) -> tuple[Comparison, ...]:
    sounds = {"a clip not trained on": windows.batch(0, 0)[0][0]} | probe_signals(sample_rate, windows.window)
    wanted, given = _both(learned, target, np.stack(list(sounds.values())))
    return tuple(Comparison(name, *pair) for name, *pair in zip(sounds, wanted, given, strict=True))
