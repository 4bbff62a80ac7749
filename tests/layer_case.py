"""A layer and its inputs; its results and gradients on any backend as NumPy arrays."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np


@dataclass(frozen=True)
class LayerCase:
    """A layer and the inputs it takes.

    Attributes:
        build: makes a fresh layer; passes keyword arguments such as `dtype` on.
        shape: of one example, with the length that varies first.
        lengths: values of that length at which shapes may change.
        weights: number of weights, and `trainable` of them are trained.
        idle: ends of the paths of trained weights that change nothing, by design.
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
    idle: Sequence[str] = ()
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


def drawn(layer: keras.Layer, x: Any, **options: Any) -> Any:
    """As `LayerCase.call` does by itself, of a layer that draws its weights: the same ones each time."""
    if not layer.built:
        keras.utils.set_random_seed(0)
    return layer(x, **options)


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


def compiled(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`function`, compiled as a whole on JAX, which would compile it op by op and shape by shape."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(_stateless(function))
    return function


def run(function: Callable[[Any], Any], x: np.ndarray) -> Any:
    """`function(x)`, compiled where that is quicker."""
    if isinstance(function, keras.layers.Layer) and not function.built:
        # Weights that are made while JAX traces would be lost with the trace.
        function(keras.Input(x.shape[1:]))
    return compiled(function)(x)


def sum_weights(shape: Sequence[int]) -> np.ndarray:
    """What each term of an output counts in the sum whose slopes are taken; so, no two terms cancel by chance."""
    size = int(np.prod(shape))
    return np.random.default_rng(1).uniform(0.5, 1.5, size).astype("float32").reshape(shape)


def weighted_sum(output: Any) -> Any:
    """The sum of an output, its terms weighted by `sum_weights`."""
    return keras.ops.sum(keras.ops.cast(output, "float32") * keras.ops.convert_to_tensor(sum_weights(output.shape)))


def gradient(function: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    """Gradient of the weighted sum of `function(x)` with regard to `x`."""

    def loss(tensor):
        return weighted_sum(function(tensor))

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


def weight_gradients(
    layer: keras.Layer, x: np.ndarray, function: Callable[[Any], Any] | None = None
) -> list[np.ndarray]:
    """Gradients of the weighted sum of `layer(x)` with regard to each of its trainable weights, in their order.

    `function` takes the place of the layer where that takes and gives more than one tensor.
    """
    function = function or layer
    if not layer.built:
        function(keras.Input(x.shape[1:]))
    variables = layer.trainable_weights
    name = keras.backend.backend()
    if name == "jax":
        import jax

        def loss(values):
            with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
                return weighted_sum(function(x))

        return [array(slope) for slope in jax.jit(jax.grad(loss))([variable.value for variable in variables])]
    values = [variable.value for variable in variables]
    if name == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(values)
            result = weighted_sum(function(x))
        slopes = tape.gradient(result, values)
    else:
        import torch

        result = weighted_sum(function(torch.tensor(x)))
        reached = result.requires_grad
        slopes = torch.autograd.grad(result, values, allow_unused=True) if reached else [None] * len(values)
    # None where the output does not depend on the weight; JAX gives zeros.
    return [np.zeros(v.shape) if slope is None else array(slope) for v, slope in zip(variables, slopes, strict=True)]


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
