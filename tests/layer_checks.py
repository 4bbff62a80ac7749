"""What every layer must keep, checked in one place: each layer's test file runs `CHECKS` over its cases."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

POLICIES = {"float32": 1e-6, "mixed_bfloat16": 2.0**-7, "mixed_float16": 2.0**-10}
"""Policies, and one step of the compute dtype's mantissa: what a result may move by when it is rounded to it."""


@dataclass(frozen=True)
class LayerCase:
    """A layer and the inputs it takes.

    Attributes:
        build: makes a fresh layer; passes keyword arguments such as `dtype` on.
        shape: of one example, with the length that varies first.
        lengths: values of that length at which shapes may change.
        weights: number of weights, and `trainable` of them are trained.
        follows_policy: the output has the policy's compute dtype, else always float32.
        random: takes `training`, and rests without it.
        mixes_batch: an example's result depends on others, by design.
        positive: inputs are at least 0.
        call: applies the layer to one tensor, where it does not take and give just that.
    """

    build: Callable[..., keras.Layer]
    shape: tuple[int, ...]
    lengths: Sequence[int] = ()
    weights: int = 0
    trainable: int = 0
    follows_policy: bool = False
    random: bool = False
    mixes_batch: bool = False
    positive: bool = False
    call: Callable[..., Any] = lambda layer, x, **options: layer(x, **options)

    def apply(self, layer: keras.Layer, x: Any) -> Any:
        """The layer's output, in training where that is what it is for."""
        return self.call(layer, x, **({"training": True} if self.random else {}))

    def inputs(self, batch: int = 3, length: int | None = None) -> np.ndarray:
        """White noise in [-1, 1], or [0, 1]."""
        shape = (batch, self.shape[0] if length is None else length, *self.shape[1:])
        noise = np.random.default_rng(0).uniform(-1, 1, shape).astype("float32")
        return np.abs(noise) if self.positive else noise

    def model(self, layer: keras.Layer, *, length: int | None = None) -> keras.Model:
        """A functional model of the layer alone; its length is dynamic unless given."""
        x = keras.Input((length, *self.shape[1:]) if self.lengths else self.shape)
        return keras.Model(x, self.call(layer, x))


def array(tensor: Any) -> np.ndarray:
    """A tensor of any backend and dtype (bfloat16, too) as float32."""
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32")))


def distance(actual: Any, expected: Any) -> float:
    """Largest difference, as a share of the expected peak."""
    expected = np.asarray(expected)
    actual = array(actual)
    assert actual.shape == expected.shape, (actual.shape, expected.shape)
    return float(np.max(np.abs(actual - expected)) / max(np.max(np.abs(expected)), 1e-30))


def _stateless(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`function` with its changes of variables (seeds) thrown away, so that JAX may trace it."""

    def pure(x):
        with keras.StatelessScope():
            return function(x)

    return pure


def run(function: Callable[[Any], Any], x: np.ndarray) -> Any:
    """`function(x)`, compiled as a whole on JAX, which would compile it op by op and shape by shape."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(_stateless(function))(x)
    return function(x)


def gradient(function: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    """Gradient of a weighted sum of `function(x)`; the weights differ, so that no two terms cancel by chance."""

    def loss(tensor):
        result = keras.ops.cast(function(tensor), "float32")
        size = int(np.prod(result.shape))
        weights = np.random.default_rng(1).uniform(0.5, 1.5, size).astype("float32").reshape(result.shape)
        return keras.ops.sum(result * keras.ops.convert_to_tensor(weights))

    name = keras.backend.backend()
    if name == "tensorflow":
        import tensorflow as tf

        tensor = tf.convert_to_tensor(x)
        with tf.GradientTape() as tape:
            tape.watch(tensor)
            value = loss(tensor)
        return array(tape.gradient(value, tensor))
    if name == "jax":
        import jax

        return array(jax.jit(jax.grad(_stateless(loss)))(x))
    import torch

    tensor = torch.tensor(x, requires_grad=True)
    loss(tensor).backward()
    return array(tensor.grad)


def edge_signals(shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Examples that break careless logarithms, roots and divisions."""
    impulse, wall = np.zeros((2, *shape), "float32")
    impulse[shape[0] // 2] = 1
    wall[shape[0] // 2 :] = 1
    noise = np.random.default_rng(2).uniform(0, 1, shape).astype("float32")
    return {
        "silence": np.zeros(shape, "float32"),
        "full scale": np.ones(shape, "float32"),
        "impulse": impulse,
        "wall": wall,
        # What decoders leave of a fade: its square is below float32's smallest number.
        "faint": 1e-20 * noise,
        "quiet": 1e-12 * noise,
    }


@keras.saving.register_keras_serializable(package="tests")
class Tilt(keras.layers.Layer):
    """Trained numbers before the layer under test, so that a training step has something to move."""

    def build(self, input_shape):
        self.factors = self.add_weight(name="factors", shape=tuple(input_shape[1:]), initializer="ones")

    def call(self, inputs):
        return inputs * self.factors


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
ONCE_A_LAYER = {config_rebuilds_the_layer, file_gives_the_same_bits, a_training_step_runs}


def every_check(*cases: LayerCase) -> Callable:
    """Parametrizes a test over the checks of all cases; the test runs `check(case, tmp_path)`."""
    parameters = [
        pytest.param(check, case, id=f"{check.__name__}-{number}")
        for number, case in enumerate(cases)
        for check in CHECKS
        if number == 0 or check not in ONCE_A_LAYER
    ]
    return pytest.mark.parametrize(("check", "case"), parameters)
