from collections.abc import Callable

import keras
import numpy as np
import pytest
from layer_checks import LayerCase, array, every_check, gradient

from keraudio.layers import RangeNormalization

pytestmark = pytest.mark.backends


def decibels(examples: int = 10) -> np.ndarray:
    return np.random.default_rng(0).uniform(-80, 5, (examples, 7, 3)).astype("float32")


@every_check(
    LayerCase(RangeNormalization, (6, 5), (1, 2, 6), weights=3, follows_policy=True, random=True),
    LayerCase(RangeNormalization, (6, 5, 2), (1, 6), weights=3, follows_policy=True, random=True),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


def test_after_an_epoch_the_data_lie_between_minus_1_and_1() -> None:
    x = decibels()
    layer = RangeNormalization()
    inputs = keras.Input(x.shape[1:])
    model = keras.Model(inputs, layer(inputs))
    model.compile("sgd", loss="mse")
    model.fit(x, x, 4, verbose=0, shuffle=False)
    assert float(array(layer.low)) == x.min() and float(array(layer.high)) == x.max()
    expected = 2 * (x.astype("float64") - x.min()) / (x.max() - x.min()) - 1
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, atol=1e-6)
    # What lies beyond comes out beyond.
    assert array(layer(x + 100)).max() > 1


def test_a_batch_enters_before_it_is_scaled_and_never_narrows_the_range() -> None:
    layer = RangeNormalization()
    first = array(layer(np.array([[0.0, 10.0]], "float32"), training=True))
    np.testing.assert_allclose(first, [[-1, 1]])
    np.testing.assert_allclose(array(layer(np.array([[4.0, 6.0]], "float32"), training=True)), [[-0.2, 0.2]], atol=1e-6)
    np.testing.assert_allclose(array(layer(np.array([[-10.0, 10.0]], "float32"), training=True)), [[-1, 1]], atol=1e-6)
    np.testing.assert_allclose(array(layer(np.array([[0.0]], "float32"))), [[0]], atol=1e-6)


def test_a_layer_that_was_never_trained_gives_what_it_takes() -> None:
    x = decibels()
    np.testing.assert_array_equal(array(RangeNormalization()(x)), x)


def test_a_frozen_layer_keeps_its_range() -> None:
    layer = RangeNormalization()
    layer(np.array([[0.0, 1.0]], "float32"), training=True)
    layer.trainable = False
    layer(np.array([[-5.0, 5.0]], "float32"), training=True)
    assert (float(array(layer.low)), float(array(layer.high))) == (0, 1)


def test_a_constant_becomes_zero() -> None:
    layer = RangeNormalization()
    x = np.full((2, 3), 7.0, "float32")
    np.testing.assert_allclose(array(layer(x, training=True)), 0 * x, atol=1e-6)
    np.testing.assert_allclose(array(layer(x)), 0 * x, atol=1e-6)


def test_a_range_can_be_set() -> None:
    layer = RangeNormalization()
    layer.build((None, 4))
    layer.set_range(-100.0, 20.0)
    np.testing.assert_allclose(
        array(layer(np.array([[-100.0, -40.0, 20.0, 80.0]], "float32"))), [[-1, 0, 1, 2]], atol=1e-6
    )
    for low, high in ((1.0, 1.0), (2.0, 1.0), (0.0, float("inf")), (float("nan"), 1.0)):
        with pytest.raises(ValueError, match="must be finite, low below high"):
            layer.set_range(low, high)


def test_gradients_are_the_scale_and_do_not_pass_through_the_range() -> None:
    layer = RangeNormalization()
    layer.build((None, 3))
    layer.set_range(0.0, 4.0)
    x = np.array([[1.0, 2.0, 3.0]], "float32")
    slope = gradient(layer, x)
    other = gradient(keras.layers.Rescaling(0.5), x)
    np.testing.assert_allclose(slope, other, rtol=1e-6)
