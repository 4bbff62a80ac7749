from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from layer_checks import LayerCase, array, every_check
from scipy.stats import kstest

from keraudio.layers import RandomGain

pytestmark = pytest.mark.backends


@every_check(
    LayerCase(partial(RandomGain, probability=0.5, seed=1), (20,), (1, 20), random=True),
    LayerCase(partial(RandomGain, -6.0, 6.0, seed=1), (20, 2), (1, 20), random=True),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


def test_gains_are_uniform_in_decibels_between_the_bounds_and_one_for_a_whole_example() -> None:
    x = np.random.default_rng(0).uniform(0.1, 1, (1000, 4)).astype("float32")
    gains = 20 * np.log10(array(RandomGain(-20.0, -1.0, seed=1)(x, training=True)) / x)
    assert np.ptp(gains, axis=1).max() < 1e-4
    assert gains.min() >= -20 - 1e-4
    assert gains.max() <= -1 + 1e-4
    assert kstest(gains[:, 0], "uniform", args=(-20, 19)).pvalue > 1e-3


def test_equal_bounds_are_one_gain() -> None:
    x = np.ones((3, 4), "float32")
    np.testing.assert_allclose(array(RandomGain(-20.0, -20.0)(x, training=True)), 0.1, rtol=1e-6)


def test_bounds_in_the_wrong_order_are_named() -> None:
    with pytest.raises(ValueError, match="`min_db` must not exceed `max_db`. Received: min_db=1.0, max_db=0.0"):
        RandomGain(1.0, 0.0)
