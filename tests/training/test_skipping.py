from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from layer_checks import array
from tones import tone_batches, tone_classifier

from keraudio.errors import KeraudioError
from keraudio.pipeline import Crops
from keraudio.training import Fitted, TrainingSettings, fit
from keraudio.training.settings import build_optimizer
from keraudio.training.skipping import FiniteMean, SkippingModel, SkippingOptimizer

pytestmark = pytest.mark.backends

# float32 sums of compiled code, whose order depends on what is compiled around them.
ROUNDING = {"rtol": 1e-6, "atol": 1e-7}


@dataclass(frozen=True)
class Poisoned(Crops):
    """Training batches some of which, by their number in the epoch, no float32 spectrum can hold."""

    poisoned: tuple[int, ...] = ()

    def batch(self, epoch: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        waveforms, labels = super().batch(epoch, step)
        return (waveforms * np.float32(1e30) if step in self.poisoned else waveforms), labels


@dataclass(frozen=True)
class Without(Crops):
    """Training batches without the one in the middle of three."""

    @property
    def steps(self) -> int:
        return 2

    def batch(self, epoch: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        return super().batch(epoch, 2 * step)


def as_kind(kind: type[Crops], crops: Crops, **options: Any) -> Crops:
    return kind(**{field.name: getattr(crops, field.name) for field in fields(Crops)}, **options)


def run(folder: Path, crops: Crops, valid: Any, *, resume: bool = False, **settings: Any) -> tuple[Fitted, Any]:
    folder.mkdir(exist_ok=True)
    keras.utils.set_random_seed(0)
    chosen = {"epochs": 2, "batch_size": 4, "learning_rate": 0.02, "schedule": "constant"} | settings
    classifier = tone_classifier()
    return fit(classifier, crops, valid, TrainingSettings(**chosen), folder=folder, resume=resume), classifier


def test_a_step_that_is_not_finite_is_as_if_it_had_not_been(tmp_path: Path, clips: Any) -> None:
    crops, valid = tone_batches(clips)
    assert crops.steps == 3
    fitted, skipping = run(tmp_path / "poisoned", as_kind(Poisoned, crops, poisoned=(1,)), valid)
    expected, without = run(tmp_path / "without", as_kind(Without, crops), valid)
    for row, other in zip(fitted.history, expected.history, strict=True):
        assert (row["skipped_steps"], other["skipped_steps"]) == (1, 0)
        assert row["val_loss"] == pytest.approx(other["val_loss"], rel=1e-5)
    # Statistics of batch normalization among them.
    for weight, other in zip(skipping.weights, without.weights, strict=True):
        np.testing.assert_allclose(array(weight), array(other), **ROUNDING)
    assert "skipped_steps" in (tmp_path / "poisoned" / "metrics.csv").read_text().splitlines()[0].split(",")


def test_an_epoch_without_a_finite_step_is_an_error(tmp_path: Path, clips: Any) -> None:
    crops, valid = tone_batches(clips)
    with pytest.raises(KeraudioError, match="finite loss; .* Received: loss=.* in epoch 0"):
        run(tmp_path, as_kind(Poisoned, crops, poisoned=(0, 1, 2)), valid)


def test_a_resumed_run_goes_on_with_its_count_and_its_accumulated_gradients(tmp_path: Path, clips: Any) -> None:
    crops, valid = tone_batches(clips)
    crops = as_kind(Poisoned, crops, poisoned=(1,))
    settings = {
        # Three steps an epoch: one is skipped, so an update begins in one epoch and ends in the next.
        "accumulate": 4,
        "schedule": "milestones",
        "milestones": (1, 2),
        "warmup_steps": 1,
        "clip_norm": 1.0,
        "optimizer": "adam",
        "beta_2": 0.9,
    }
    unbroken, whole = run(tmp_path / "whole", crops, valid, epochs=3, **settings)
    run(tmp_path / "broken", crops, valid, epochs=1, **settings)
    resumed, broken = run(tmp_path / "broken", crops, valid, epochs=3, resume=True, **settings)
    for row, other in zip(resumed.history, unbroken.history, strict=True):
        assert row["skipped_steps"] == 1
        assert {**row, "seconds": 0} == pytest.approx({**other, "seconds": 0}, rel=1e-6)
    for weight, other in zip(broken.weights, whole.weights, strict=True):
        np.testing.assert_allclose(array(weight), array(other), **ROUNDING)


class Line(SkippingModel):
    """A dense layer; no functional model, which would change the class for all that come after."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(1, kernel_initializer="ones", name="dense")

    def build(self, input_shape: Any) -> None:
        self.dense.build(input_shape)

    def call(self, inputs: Any) -> Any:
        return self.dense(inputs)


def small_model(loss: Any, **settings: Any) -> SkippingModel:
    model = Line()
    chosen = {"learning_rate": 0.1, "schedule": "constant", **settings}
    model.compile(build_optimizer(TrainingSettings(**chosen), 10), loss=loss)
    model.build((None, 2))
    model.optimizer.build(model.trainable_variables)
    return model


def state(model: keras.Model) -> list[np.ndarray]:
    return [array(variable) for variable in (*model.weights, *model.optimizer.inner_optimizer.variables)]


def endless_above_one(y: Any, prediction: Any) -> Any:
    """A loss that is infinite for targets above 1, with a slope of zero there."""
    return keras.ops.where(y > 1, np.inf, keras.ops.square(prediction - keras.ops.minimum(y, 1.0)))


@pytest.mark.parametrize(
    ("x", "y"), [(np.nan, 0.0), (1e30, 0.0), (1.0, 5.0)], ids=["NaN", "overflow", "endless loss of finite slope"]
)
def test_weights_moments_and_the_place_in_the_schedule_stay(x: float, y: float) -> None:
    model = small_model(endless_above_one)
    good = np.ones((4, 2), "float32"), np.zeros((4, 1), "float32")
    bad = good[0].copy(), good[1].copy()
    bad[0][0], bad[1][0] = x, y
    model.train_on_batch(*good)
    before = state(model)
    model.train_on_batch(*bad)
    for value, old in zip(state(model), before, strict=True):
        np.testing.assert_array_equal(value, old)
    assert int(array(model.optimizer.skipped)) == 1
    model.train_on_batch(*good)
    assert (state(model)[0] != before[0]).all() and int(array(model.optimizer.iterations)) == 2


def apply(optimizer: SkippingOptimizer, gradient: list[float], weight: keras.Variable) -> None:
    """A step as each backend's `fit` takes it."""
    gradients = [keras.ops.convert_to_tensor(gradient)]
    if keras.backend.backend() != "jax":
        optimizer.apply(gradients, [weight])
        return
    values = [variable.value for variable in optimizer.variables]
    (value,), values = optimizer.stateless_apply(values, gradients, [weight.value])
    weight.assign(value)
    for variable, value in zip(optimizer.variables, values, strict=True):
        variable.assign(value)


def test_accumulated_steps_make_one_update_by_their_mean_whose_norm_is_bound() -> None:
    settings = {"optimizer": "sgd", "weight_decay": 0.0, "clip_norm": 1.0, "accumulate": 2}
    optimizer = build_optimizer(TrainingSettings(learning_rate=0.1, schedule="constant", **settings), 10)
    weight = keras.Variable([1.0, 1.0])
    optimizer.build([weight])
    for gradient, moved in (([6.0, 0.0], 0), ([np.nan, 0.0], 0), ([0.0, 8.0], 1)):
        before = array(weight)
        apply(optimizer, gradient, weight)
        assert (array(weight) != before).any() == bool(moved)
    # The mean of (6, 0) and (0, 8) is (3, 4), of norm 5; Nesterov's first step is 1 + 0.9 times the plain one.
    np.testing.assert_allclose(array(weight), [1 - 0.1 * 1.9 * 0.6, 1 - 0.1 * 1.9 * 0.8], rtol=1e-5)
    assert int(array(optimizer.skipped)) == 1


def test_a_scale_that_is_too_high_for_float16_is_halved_and_does_not_count() -> None:
    optimizer = SkippingOptimizer(keras.optimizers.SGD(0.5), scale=True)
    optimizer.dynamic_growth_steps = 2
    weight = keras.Variable([1.0])
    optimizer.build([weight])
    optimizer.dynamic_scale.assign(2.0)
    seen = []
    for gradient in (np.inf, np.inf, 1.0, 1.0, 1.0):
        apply(optimizer, [gradient], weight)
        values = (weight[0], optimizer.dynamic_scale, optimizer.skipped)
        seen.append(tuple(float(array(value)) for value in values))
    # 0.5 is too low a scale to blame for what is not finite; two good steps double it.
    assert seen == [(1, 1, 0), (1, 0.5, 1), (0, 0.5, 1), (-1, 1, 1), (-1.5, 1, 1)]


def test_the_mean_leaves_out_only_what_it_is_told_to() -> None:
    mean = FiniteMean(name="loss")
    assert np.isnan(float(array(mean.result())))
    with mean.skipping():
        mean.update_state(keras.ops.convert_to_tensor(np.nan), sample_weight=4)
        assert np.isnan(float(array(mean.result())))
        mean.update_state(keras.ops.convert_to_tensor(2.0), sample_weight=1)
        mean.update_state(keras.ops.convert_to_tensor(5.0), sample_weight=2)
    assert float(array(mean.result())) == pytest.approx(4.0)
    mean.update_state(keras.ops.convert_to_tensor(np.nan))
    assert np.isnan(float(array(mean.result())))


def test_a_validation_loss_that_is_not_finite_is_told() -> None:
    model = small_model("mse")
    bad = np.array([[1.0, 1.0], [np.nan, 1.0]], "float32"), np.zeros((2, 1), "float32")
    model.train_on_batch(np.ones((2, 2), "float32"), bad[1])
    assert np.isnan(model.test_on_batch(*bad, return_dict=True)["loss"])
