from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import pytest
from layer_checks import LayerCase, array, distance, every_check, run, weight_gradients

from keraudio.layers import ProductDense

pytestmark = pytest.mark.backends

DENSE = partial(ProductDense, 6, kernel_initializer=keras.initializers.GlorotUniform(seed=1))


@every_check(
    LayerCase(DENSE, (9, 2, 5), weights=2, trainable=2, follows_policy=True),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


@pytest.mark.parametrize("units", [3, 8])
@pytest.mark.parametrize("options", [{}, {"use_bias": False, "activation": "tanh"}], ids=str)
def test_it_is_kerass_own_dense_layer(units: int, options) -> None:
    random = np.random.default_rng(0)
    x = random.standard_normal((2, 7, 3, 5)).astype("float32")
    one, other = ProductDense(units, **options), keras.layers.Dense(units, **options)
    one.build(x.shape)
    other.build(x.shape)
    one.set_weights([random.standard_normal(weight.shape) for weight in one.weights])
    other.set_weights(one.get_weights())
    assert distance(run(one, x), array(run(other, x))) < 1e-6
    for slope, expected in zip(weight_gradients(one, x), weight_gradients(other, x), strict=True):
        assert distance(slope, expected) < 1e-6
