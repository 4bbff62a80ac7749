from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import pytest
from layer_checks import LayerCase, array, distance, every_check, run
from scipy.signal import correlate

from keraudio.layers import PeakConv

pytestmark = pytest.mark.backends

SMALL = partial(PeakConv, 3, (4, 3), kernel_initializer=keras.initializers.GlorotUniform(seed=1))


def with_weights(layer: PeakConv, bins: int) -> list[np.ndarray]:
    """Gives a layer random weights, some of whose filters turn the order of responses round."""
    layer.build((None, None, bins))
    random = np.random.default_rng(1)
    values = [random.standard_normal(weight.shape).astype("float32") for weight in layer.weights]
    values[2] = np.abs(values[2]) * [1, -1, 1, -1, -1]
    values[5] = np.abs(values[5]) + 0.5
    layer.set_weights(values)
    return values


def truth(x: np.ndarray, values: list[np.ndarray], epsilon: float = 0.001) -> np.ndarray:
    """In float64, in the published order: convolution, ReLU, normalization, maximum."""
    kernel, bias, gamma, beta, mean, variance = (value.astype("float64") for value in values)
    frames = kernel.shape[0]
    padded = np.pad(x.astype("float64"), [(0, 0), ((frames - 1) // 2, frames - 1 - (frames - 1) // 2), (0, 0)])
    responses = np.stack(
        [np.stack([correlate(row, kernel[..., 0, f], "valid") for f in range(len(bias))], -1) for row in padded]
    )
    normed = (np.maximum(responses + bias, 0) - mean) / np.sqrt(variance + epsilon) * gamma + beta
    return normed.max(axis=2)


@every_check(LayerCase(SMALL, (9, 5), (1, 2, 9), weights=6, trainable=4, follows_policy=True))
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


@pytest.mark.parametrize(("kernel_size", "frames", "bins"), [((4, 3), 9, 5), ((7, 1), 3, 4), ((1, 6), 5, 6)])
def test_it_is_the_maximum_of_what_scipy_convolves(kernel_size, frames, bins) -> None:
    layer = PeakConv(5, kernel_size)
    values = with_weights(layer, bins)
    x = np.random.default_rng(0).standard_normal((2, frames, bins)).astype("float32")
    # Sums of at most 12 float32 products.
    assert distance(run(layer, x), truth(x, values)) < 1e-5


def test_training_takes_the_statistics_of_all_responses() -> None:
    layer = PeakConv(5, (3, 2))
    values = with_weights(layer, 6)
    x = np.random.default_rng(0).standard_normal((4, 8, 6)).astype("float32")
    conv = keras.layers.Conv2D(5, (3, 2), activation="relu")
    conv.build((None, None, 6, 1))
    conv.set_weights(values[:2])
    responses = array(conv(np.pad(x, [(0, 0), (1, 1), (0, 0)])[..., None])).astype("float64")
    expected = truth(x, [*values[:4], responses.mean((0, 1, 2)), responses.var((0, 1, 2))])
    assert distance(layer(x, training=True), expected) < 1e-5
    # Keras' momentum of 0.99.
    np.testing.assert_allclose(
        array(layer.norm.moving_mean), 0.99 * values[4] + 0.01 * responses.mean((0, 1, 2)), atol=1e-5
    )


def test_a_frozen_layer_keeps_its_statistics_in_training() -> None:
    layer = PeakConv(5, (3, 2))
    values = with_weights(layer, 6)
    layer.trainable = False
    x = np.random.default_rng(0).standard_normal((4, 8, 6)).astype("float32")
    assert distance(layer(x, training=True), truth(x, values)) < 1e-5
    np.testing.assert_array_equal(array(layer.norm.moving_mean), values[4])


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ((0, (3, 2)), "`filters` must be at least 1. Received: filters=0"),
        ((3, (0, 2)), r"`kernel_size` must be \(frames, bins\) of at least 1. Received: \(0, 2\)"),
        ((3, (3, 2, 1)), "`kernel_size` must be"),
    ],
)
def test_wrong_arguments_are_named(arguments, rule) -> None:
    with pytest.raises(ValueError, match=f"^{rule}"):
        PeakConv(*arguments)


def test_a_wrong_epsilon_is_named() -> None:
    with pytest.raises(ValueError, match="^`epsilon` must be positive. Received: epsilon=0"):
        PeakConv(3, (3, 2), epsilon=0)


def test_too_few_bins_are_named() -> None:
    with pytest.raises(ValueError, match="The input must have at least 6 bins. Received"):
        PeakConv(3, (3, 6)).build((None, 10, 5))
