"""One training run: `model.fit` with checkpoints, the best or last epoch kept, and a table of metrics."""

import csv
import io
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keraudio.backend import preferred_jit
from keraudio.classifier import describe, layers_of, load, save
from keraudio.errors import KeraudioError
from keraudio.interruption import between_batches, check_interruption, safe_interruptions
from keraudio.layers import BetweenClass, Mixup
from keraudio.learned_front_end import load_front_end, save_front_end
from keraudio.pipeline import Crops, Windows, feed
from keraudio.training.run_state import load_run_state, save_run_state
from keraudio.training.settings import TrainingSettings, build_optimizer
from keraudio.training.training_model import TrainingModel, TransformModel, loss_and_metrics
from keraudio.whole_file import write_text

STATE_FILE = "state.npz"
MODEL_FILE = "model.keras"
FRONT_END_FILE = "front_end.keras"
METRICS_FILE = "metrics.csv"

Progress = Callable[[dict[str, Any]], None]


@dataclass
class Fitted:
    """What a run came to.

    Attributes:
        history: one dict of metrics an epoch.
        best_epoch: the epoch (from 0) whose weights `model.keras` holds; the last one with `keep = "last"`.
        stopped_early: True where patience ran out, of the last stage if there are several.
        stage: of a staged learning rate, from 0.
        stage_began: its first epoch.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    stopped_early: bool = False
    stage: int = 0
    stage_began: int = 0


def fit(
    classifier: keras.Model,
    train: Crops,
    valid: Windows | None,
    settings: TrainingSettings,
    *,
    folder: Path,
    resume: bool = False,
    progress: Progress | None = None,
) -> Fitted:
    """Trains a classifier; its best epoch so far, or its last, is in `folder/model.keras` from the first epoch on.

    Layers that learn a transform add columns of how far it has changed, such as `stft_window_change`. A step whose loss
    or gradients are not finite changes no weight and no statistic; `skipped_steps` counts them. After every epoch
    `metrics.csv`, `model.keras` (when the epoch is better, or the last is kept) and `state.npz` are replaced whole, so
    a kill costs the running epoch at most. Resuming restores weights, the optimizer, all random states and the place in
    the data, and gives what the unbroken run would have given. Ctrl-C raises `KeyboardInterrupt` after the running
    batch, and at once when it is pressed again.

    Args:
        classifier: a model with a description; trained in place, and left with the last epoch's weights.
        train: training batches.
        valid: validation batches; None, with `keep = "last"`, for none.
        settings: how to train.
        folder: of the run; it must exist.
        resume: go on from `state.npz`. Defaults to False.
        progress: called with `{"event": "start" | "step" | "epoch", ...}`.

    Returns:
        The metrics of all epochs, resumed ones included.

    Raises:
        KeraudioError: no step of an epoch was finite, there is no checkpoint to resume from, or it is another model's.
    """
    description = describe(classifier)
    model = TrainingModel(classifier, _mixing(settings, description.sample_rate), dtype=settings.precision)
    loss, metrics = loss_and_metrics(
        multi_label=description.multi_label,
        labels=len(description.labels),
        label_smoothing=settings.label_smoothing,
    )
    trained = _Trained(classifier, MODEL_FILE, lambda path: save(classifier, path), load)
    return _fit(model, loss, metrics, trained, train, valid, settings, folder, resume, progress)


def fit_front_end(
    front_end: keras.Model,
    target: keras.Model,
    train: Crops,
    valid: Windows | None,
    settings: TrainingSettings,
    *,
    sample_rate: int,
    folder: Path,
    resume: bool = False,
    progress: Progress | None = None,
) -> Fitted:
    """Teaches a front end what another one gives, by the mean squared error and without labels.

    As `fit`, with its weights in `folder/front_end.keras` (Tax et al. 2017, section 2.2.1).

    Args:
        front_end: trained in place.
        target: a model from waveforms to features of as many bins, and of as many frames or more; the last are left out
            then.
        train: training batches.
        valid: validation batches; None, with `keep = "last"`, for none.
        settings: how to train; its `monitor` is `"val_loss"`.
        sample_rate: of the waveforms, in Hz.
        folder: of the run; it must exist.
        resume: go on from `state.npz`. Defaults to False.
        progress: called with `{"event": "start" | "step" | "epoch", ...}`.

    Returns:
        The metrics of all epochs, resumed ones included.

    Raises:
        ValueError: the target does not fit the front end.
        KeraudioError: no step of an epoch was finite, there is no checkpoint to resume from, or it is another model's.
    """
    model = TransformModel(front_end, target, dtype=settings.precision)
    store = partial(save_front_end, front_end, sample_rate)
    trained = _Trained(front_end, FRONT_END_FILE, store, lambda path: load_front_end(path).front_end)
    return _fit(model, keras.losses.MeanSquaredError(), [], trained, train, valid, settings, folder, resume, progress)


@dataclass(frozen=True)
class _Trained:
    """What of the model under training is kept: the model itself, the file of its best epoch, and how both meet."""

    model: keras.Model
    file: str
    save: Callable[[Path], None]
    load: Callable[[Path], keras.Model]


@safe_interruptions()
def _fit(
    model: keras.Model,
    loss: keras.losses.Loss,
    metrics: list[keras.metrics.Metric],
    trained: _Trained,
    train: Crops,
    valid: Windows | None,
    settings: TrainingSettings,
    folder: Path,
    resume: bool,
    progress: Progress | None,
) -> Fitted:
    signal_layers = [
        layer for layer in layers_of(trained.model) if type(layer).__module__.startswith("keraudio.layers.")
    ]
    signal_weights = [weight for layer in signal_layers for weight in layer.weights]
    model.compile(
        optimizer=build_optimizer(settings, train.steps, undecayed=signal_weights),
        loss=loss,
        metrics=metrics,
        jit_compile=preferred_jit(),
    )
    model.optimizer.build(model.trainable_variables)
    fitted = Fitted()
    if resume:
        facts = load_run_state(_existing(folder / STATE_FILE), model)
        fitted = Fitted(**facts)
        _write_metrics(folder / METRICS_FILE, fitted.history)
    first_epoch = len(fitted.history)
    if fitted.stopped_early or first_epoch >= settings.epochs:
        return fitted
    keeper = _Keeper(trained, settings, folder, fitted, train, progress)
    # Building takes seconds, and the first batch may take a minute to be compiled.
    check_interruption()
    model.fit(
        feed(train, first_epoch=first_epoch),
        validation_data=None if valid is None else feed(valid),
        steps_per_epoch=train.steps,
        initial_epoch=first_epoch,
        epochs=settings.epochs,
        callbacks=[keeper, between_batches()],
        shuffle=False,
        verbose=0,
    )
    return fitted


def _mixing(settings: TrainingSettings, sample_rate: int) -> Mixup | BetweenClass | None:
    mixup = settings.mixup
    if mixup is None:
        return None
    if mixup.kind == "between_class":
        return BetweenClass(sample_rate, probability=mixup.probability)
    return Mixup(mixup.alpha, probability=mixup.probability)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise KeraudioError(f"{path.parent}: there is no checkpoint to resume from")
    return path


class _Keeper(keras.callbacks.Callback):
    """Keeps the run folder true to the training, and stops it when there is nothing more to gain."""

    def __init__(
        self,
        trained: _Trained,
        settings: TrainingSettings,
        folder: Path,
        fitted: Fitted,
        train: Crops,
        progress: Progress | None,
    ):
        super().__init__()
        self.trained = trained
        self.settings = settings
        self.folder = folder
        self.fitted = fitted
        self.steps = train.steps
        self.seed = train.seed
        self.progress = progress or (lambda _event: None)
        self.began = 0.0
        self.skipped = 0

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.progress(
            {
                "event": "start",
                "epoch": len(self.fitted.history),
                "epochs": self.settings.epochs,
                "steps": self.steps,
            }
        )

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.began = time.perf_counter()
        # The optimizer's count goes on over epochs, and is part of the state that a resumed run starts from.
        self.skipped = _count(self.model.optimizer.skipped)

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        if batch == 0:
            _seed_torch(self.seed, len(self.fitted.history))

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.progress({"event": "step", "step": batch + 1})

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        row = {"epoch": epoch} | {name: float(value) for name, value in sorted((logs or {}).items())}
        row |= _changes(self.trained.model)
        row["learning_rate"] = float(self.model.optimizer.learning_rate)
        row["skipped_steps"] = _count(self.model.optimizer.skipped) - self.skipped
        row["seconds"] = round(time.perf_counter() - self.began, 3)
        if not math.isfinite(row["loss"]) or row["skipped_steps"] >= self.steps:
            raise KeraudioError(
                f"Training must keep a finite loss; lower `training.learning_rate` or set `training.clip_norm`. "
                f"Received: loss={row['loss']} in epoch {epoch}"
            )
        history = self.fitted.history
        keeps_last = self.settings.keep == "last"
        if not keeps_last and self.settings.monitor not in row:
            known = ", ".join(name for name in row if name.startswith("val_"))
            raise KeraudioError(f"`training.monitor` must be one of {known}. Received: {self.settings.monitor!r}")
        history.append(row)
        if keeps_last or epoch == 0 or _better(row, history[self.fitted.best_epoch], self.settings.monitor):
            self.fitted.best_epoch = epoch
            self.trained.save(self.folder / self.trained.file)
        patience = self.settings.patience
        # A stage's own first epochs count, however long ago the best one was.
        waited = epoch - max(self.fitted.best_epoch, self.fitted.stage_began - 1)
        if patience is not None and waited >= patience:
            if self.settings.schedule == "staged" and self.fitted.stage + 1 < self.settings.stages:
                self._begin_stage(epoch + 1)
            else:
                self.fitted.stopped_early = True
                self.model.stop_training = True
        facts = vars(self.fitted)
        # The state last: a kill before it repeats the epoch, and comes to the same files.
        _write_metrics(self.folder / METRICS_FILE, history)
        save_run_state(self.folder / STATE_FILE, self.model, facts)
        self.progress({"event": "epoch", "row": row, "best_epoch": self.fitted.best_epoch})

    def _begin_stage(self, epoch: int) -> None:
        """Goes back to the best weights, with a fresh optimizer and the next learning rate."""
        self.fitted.stage += 1
        self.fitted.stage_began = epoch
        best = self.trained.load(self.folder / self.trained.file)
        self.trained.model.set_weights(best.get_weights())
        optimizer = self.model.optimizer.inner_optimizer
        for variable in optimizer.variables:
            variable.assign(keras.ops.zeros(variable.shape, variable.dtype))
        optimizer.learning_rate = self.settings.learning_rate * self.settings.stage_factor**self.fitted.stage


def _count(variable: keras.Variable) -> int:
    return int(keras.ops.convert_to_numpy(variable.value))


def _seed_torch(seed: int, epoch: int) -> None:
    """Makes dropout on torch repeatable: there it draws from torch's own state, which no Keras variable holds."""
    if keras.backend.backend() == "torch":
        keras.utils.set_random_seed(int(np.random.SeedSequence((seed, epoch)).generate_state(1)[0]))


def _changes(model: keras.Model) -> dict[str, float]:
    """What layers tell of themselves, as columns `LAYER_NAME`: how far a window has come from where it began."""
    return {
        f"{layer.name}_{name}": value
        for layer in layers_of(model)
        for name, value in (layer.changes() if hasattr(layer, "changes") else {}).items()
    }


def _better(row: dict[str, float], best: dict[str, float], monitor: str) -> bool:
    return _merit(row, monitor) > _merit(best, monitor)


def _merit(row: dict[str, float], monitor: str) -> tuple[float, float]:
    # Accuracies tie often on small validation sets; the lower loss is then the better model.
    merit = -row["val_loss"] if monitor == "val_loss" else row[monitor]
    # A NaN would compare as neither better nor worse, and an epoch with one would stay the best for ever.
    return tuple(-math.inf if math.isnan(value) else value for value in (merit, -row["val_loss"]))  # type: ignore[return-value]


def read_history(folder: Path) -> list[dict[str, float]]:
    """The metrics of each epoch of the run in `folder`, as `Fitted.history` has them."""
    with (folder / METRICS_FILE).open(encoding="utf-8", newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def _write_metrics(path: Path, history: list[dict[str, float]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_text(path, text.getvalue())
