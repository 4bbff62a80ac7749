import math
from typing import Any

import keras
import numpy as np
import pytest
from pydantic import ValidationError

from keraudio.training import TrainingSettings
from keraudio.training.settings import build_optimizer


def rates(settings: dict[str, Any], steps_per_epoch: int, steps: list[int]) -> list[float]:
    optimizer = build_optimizer(TrainingSettings(**settings), steps_per_epoch)
    found = []
    for step in steps:
        optimizer.iterations.assign(step)
        found.append(float(keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(optimizer.learning_rate))))
    return found


def test_cosine_falls_to_zero_over_the_run() -> None:
    found = rates({"epochs": 4, "learning_rate": 0.1}, 10, [0, 10, 20, 30, 40, 50])
    # 0.1 * (1 + cos(pi * share of the run)) / 2
    root = math.sqrt(0.5)
    assert found == pytest.approx([0.1, 0.05 * (1 + root), 0.05, 0.05 * (1 - root), 0, 0], abs=1e-8)


def test_the_warm_up_rises_from_zero_and_the_cosine_fills_the_rest() -> None:
    found = rates({"epochs": 5, "learning_rate": 0.1, "warmup_epochs": 1}, 10, [0, 1, 5, 10, 30, 50])
    assert found == pytest.approx([0, 0.01, 0.05, 0.1, 0.05, 0], abs=1e-8)


def test_the_warm_up_may_be_part_of_an_epoch() -> None:
    settings = {"epochs": 2, "learning_rate": 0.1, "warmup_epochs": 0.5, "schedule": "constant"}
    assert rates(settings, 8, [0, 1, 2, 4, 16, 99]) == pytest.approx([0, 0.025, 0.05, 0.1, 0.1, 0.1], abs=1e-8)


def test_constant_stays() -> None:
    assert rates({"learning_rate": 0.1, "schedule": "constant"}, 8, [0, 1000]) == pytest.approx([0.1, 0.1])


def test_exponential_falls_once_an_epoch() -> None:
    found = rates({"learning_rate": 0.1, "schedule": "exponential", "decay": 0.5}, 8, [0, 7, 8, 15, 16, 24])
    assert found == pytest.approx([0.1, 0.1, 0.05, 0.05, 0.025, 0.0125])


def test_a_warm_up_longer_than_the_run_ends_below_the_highest_rate() -> None:
    assert rates({"epochs": 1, "learning_rate": 0.1, "warmup_epochs": 2}, 10, [5, 10]) == pytest.approx([0.025, 0.05])


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_weight_decay_is_decoupled_and_spares_biases_and_normalization(name: str) -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.BatchNormalization()])
    for variable in model.trainable_variables:
        variable.assign(np.full(variable.shape, 2.0))
    settings = TrainingSettings(optimizer=name, learning_rate=0.1, weight_decay=0.5, schedule="constant")
    optimizer = build_optimizer(settings, 10)
    optimizer.build(model.trainable_variables)
    optimizer.apply([keras.ops.zeros(variable.shape) for variable in model.trainable_variables])
    after = {variable.name: keras.ops.convert_to_numpy(variable.value) for variable in model.trainable_variables}
    # Without a gradient the weights shrink by rate times decay: 2 * (1 - 0.1 * 0.5).
    np.testing.assert_allclose(after.pop("kernel"), 1.9, rtol=1e-6)
    assert sorted(after) == ["beta", "bias", "gamma"]
    for value in after.values():
        np.testing.assert_array_equal(value, 2.0)


def test_sgd_has_nesterov_momentum_and_the_norm_of_all_gradients_is_bound() -> None:
    variables = [keras.Variable([0.0]), keras.Variable([0.0])]
    settings = TrainingSettings(
        optimizer="sgd", learning_rate=0.1, weight_decay=0.0, schedule="constant", clip_norm=1.0
    )
    optimizer = build_optimizer(settings, 10)
    optimizer.build(variables)
    optimizer.apply([keras.ops.convert_to_tensor([3.0]), keras.ops.convert_to_tensor([4.0])])
    # (3, 4) has norm 5 and becomes (0.6, 0.8); Nesterov's first step is 1 + 0.9 times the plain one.
    found = [float(keras.ops.convert_to_numpy(variable.value)[0]) for variable in variables]
    assert found == pytest.approx([-0.1 * 1.9 * 0.6, -0.1 * 1.9 * 0.8], rel=1e-5)


def test_adam_has_no_weight_decay() -> None:
    assert build_optimizer(TrainingSettings(optimizer="adam", weight_decay=0.5), 10).weight_decay is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"learning_rate": 0},
        {"learning_rate": math.inf},
        {"learning_rate": math.nan},
        {"weight_decay": -0.1},
        {"label_smoothing": 1.0},
        {"clip_norm": 0},
        {"patience": 0},
        {"optimizer": "adamax"},
        {"schedule": "linear"},
        {"schedule": "exponential", "warmup_epochs": 1},
        {"schedule": "exponential", "decay": 0.0},
        {"decay": 1.1},
        {"monitor": "loss"},
        {"keep": "first"},
        {"keep": "last", "patience": 3},
        {"precision": "float64"},
        {"mixup": {"alpha": 0}},
        {"mixup": {"alpha": 0.2, "probability": 1.1}},
        {"mixup": {"beta": 0.2}},
        {"epoch": 3},
    ],
    ids=str,
)
def test_settings_out_of_their_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TrainingSettings(**wrong)
