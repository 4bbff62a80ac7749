from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from layer_checks import LayerCase, array, every_check

from keraudio.layers import RandomPolarity

pytestmark = pytest.mark.backends


@every_check(
    LayerCase(partial(RandomPolarity, seed=1), (20,), (1, 20), random=True),
    LayerCase(partial(RandomPolarity, probability=1.0, seed=1), (20, 2), (1, 20), random=True),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


@settings(max_examples=30, deadline=None)
@given(
    # Not below the smallest normal number: XLA counts those as zero.
    hnp.arrays("float32", (4, 6), elements=st.floats(-1, 1, width=32, allow_subnormal=False)),
    st.integers(0, 2**31 - 1),
)
def test_a_waveform_keeps_its_sign_as_a_whole_or_loses_it_so_its_energy_stays(x, seed) -> None:
    changed = array(RandomPolarity(seed=seed)(x, training=True))
    for before, after in zip(x, changed, strict=True):
        assert (after == before).all() or (after == -before).all()
    np.testing.assert_array_equal(np.square(changed), np.square(x))


def test_half_the_examples_are_flipped_unless_told_otherwise() -> None:
    x = np.ones((1000, 1), "float32")
    flipped = np.mean(array(RandomPolarity(seed=1)(x, training=True)) < 0)
    # Four standard deviations of 1000 draws.
    assert flipped == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / 1000))
    np.testing.assert_array_equal(array(RandomPolarity(probability=1.0)(x, training=True)), -x)
