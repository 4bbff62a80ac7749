import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from layer_checks import array
from tones import tone_batches, tone_classifier, tone_clips

import keraudio
from keraudio.errors import KeraudioError
from keraudio.training import Fitted, TrainingSettings, fit
from keraudio.training.fit import _better

UseFeed = Callable[[str], None]

QUICK = {"epochs": 3, "batch_size": 4, "learning_rate": 0.02, "weight_decay": 0.0}


def train(folder: Path, clips: Any, *, seed: int = 0, **settings: Any) -> tuple[Fitted, Any]:
    folder.mkdir(exist_ok=True)
    keras.utils.set_random_seed(seed)
    chosen = TrainingSettings(**QUICK | settings)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(chosen.precision)
    try:
        classifier = tone_classifier()
    finally:
        keras.config.set_dtype_policy(before)
    return fit(classifier, *tone_batches(clips), chosen, folder=folder), classifier


# A rate so small that the weights stay as they are.
FROZEN = {"learning_rate": 1e-30, "schedule": "constant"}


def frozen_classifier() -> Any:
    """One whose normalization keeps its statistics while training."""
    keras.utils.set_random_seed(0)
    classifier = tone_classifier()
    for layer in classifier.backbone.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    return classifier


def table(folder: Path) -> list[dict[str, float]]:
    with open(folder / "metrics.csv", newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def cross_entropy(probabilities: np.ndarray, targets: np.ndarray) -> float:
    return float(-np.log((probabilities * targets).sum(axis=1)).mean())


@pytest.mark.backends
def test_training_learns_to_tell_two_tones(tmp_path: Path, clips: Any) -> None:
    fitted, classifier = train(tmp_path, clips, epochs=24, learning_rate=0.05)
    losses = [row["loss"] for row in fitted.history]
    assert losses[-1] < 0.5 * losses[0]
    waveforms, labels = tone_batches(clips)[1].batch(0, 0)
    probabilities = np.asarray(classifier.predict_on_batch(waveforms))
    assert (probabilities.argmax(axis=1) == labels.argmax(axis=1)).all()


@pytest.mark.backends
@pytest.mark.parametrize("kind", ["tf.data", "PyDataset"])
def test_the_run_folder_and_the_metrics_are_true(tmp_path: Path, clips: Any, kind: str, use_feed: UseFeed) -> None:
    use_feed(kind)
    fitted, classifier = train(tmp_path, clips)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics.csv", "model.keras", "state.npz"]
    assert table(tmp_path) == fitted.history
    assert [row["epoch"] for row in fitted.history] == [0, 1, 2]
    assert {"accuracy", "loss", "val_accuracy", "val_loss", "learning_rate", "seconds"} < set(fitted.history[0])

    # The last epoch's weights are in the classifier, the best epoch's in the file.
    valid = tone_batches(clips)[1]
    batches = [valid.batch(0, step) for step in range(valid.steps)]
    waveforms, targets = (np.concatenate(part) for part in zip(*batches, strict=True))
    best = keraudio.load(tmp_path / "model.keras")
    for model, row in ((classifier, fitted.history[-1]), (best, fitted.history[fitted.best_epoch])):
        probabilities = np.asarray(model.predict(waveforms, verbose=0), dtype="float64")
        # float32 of a network and of sums over batches.
        assert row["val_loss"] == pytest.approx(cross_entropy(probabilities, targets), rel=1e-3, abs=1e-5)
        assert row["val_accuracy"] == pytest.approx((probabilities.argmax(1) == targets.argmax(1)).mean())
    assert fitted.history[fitted.best_epoch]["val_loss"] == min(row["val_loss"] for row in fitted.history)


@pytest.mark.parametrize(("keep", "kept"), [("best", 0), ("last", 2)])
def test_of_epochs_as_good_the_first_is_kept_or_where_nothing_is_selected_the_last(
    tmp_path: Path, clips: Any, keep: str, kept: int
) -> None:
    settings = TrainingSettings(**QUICK | FROZEN | {"keep": keep})
    fitted = fit(frozen_classifier(), *tone_batches(clips), settings, folder=tmp_path)
    assert len({row["val_loss"] for row in fitted.history}) == 1 and fitted.best_epoch == kept


def test_without_validation_clips_the_last_epoch_is_kept(tmp_path: Path, clips: Any) -> None:
    keras.utils.set_random_seed(0)
    settings = TrainingSettings(**QUICK | {"keep": "last"})
    classifier = tone_classifier()
    fitted = fit(classifier, tone_batches(clips)[0], None, settings, folder=tmp_path)
    assert [name for name in fitted.history[0] if name.startswith("val_")] == [] and fitted.best_epoch == 2
    kept = keraudio.load(tmp_path / "model.keras")
    for one, other in zip(kept.get_weights(), classifier.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    resumed = fit(tone_classifier(), tone_batches(clips)[0], None, settings, folder=tmp_path, resume=True)
    assert resumed == fitted


@pytest.mark.backends
def test_both_kinds_of_feed_train_the_same_model(tmp_path: Path, clips: Any, use_feed: UseFeed) -> None:
    histories = []
    for kind in ("tf.data", "PyDataset"):
        use_feed(kind)
        fitted, _ = train(tmp_path / kind, clips)
        histories.append([[row["loss"], row["val_loss"]] for row in fitted.history])
    # One batch too many, too few or out of place changes the loss in its first digits.
    np.testing.assert_allclose(histories[0], histories[1], rtol=1e-4)


@pytest.mark.backends
def test_the_loss_of_an_epoch_is_the_mean_over_its_own_batches(tmp_path: Path, clips: Any) -> None:
    classifier = frozen_classifier()
    train_batches, valid = tone_batches(clips)
    settings = TrainingSettings(**QUICK | FROZEN | {"epochs": 2})
    fitted = fit(classifier, train_batches, valid, settings, folder=tmp_path)
    for epoch, row in enumerate(fitted.history):
        batches = [train_batches.batch(epoch, step) for step in range(train_batches.steps)]
        losses = [cross_entropy(np.asarray(classifier.predict_on_batch(x), "float64"), y) for x, y in batches]
        assert row["loss"] == pytest.approx(np.mean(losses), rel=1e-4)


@pytest.mark.backends
def test_multi_label_training_keeps_the_epoch_of_the_highest_auc(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    classifier = tone_classifier(multi_label=True)
    batches = tone_batches(tone_clips(tmp_path, multi_label=True))
    settings = TrainingSettings(**QUICK | {"monitor": "val_auc"})
    history = fit(classifier, *batches, settings, folder=tmp_path).history
    assert {"auc", "val_auc"} < set(history[0])
    assert all(0 <= row["val_auc"] <= 1 for row in history)


@pytest.mark.backends
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_trains_float32_weights(tmp_path: Path, clips: Any, precision: str) -> None:
    fitted, classifier = train(tmp_path, clips, epochs=2, precision=precision)
    assert all(math.isfinite(row["loss"]) and math.isfinite(row["val_loss"]) for row in fitted.history)
    assert fitted.history[0]["learning_rate"] == pytest.approx(0.01)
    assert {variable.dtype for variable in classifier.trainable_variables} == {"float32"}
    assert any(layer.compute_dtype == precision.removeprefix("mixed_") for layer in classifier.backbone.layers)


def test_training_stops_when_patience_runs_out(tmp_path: Path, clips: Any) -> None:
    settings = TrainingSettings(**QUICK | FROZEN | {"epochs": 9, "patience": 2})
    fitted = fit(frozen_classifier(), *tone_batches(clips), settings, folder=tmp_path)
    assert fitted.stopped_early and fitted.best_epoch == 0
    assert len(fitted.history) == 3


def test_without_patience_training_goes_to_the_end(tmp_path: Path, clips: Any) -> None:
    settings = TrainingSettings(**QUICK | FROZEN | {"epochs": 4})
    fitted = fit(frozen_classifier(), *tone_batches(clips), settings, folder=tmp_path)
    assert not fitted.stopped_early and fitted.best_epoch == 0 and len(fitted.history) == 4


def test_ties_of_accuracy_go_to_the_lower_loss(tmp_path: Path, clips: Any) -> None:
    history = (result := train(tmp_path, clips, epochs=6, monitor="val_accuracy")[0]).history
    best = max(row["val_accuracy"] for row in history)
    assert history[result.best_epoch]["val_loss"] == min(r["val_loss"] for r in history if r["val_accuracy"] == best)


@pytest.mark.backends
def test_a_loss_that_is_no_longer_finite_is_an_error_that_says_what_to_do(tmp_path: Path, clips: Any) -> None:
    with pytest.raises(KeraudioError, match=r"finite loss; lower `training.learning_rate`.*Received: loss=.* in epoch"):
        train(tmp_path, clips, optimizer="sgd", learning_rate=1e30, epochs=5)


@pytest.mark.parametrize("monitor", ["val_loss", "val_accuracy"])
def test_an_epoch_without_a_validation_loss_is_never_the_better(monitor: str) -> None:
    lost = {"val_loss": math.nan, "val_accuracy": 0.5}
    found = {"val_loss": 9.0, "val_accuracy": 0.5}
    assert _better(found, lost, monitor)
    assert not _better(lost, found, monitor)


def test_a_monitor_that_is_not_measured_names_those_that_are(tmp_path: Path, clips: Any) -> None:
    with pytest.raises(KeraudioError, match="`training.monitor` must be one of .*val_accuracy.*'val_auc'"):
        train(tmp_path, clips, monitor="val_auc")


def test_progress_tells_start_steps_and_epochs(tmp_path: Path, clips: Any) -> None:
    events: list[dict[str, Any]] = []
    batches = tone_batches(clips)
    settings = TrainingSettings(**QUICK | {"epochs": 2})
    fitted = fit(tone_classifier(), *batches, settings, folder=tmp_path, progress=events.append)
    steps = [{"event": "step", "step": step} for step in (1, 2, 3)]
    start = {"event": "start", "epoch": 0, "epochs": 2, "steps": 3}
    assert [event for event in events if event["event"] != "epoch"] == [start, *steps, *steps]
    assert [event["row"] for event in events if event["event"] == "epoch"] == fitted.history
    assert events[4]["event"] == "epoch" and events[-1]["best_epoch"] == fitted.best_epoch


def test_the_learning_rate_of_the_table_is_the_schedule_at_the_end_of_the_epoch(tmp_path: Path, clips: Any) -> None:
    history = train(tmp_path, clips, epochs=4, warmup_epochs=1)[0].history
    expected = [0.02 * 0.5 * (1 + math.cos(math.pi * done / 3)) for done in (0, 1, 2, 3)]
    assert [row["learning_rate"] for row in history] == pytest.approx(expected, abs=1e-8)


@pytest.mark.backends
def test_a_staged_rate_goes_on_from_the_best_epoch_with_a_fresh_optimizer(tmp_path: Path, clips: Any) -> None:
    # A rate that is too high overshoots, so that patience runs out at once.
    staged = {"optimizer": "sgd", "schedule": "staged", "stages": 3, "stage_factor": 0.01, "patience": 2}
    fitted, classifier = train(tmp_path, clips, epochs=60, learning_rate=0.5, **staged)
    rates = [row["learning_rate"] for row in fitted.history]
    assert fitted.stopped_early and fitted.stage == 2
    assert sorted(set(np.round(rates, 9)), reverse=True) == pytest.approx([0.5, 0.005, 0.00005])
    assert rates == sorted(rates, reverse=True)
    # A stage ends two epochs after its best one or its beginning; the rate of the table is the one that comes next.
    losses = [row["val_loss"] for row in fitted.history]
    began = 0
    for epoch in range(len(losses)):
        best = int(np.argmin(losses[: epoch + 1]))
        ends = epoch - max(best, began - 1) >= 2
        last = epoch == len(losses) - 1
        assert ends == (last or rates[epoch + 1] != rates[epoch])
        began = epoch + 1 if ends else began
    # The last stage, whose rate hardly moves, ends near the best epoch, of which the file is.
    best_weights = keraudio.load(tmp_path / "model.keras").trainable_weights
    for weight, kept in zip(classifier.trainable_weights, best_weights, strict=True):
        np.testing.assert_allclose(array(weight), array(kept), atol=0.02)


def test_a_resumed_staged_run_ends_as_the_unbroken_one(tmp_path: Path, clips: Any) -> None:
    staged = {"optimizer": "sgd", "schedule": "staged", "stages": 2, "stage_factor": 0.1, "patience": 1}
    unbroken, _ = train(tmp_path / "whole", clips, epochs=12, learning_rate=0.5, **staged)
    assert unbroken.stage == 1
    chosen = {"learning_rate": 0.5, **staged}
    # Broken off after the first epoch of the second stage.
    train(tmp_path / "broken", clips, epochs=unbroken.stage_began + 1, **chosen)
    keras.utils.set_random_seed(7)
    settings = TrainingSettings(**QUICK | chosen | {"epochs": 12})
    resumed = fit(tone_classifier(), *tone_batches(clips), settings, folder=tmp_path / "broken", resume=True)
    for one, other in zip(unbroken.history, resumed.history, strict=True):
        assert one["val_loss"] == pytest.approx(other["val_loss"], rel=1e-5)
        assert one["learning_rate"] == other["learning_rate"]
