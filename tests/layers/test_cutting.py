from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from layer_checks import LayerCase, array, every_check, gradient, run, sum_weights

from keraudio.layers import AxisCropping

pytestmark = pytest.mark.backends


@every_check(
    LayerCase(partial(AxisCropping, 1, start=2, length=5), (9, 3), follows_policy=True),
    LayerCase(partial(AxisCropping, 2, length=2), (4, 3, 2), follows_policy=True),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


@pytest.mark.parametrize(("start", "length"), [(0, 6), (0, 2), (2, 3), (4, 2)])
@pytest.mark.parametrize("axis", [1, 2])
def test_it_is_a_slice_and_so_is_its_gradient(axis: int, start: int, length: int) -> None:
    x = np.random.default_rng(0).standard_normal((2, 6, 6, 3)).astype("float32")
    layer = AxisCropping(axis, start=start, length=length)
    stretch = [slice(None)] * axis + [slice(start, start + length)]
    np.testing.assert_array_equal(array(run(layer, x)), x[tuple(stretch)])
    slopes = np.zeros_like(x)
    slopes[tuple(stretch)] = sum_weights(x[tuple(stretch)].shape)
    np.testing.assert_array_equal(gradient(layer, x), slopes)


@pytest.mark.parametrize("options", [{"axis": 0, "length": 1}, {"axis": 1, "start": -1, "length": 1}], ids=str)
def test_arguments_out_of_range_are_refused(options) -> None:
    with pytest.raises(ValueError, match="must be at least 1, `start` at least 0. Received"):
        AxisCropping(**options)


@pytest.mark.parametrize("shape", [(None, 4, 3), (None, None, 3)], ids=str)
def test_an_axis_that_is_too_short_is_refused(shape) -> None:
    with pytest.raises(ValueError, match="Axis 1 must have 5 places or more. Received"):
        AxisCropping(1, start=2, length=3).build(shape)
