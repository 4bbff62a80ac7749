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
        optimizer.inner_optimizer._iterations.assign(step)
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


def test_milestones_multiply_the_rate_after_their_epochs_behind_a_warm_up() -> None:
    # GAFX, section 4: 800 steps of warm-up, halved after 12, 24, 50 and 65 epochs; here of 200 steps.
    settings = {
        "epochs": 80,
        "learning_rate": 0.1,
        "schedule": "milestones",
        "milestones": (12, 24, 50, 65),
        "warmup_steps": 800,
    }
    steps = [0, 200, 800, 12 * 200 - 1, 12 * 200, 24 * 200, 50 * 200, 65 * 200, 80 * 200]
    expected = [0, 0.025, 0.1, 0.1, 0.05, 0.025, 0.0125, 0.00625, 0.00625]
    assert rates(settings, 200, steps) == pytest.approx(expected, abs=1e-8)
    settings |= {"warmup_steps": 0, "warmup_epochs": 4, "milestone_factor": 0.1}
    assert rates(settings, 200, [400, 800, 2400]) == pytest.approx([0.05, 0.1, 0.01])


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_a_warm_up_of_steps_is_one_of_their_share_of_an_epoch(schedule: str) -> None:
    settings = {"epochs": 5, "learning_rate": 0.1, "schedule": schedule}
    asked = [0, 1, 5, 10, 30]
    in_epochs = rates(settings | {"warmup_epochs": 0.5}, 10, asked)
    assert rates(settings | {"warmup_steps": 5}, 10, asked) == pytest.approx(in_epochs)


def test_with_accumulation_epochs_stay_epochs() -> None:
    settings = {"learning_rate": 0.1, "schedule": "milestones", "milestones": (1, 2), "warmup_steps": 4}
    assert rates(settings | {"accumulate": 4}, 12, [0, 2, 4, 11, 12, 24]) == pytest.approx(
        [0, 0.05, 0.1, 0.1, 0.05, 0.025]
    )


@pytest.mark.parametrize("name", ["adamw", "adam"])
def test_the_second_moment_keeps_its_share(name: str) -> None:
    chosen = build_optimizer(TrainingSettings(optimizer=name, beta_2=0.98), 10).inner_optimizer
    assert (chosen.beta_2, build_optimizer(TrainingSettings(optimizer=name), 10).inner_optimizer.beta_2) == (
        0.98,
        0.999,
    )


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
    assert (
        build_optimizer(TrainingSettings(optimizer="adam", weight_decay=0.5), 10).inner_optimizer.weight_decay is None
    )


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
        {"schedule": "exponential", "warmup_steps": 1},
        {"schedule": "staged", "patience": 1, "warmup_steps": 1},
        {"warmup_epochs": 1, "warmup_steps": 1},
        {"warmup_steps": -1},
        {"schedule": "milestones"},
        {"milestones": (3,)},
        {"schedule": "milestones", "milestones": (0, 3)},
        {"schedule": "milestones", "milestones": (5, 3)},
        {"schedule": "milestones", "milestones": (3,), "milestone_factor": 1.0},
        {"beta_2": 1.0},
        {"accumulate": 0},
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
