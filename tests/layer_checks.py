"""What every layer must keep, checked in one place: each layer's test file runs `every_check` over its cases."""

import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from layer_case import (
    LayerCase,
    Tilt,
    array,
    compiled,
    distance,
    drawn,
    edge_signals,
    gradient,
    run,
    sum_weights,
    weight_gradients,
)
from learning_checks import (
    LEARNING_CHECKS,
    learned_weights_move_and_lower_the_loss,
    learning_can_be_switched_between_two_fits,
)

# All that test files use, from this one place.
__all__ = [
    "POLICIES",
    "LayerCase",
    "Tilt",
    "array",
    "compiled",
    "distance",
    "drawn",
    "edge_signals",
    "every_check",
    "gradient",
    "run",
    "sum_weights",
    "weight_gradients",
]

POLICIES = {"float32": 1e-6, "mixed_bfloat16": 2.0**-7, "mixed_float16": 2.0**-10}
"""Policies, and one step of the compute dtype's mantissa: what a result may move by when it is rounded to it."""


def weights_are_counted(case: LayerCase, tmp_path: Path) -> None:
    layer = case.build()
    case.apply(layer, case.inputs())
    assert len(layer.weights) == case.weights
    assert len(layer.trainable_weights) == case.trainable


def shapes_are_foretold(case: LayerCase, tmp_path: Path) -> None:
    for length in case.lengths or (case.shape[0],):
        layer = case.build()
        x = case.inputs(2, length)
        symbolic = case.call(layer, keras.Input(x.shape[1:]))
        real = tuple(run(lambda tensor, layer=layer: case.apply(layer, tensor), x).shape)
        assert tuple(symbolic.shape) == (None, *real[1:]), length
        if case.call is LayerCase.call:
            assert tuple(layer.compute_output_shape(x.shape)) == real, length
    if case.lengths:
        unknown = case.call(case.build(), keras.Input((None, *case.shape[1:]))).shape
        assert unknown[1] is None or unknown[1] == real[1]
        assert tuple(unknown[2:]) == real[2:]


def config_rebuilds_the_layer(case: LayerCase, tmp_path: Path) -> None:
    layer = case.build()
    config = layer.get_config()
    again = type(layer).from_config(json.loads(json.dumps(config)))
    assert again.get_config() == config
    x = case.inputs()
    np.testing.assert_array_equal(array(case.call(again, x)), array(case.call(layer, x)))


def file_gives_the_same_bits(case: LayerCase, tmp_path: Path) -> None:
    model = case.model(case.build())
    x = case.inputs()
    before = model.predict(x, verbose=0)
    model.save(tmp_path / "layer.keras")
    after = keras.saving.load_model(tmp_path / "layer.keras").predict(x, verbose=0)
    np.testing.assert_array_equal(after, before)


def length_may_be_unknown(case: LayerCase, tmp_path: Path) -> None:
    layer = case.build()
    model = case.model(layer)
    for length in (case.lengths[0], case.lengths[len(case.lengths) // 2], case.lengths[-1]) if case.lengths else ():
        x = case.inputs(2, length)
        # Compiled and eager code may add up in another order.
        assert distance(model.predict(x, verbose=0), array(run(lambda tensor: case.call(layer, tensor), x))) < 2e-6, (
            length
        )


def policies_are_followed(case: LayerCase, tmp_path: Path) -> None:
    x = case.inputs()
    exact = array(case.call(case.build(dtype="float32"), x))
    for policy, step in POLICIES.items():
        layer = case.build(dtype=policy)
        result = case.call(layer, x)
        expected = layer.compute_dtype if case.follows_policy else "float32"
        assert keras.backend.standardize_dtype(result.dtype) == expected
        assert keras.backend.standardize_dtype(case.call(layer, keras.Input(x.shape[1:])).dtype) == expected
        assert distance(result, exact) <= (step if case.follows_policy else 0), policy
        if case.random:
            trained = case.apply(layer, x)
            assert keras.backend.standardize_dtype(trained.dtype) == expected
            assert np.isfinite(array(trained)).all(), policy


def edges_stay_finite(case: LayerCase, tmp_path: Path) -> None:
    layer = case.build()
    case.call(layer, keras.Input(case.shape))
    signals = edge_signals(case.shape)
    batches = [(list(signals), np.stack(list(signals.values())))]
    if case.lengths:
        batches.append((["one sample"], np.ones((1, 1, *case.shape[1:]), "float32")))
    for names, x in batches:
        output = run(lambda tensor: case.apply(layer, tensor), x)
        for values in (array(output), gradient(lambda tensor: case.apply(layer, tensor), x)):
            finite = np.isfinite(values).reshape(len(x), -1).all(axis=1)
            assert finite.all(), [name for name, whole in zip(names, finite, strict=True) if not whole]


def a_training_step_runs(case: LayerCase, tmp_path: Path) -> None:
    x = case.inputs(4)
    tilt = Tilt()
    inputs = keras.Input(x.shape[1:])
    model = keras.Model(inputs, case.call(case.build(), tilt(inputs)))
    compiles = keras.backend.backend() in ("tensorflow", "jax")
    model.compile(keras.optimizers.Adam(1e-3), loss="mse", jit_compile=compiles)
    target = np.zeros((4, *model.output_shape[1:]), "float32")
    loss = model.train_on_batch(x, target)
    assert np.isfinite(loss)
    assert np.isfinite(array(tilt.factors)).all()
    assert (array(tilt.factors) != 1).any(), "no gradient came through"


def examples_are_independent(case: LayerCase, tmp_path: Path) -> None:
    if case.mixes_batch:
        return
    layer = case.build()
    x = case.inputs(3)
    x[1:] *= 1e4
    # A matrix product of another height adds up in another order.
    assert distance(case.call(layer, x)[:1], array(case.call(layer, x[:1]))) < 1e-6


CHECKS = [
    weights_are_counted,
    shapes_are_foretold,
    length_may_be_unknown,
    policies_are_followed,
    edges_stay_finite,
    examples_are_independent,
    config_rebuilds_the_layer,
    file_gives_the_same_bits,
    a_training_step_runs,
]
# These compile or write a whole model, and other options of the same layer go the same way.
ONCE_A_LAYER = {
    config_rebuilds_the_layer,
    file_gives_the_same_bits,
    a_training_step_runs,
    learned_weights_move_and_lower_the_loss,
    learning_can_be_switched_between_two_fits,
}


def every_check(*cases: LayerCase) -> Callable:
    """Parametrizes a test over the checks of all cases; the test runs `check(case, tmp_path)`."""
    parameters = [
        pytest.param(check, case, id=f"{check.__name__}-{number}")
        for number, case in enumerate(cases)
        for check in (CHECKS + LEARNING_CHECKS if case.trainable else CHECKS)
        if number == 0 or check not in ONCE_A_LAYER
    ]
    return pytest.mark.parametrize(("check", "case"), parameters)
