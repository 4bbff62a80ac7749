from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from layer_checks import LayerCase, array, every_check, gradient

from keraudio.layers import LogCompression

pytestmark = pytest.mark.backends


@every_check(
    LayerCase(LogCompression, (6, 5), (1, 2, 6), follows_policy=True, positive=True),
    LayerCase(partial(LogCompression, 10000, base=10), (6, 5, 2), (1, 6), follows_policy=True, positive=True),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


@pytest.mark.parametrize(("scale", "base"), [(10.0, None), (1.0, 2.0), (10000.0, 10.0)])
def test_it_equals_numpy_in_float64(scale, base) -> None:
    x = np.concatenate([[0.0], np.geomspace(1e-12, 1e6, 200)]).astype("float32")[None]
    expected = np.log1p(scale * x.astype("float64")) / (1 if base is None else np.log(base))
    # A few roundings of float32 (2**-24 each).
    np.testing.assert_allclose(array(LogCompression(scale, base=base)(x)), expected, rtol=5e-7)


def test_the_slope_at_silence_is_the_scale() -> None:
    silence = np.zeros((1, 5), "float32")
    slope = gradient(LogCompression(7.0), silence) / gradient(lambda x: x, silence)
    np.testing.assert_allclose(slope, 7, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"scale": 0}, "`scale` must be positive. Received: scale=0"),
        ({"base": 1}, "`base` must be above 1 or None. Received: base=1"),
    ],
)
def test_wrong_arguments_are_named(options, rule) -> None:
    with pytest.raises(ValueError, match=rule):
        LogCompression(**options)
