from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from layer_checks import LayerCase, array, every_check, gradient, run

from keraudio.layers import ExampleNormalization

pytestmark = pytest.mark.backends


def decibels(shape: tuple[int, ...] = (3, 20, 6)) -> np.ndarray:
    random = np.random.default_rng(0)
    return (random.uniform(-80, 0, (shape[0], *[1] * (len(shape) - 1))) + random.normal(0, 9, shape)).astype("float32")


@every_check(
    LayerCase(ExampleNormalization, (6, 5), (1, 2, 6), follows_policy=True),
    LayerCase(partial(ExampleNormalization, "frames"), (6, 5, 2), (1, 6), follows_policy=True),
    LayerCase(partial(ExampleNormalization, center=False), (6,), follows_policy=True),
    LayerCase(partial(ExampleNormalization, "frames", scale=False), (6, 5), (1, 6), follows_policy=True),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


@pytest.mark.parametrize("shape", [(3, 200), (3, 20, 6), (3, 20, 6, 2)])
@pytest.mark.parametrize("axis", ["all", "frames"])
def test_it_equals_numpys_mean_and_deviation_of_each_example(axis, shape) -> None:
    x = decibels(shape)
    axes = tuple(range(1, x.ndim)) if axis == "all" else 1
    exact = x.astype("float64")
    mean, deviation = exact.mean(axes, keepdims=True), exact.std(axes, keepdims=True)
    actual = array(run(ExampleNormalization(axis), x))
    # float32 rounding of values up to 100, over deviations of at least 5.
    np.testing.assert_allclose(actual, (exact - mean) / deviation, rtol=0, atol=5e-6)
    centred = array(run(ExampleNormalization(axis, scale=False), x))
    np.testing.assert_allclose(centred, exact - mean, rtol=0, atol=5e-5)
    scaled = array(run(ExampleNormalization(axis, center=False), x))
    np.testing.assert_allclose(scaled, exact / np.sqrt(np.mean(exact**2, axes, keepdims=True)), rtol=0, atol=5e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, -80.3, 1e6])
@pytest.mark.parametrize("axis", ["all", "frames"])
def test_a_constant_becomes_exact_zeros(axis, value) -> None:
    assert not array(ExampleNormalization(axis)(np.full((2, 33, 7), value, "float32"))).any()


def test_digits_survive_a_mean_far_from_zero() -> None:
    x = decibels()
    shifted = (np.round(x) + 2.0**16).astype("float32")
    np.testing.assert_allclose(
        array(run(ExampleNormalization(), shifted)), array(run(ExampleNormalization(), np.round(x))), atol=1e-5
    )


def test_an_example_fainter_than_epsilon_stays_faint() -> None:
    # Mean square 1e-10 beside an epsilon of 1e-8.
    x = 1e-5 * np.array([[-1.0, 1.0] * 8], "float32")
    assert np.max(array(ExampleNormalization()(x))) == pytest.approx(0.1, rel=0.01)
    assert np.max(array(ExampleNormalization(epsilon=1e-14)(x))) == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("options", [{}, {"axis": "frames"}, {"center": False}, {"scale": False}])
def test_the_gradient_is_the_slope(options) -> None:
    x = decibels((1, 5, 3))
    actual = gradient(ExampleNormalization(**options), x)
    weights = np.random.default_rng(1).uniform(0.5, 1.5, x.size).astype("float32").reshape(x.shape)
    axes = 1 if options.get("axis") == "frames" else (1, 2)

    def loss(values):
        if options.get("center", True):
            values = values - values.mean(axes, keepdims=True)
        if options.get("scale", True):
            values = values / np.sqrt(np.mean(values**2, axes, keepdims=True) + 1e-8)
        return np.sum(values * weights)

    for place in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[place] = 1e-5
        slope = (loss(x + step) - loss(x - step)) / 2e-5
        assert actual[place] == pytest.approx(slope, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"axis": "bins"}, "`axis` must be 'all' or 'frames'. Received: axis='bins'"),
        ({"epsilon": 0}, "`epsilon` must be positive. Received: epsilon=0"),
    ],
)
def test_wrong_arguments_are_named(options, rule) -> None:
    with pytest.raises(ValueError, match=rule):
        ExampleNormalization(**options)
