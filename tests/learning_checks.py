"""What every layer that learns must keep; `layer_checks.every_check` runs these where a case has trained weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from layer_case import LayerCase, Tilt, array, distance, run, sum_weights, weight_gradients


def weights_gradients_are_slopes(case: LayerCase, tmp_path: Path) -> None:
    """Along one entry of each weight, that of the largest gradient, and along a mixture of all.

    The tolerance is 1 % of the slope beside three times what the differences themselves are unsure of, which must be
    little against the largest slope, or the check would say nothing.
    """
    layer = case.build()
    x = case.inputs(2)
    case.call(layer, keras.Input(x.shape[1:]))
    gradients = weight_gradients(layer, x, lambda tensor: case.call(layer, tensor))
    output_at = _output_of_weights(case, layer, x)
    values = [array(weight) for weight in layer.trainable_weights]
    here = output_at(values)
    random = np.random.default_rng(3)
    for number, (weight, value, slopes) in enumerate(zip(layer.trainable_weights, values, gradients, strict=True)):
        size = _sizes(value)
        largest = np.zeros(value.shape)
        largest.flat[np.argmax(np.abs(slopes * size))] = 1
        mixture = random.choice([-1.0, 1.0], value.shape)
        if weight.path.endswith(tuple(case.idle)):
            assert np.max(np.abs(slopes)) < 1e-4, weight.path
            continue
        sure = False
        for direction in (largest * size, mixture * size):

            def output(step: float, number=number, value=value, direction=direction) -> np.ndarray:
                moved = (value + step * direction).astype("float32")
                return output_at([*values[:number], moved, *values[number + 1 :]])

            slope, unsure = _slope(output, here)
            actual = float(np.sum(slopes.astype("float64") * direction))
            assert abs(actual - slope) <= 0.01 * abs(slope) + 3 * unsure, (weight.path, actual, slope, unsure)
            sure = sure or 3 * unsure <= 0.05 * abs(slope)
        assert sure, f"{weight.path}: the output does not tell how it depends on the weight"


def _output_of_weights(case: LayerCase, layer: keras.Layer, x: np.ndarray) -> Callable[[list[np.ndarray]], np.ndarray]:
    """The layer's output at `x` for values of its trainable weights, which stay as they are."""
    weights = layer.trainable_weights

    def pure(values):
        with keras.StatelessScope(state_mapping=list(zip(weights, values, strict=True))):
            return case.call(layer, x)

    name = keras.backend.backend()
    if name == "jax":
        import jax

        pure = jax.jit(pure)
    elif name == "torch":
        import torch

        pure = torch.no_grad()(pure)
    return lambda values: array(pure([keras.ops.convert_to_tensor(value) for value in values]))


def _sizes(value: np.ndarray) -> np.ndarray:
    """How far each entry of a weight may move: its own size, or where that is next to nothing, 1 % of the others'."""
    typical = np.sqrt(np.mean(np.square(value.astype("float64"))))
    return np.maximum(np.abs(value), 0.01 * typical) if typical else np.ones(value.shape)


def _slope(output: Callable[[float], np.ndarray], here: np.ndarray) -> tuple[float, float]:
    """Slope at `here`, 0, of the weighted sum of `output(step)`, and what it is unsure of, by Ridders' method (1982).

    Central differences of steps from 0.1 down, each a quarter of the one before, extrapolated to none: long steps err
    by curvature, short ones by float32's rounding, and each estimate's distance from its neighbours tells. Rounding is
    taken as two units in the last place of every term, independent of each other, so that steps too short to be seen,
    whose differences agree on nothing, are not believed.
    """
    terms = sum_weights(here.shape).astype("float64")
    rounding = 2.0**-22 * float(np.linalg.norm(terms * here))
    rows: list[list[float]] = []
    best, unsure = 0.0, np.inf
    for level in range(5):
        step = 0.1 * 0.25**level
        rise = np.sum(terms * (output(step).astype("float64") - output(-step)))
        row = [rise / (2 * step)]
        for order, coarser in enumerate(rows[-1][:2] if rows else [], start=1):
            row.append(row[-1] + (row[-1] - coarser) / (16**order - 1))
            error = max(abs(row[-1] - row[-2]), abs(row[-1] - coarser)) + rounding / step
            if error < unsure:
                best, unsure = row[-1], error
        rows.append(row)
    return float(best), float(unsure)


def _is_valid(weight: Any) -> bool:
    """Whether a weight is where its constraint would leave it, but for rounding."""
    if weight.constraint is None:
        return True
    return distance(weight.constraint(weight.value), array(weight)) < 1e-6


def learned_weights_move_and_lower_the_loss(case: LayerCase, tmp_path: Path) -> None:
    """Towards the output of the same layer with each weight changed by up to a tenth, in eight steps of Adam."""
    x = case.inputs(4)
    layer = case.build()
    model = case.model(layer, length=case.shape[0])
    weights = layer.trainable_weights
    assert all(map(_is_valid, weights))
    begun = [array(weight) for weight in weights]
    start = array(run(model, x))
    random = np.random.default_rng(4)
    changes = []
    for weight, value in zip(weights, begun, strict=True):
        weight.assign(value + 0.1 * random.uniform(-1, 1, value.shape) * _sizes(value))
        if weight.constraint is not None:
            weight.assign(weight.constraint(weight.value))
        changes.append(np.sqrt(np.mean(np.square(array(weight) - value))))
    target = array(run(model, x))
    for weight, value in zip(weights, begun, strict=True):
        weight.assign(value)
    # Measured in what there is to gain, or Adam's epsilon would stop small outputs.
    gain = float(np.mean(np.square(start - target)))

    def loss(expected, actual):
        return keras.ops.mean(keras.ops.square(expected - actual)) / gain

    # Steps of a hundredth of the way lower it, whatever the curvature.
    optimizer = keras.optimizers.Adam(0.01 * float(min(changes)))
    model.compile(optimizer, loss, jit_compile=keras.backend.backend() != "torch")
    losses = [float(model.train_on_batch(x, target)) for _ in range(8)]
    assert losses[-1] < losses[0] < np.inf, losses
    for weight, value in zip(weights, begun, strict=True):
        moved = (array(weight) != value).any() or weight.path.endswith(tuple(case.idle))
        assert np.isfinite(array(weight)).all() and moved, weight.path
        assert _is_valid(weight), weight.path


def learning_can_be_switched_between_two_fits(case: LayerCase, tmp_path: Path) -> None:
    x = case.inputs(4)
    layer = case.build()
    inputs = keras.Input(x.shape[1:])
    # The tilt learns all the while, so that there is always something to fit.
    model = keras.Model(inputs, case.call(layer, Tilt()(inputs)))
    learned = layer.trainable_weights
    target = np.zeros((4, *model.output_shape[1:]), "float32")
    for trainable in (False, True, False):
        layer.trainable = trainable
        assert len(layer.trainable_weights) == (case.trainable if trainable else 0)
        before = [array(weight) for weight in learned]
        # Tracing three graphs of TensorFlow takes longer than running none.
        model.compile(keras.optimizers.Adam(1e-3), "mse", run_eagerly=keras.backend.backend() == "tensorflow")
        model.train_on_batch(x, target)
        for weight, value in zip(learned, before, strict=True):
            moved = bool((array(weight) != value).any())
            assert moved == trainable or weight.path.endswith(tuple(case.idle)), weight.path


LEARNING_CHECKS = [
    weights_gradients_are_slopes,
    learned_weights_move_and_lower_the_loss,
    learning_can_be_switched_between_two_fits,
]
