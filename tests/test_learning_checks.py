"""The checks of layers that learn find what they are there to find."""

from functools import partial

import keras
import numpy as np
import pytest
from keras import ops
from layer_checks import LayerCase, sum_weights, weight_gradients
from learning_checks import (
    learned_weights_move_and_lower_the_loss,
    learning_can_be_switched_between_two_fits,
    weights_gradients_are_slopes,
)

pytestmark = pytest.mark.backends


class Gain(keras.layers.Layer):
    """A factor `exp(w)` for each sample, of whose gradient a share is withheld."""

    def __init__(self, withheld: float = 0.0, *, least: float = 0.0, movable: bool = True, **kwargs):
        super().__init__(**kwargs)
        self.withheld = withheld
        self.least = least
        self.movable = movable

    def build(self, input_shape):
        self.w = self.add_weight(
            name="w",
            shape=(input_shape[1],),
            initializer=lambda shape, dtype=None: ops.linspace(0.0, 2.0, shape[0]),
            constraint=lambda w: ops.maximum(w, self.least),
        )

    def call(self, inputs):
        w = self.w if self.movable else ops.stop_gradient(self.w)
        still = ops.stop_gradient(w)
        return inputs * ops.exp((1 - self.withheld) * w + self.withheld * still)


def gain(**options) -> LayerCase:
    return LayerCase(partial(Gain, **options), (9,), weights=1, trainable=1)


def test_gradients_with_regard_to_weights_are_those_by_hand() -> None:
    x = gain().inputs(2)
    layer = Gain()
    (slopes,) = weight_gradients(layer, x)
    expected = np.sum(sum_weights((2, 9)) * x * np.exp(np.linspace(0, 2, 9)), axis=0)
    np.testing.assert_allclose(slopes, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "check",
    [
        weights_gradients_are_slopes,
        learned_weights_move_and_lower_the_loss,
        learning_can_be_switched_between_two_fits,
    ],
)
def test_a_right_layer_passes(check, tmp_path) -> None:
    check(gain(), tmp_path)


@pytest.mark.parametrize("withheld", [0.03, -0.03, 1.0, 2.0])
def test_a_gradient_off_by_a_few_percent_or_more_is_found(withheld, tmp_path) -> None:
    with pytest.raises(AssertionError, match="w"):
        weights_gradients_are_slopes(gain(withheld=withheld), tmp_path)


def test_a_weight_that_starts_outside_its_constraint_is_found(tmp_path) -> None:
    with pytest.raises(AssertionError):
        learned_weights_move_and_lower_the_loss(gain(least=1.0), tmp_path)


def test_a_gradient_of_the_wrong_sign_raises_the_loss(tmp_path) -> None:
    with pytest.raises(AssertionError):
        learned_weights_move_and_lower_the_loss(gain(withheld=2.0), tmp_path)


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_a_weight_that_gets_no_gradient_is_found(tmp_path) -> None:
    for check in (weights_gradients_are_slopes, learning_can_be_switched_between_two_fits):
        with pytest.raises(AssertionError, match="w"):
            check(gain(movable=False), tmp_path)
