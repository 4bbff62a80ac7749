from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from layer_checks import LayerCase, array, every_check
from scipy.stats import chisquare

from keraudio.layers import RandomShift

pytestmark = pytest.mark.backends


@every_check(
    LayerCase(partial(RandomShift, probability=0.5, seed=1), (20,), (1, 20), random=True),
    LayerCase(partial(RandomShift, 0.2, seed=1), (20, 2), (1, 20), random=True),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


def shifts(layer: RandomShift, samples: int, batch: int) -> np.ndarray:
    """How far to the right each of `batch` ramps was rotated, between -samples / 2 and samples / 2."""
    ramps = np.tile(np.arange(samples, dtype="float32"), (batch, 1))
    rotated = array(layer(ramps, training=True))
    first = (-rotated[:, 0]).astype(int)
    expected = [np.roll(ramps[0], shift) for shift in first]
    np.testing.assert_array_equal(rotated, expected)
    return (first + samples // 2) % samples - samples // 2


def test_every_rotation_is_equally_likely() -> None:
    counts = np.bincount(shifts(RandomShift(seed=1), 10, 2000) + 5, minlength=10)
    assert chisquare(counts).pvalue > 1e-3


def test_shifts_stay_within_the_bound_either_way() -> None:
    found = shifts(RandomShift(0.1, seed=1), 100, 400)
    assert set(found) == set(range(-10, 10))


def test_a_bound_of_nothing_shifts_nothing() -> None:
    assert not shifts(RandomShift(0.0, seed=1), 10, 5).any()


@pytest.mark.parametrize("fraction", [-0.1, 0.6])
def test_a_wrong_bound_is_named(fraction) -> None:
    with pytest.raises(
        ValueError, match=f"`max_fraction` must be between 0 and 0.5. Received: max_fraction={fraction}"
    ):
        RandomShift(fraction)
