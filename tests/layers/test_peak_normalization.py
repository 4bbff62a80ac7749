from collections.abc import Callable

import numpy as np
import pytest
from layer_checks import LayerCase, array, every_check, gradient

from keraudio.layers import PeakNormalization

pytestmark = pytest.mark.backends


@every_check(
    LayerCase(PeakNormalization, (30,), (1, 30), follows_policy=True),
    LayerCase(PeakNormalization, (30, 2), (1, 30), follows_policy=True),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


@pytest.mark.parametrize("shape", [(5, 40), (5, 20, 2)])
def test_each_example_is_divided_by_its_own_peak(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    x *= np.array([1e-10, 1e-3, 1, 5, 1e10], "float32").reshape(-1, *[1] * (len(shape) - 1))
    peaks = np.abs(x.astype("float64")).max(axis=tuple(range(1, len(shape))), keepdims=True)
    np.testing.assert_allclose(array(PeakNormalization()(x)), x / peaks, rtol=1e-6)


def test_silence_stays_silence_with_finite_gradients() -> None:
    x = np.zeros((3, 16), "float32")
    x[1:, 3] = 1e-25, 1e-38
    assert np.abs(array(PeakNormalization()(x))).max() <= 1e-12
    assert np.isfinite(gradient(PeakNormalization(), x)).all()
