from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import pytest
from layer_checks import LayerCase, array, distance, every_check, run, sum_weights, weight_gradients

from keraudio.layers import GaussianPooling

pytestmark = pytest.mark.backends

# Sums of up to 401 float32 products; the largest seen here is 5e-7.
TOLERANCE = 3e-6


def sound(samples: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(samples).standard_normal((2, samples, channels)).astype("float32")


def truth(x: np.ndarray, widths: np.ndarray, taps: int, strides: int) -> np.ndarray:
    """In float64, one output after the other; half of the padding at each end, the odd sample at the right."""
    samples = x.shape[1]
    outputs = -(-samples // strides)
    total = max((outputs - 1) * strides + taps - samples, 0)
    x = np.pad(x.astype("float64"), [(0, 0), (total // 2, total - total // 2), (0, 0)])
    times = np.linspace(-1, 1, taps)[:, None]
    gaussians = np.exp(-0.5 * (times / widths.astype("float64")) ** 2)
    starts = range(0, outputs * strides, strides)
    return np.stack([np.sum(x[:, start : start + taps] * gaussians, axis=1) for start in starts], axis=1)


@every_check(
    LayerCase(partial(GaussianPooling, 7, 3), (20, 2), (1, 2, 3, 4, 20), weights=1, trainable=1),
    LayerCase(partial(GaussianPooling, 4, 6, width=0.5), (20, 2), (1, 6, 7), weights=1, trainable=1),
    LayerCase(partial(GaussianPooling, 20, 1, width=0.2), (15, 2), (1, 15), weights=1, trainable=1),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


@pytest.mark.parametrize(
    ("samples", "taps", "strides"),
    [(1600, 401, 160), (1601, 401, 160), (500, 401, 10), (300, 65, 1), (100, 5, 9), (50, 401, 160)],
)
def test_outputs_are_gaussian_sums_in_float64(samples, taps, strides) -> None:
    x = sound(samples)
    layer = GaussianPooling(taps, strides)
    layer.build(x.shape)
    layer.widths.assign([0.4, 0.45, 0.5])
    assert distance(run(layer, x), truth(x, array(layer.widths), taps, strides)) < TOLERANCE


def test_it_begins_close_to_a_hann_window() -> None:
    # As LEAF's code says of a width of 0.4; as vectors, both windows are 3 degrees apart.
    impulse = np.zeros((1, 401, 1), "float32")
    impulse[0, 200] = 1
    window = array(GaussianPooling(401, 1)(impulse))[0, :, 0]
    hann = np.hanning(401)
    assert window.max() == 1
    cosine = window @ hann / np.linalg.norm(window) / np.linalg.norm(hann)
    assert np.degrees(np.arccos(cosine)) == pytest.approx(3, abs=0.1)


def test_gradients_are_the_formulas_slopes_in_float64() -> None:
    x = sound(90)
    layer = GaussianPooling(31, 10)
    actual = weight_gradients(layer, x)[0]
    terms = sum_weights((2, 9, 3))
    for entry in range(3):
        step = 1e-6 * np.eye(3)[entry]
        ends = [np.sum(terms * truth(x, 0.4 + sign * step, 31, 10)) for sign in (1, -1)]
        assert actual[entry] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-3)


def test_learned_widths_are_put_back_into_their_range() -> None:
    layer = GaussianPooling(401)
    layer.build((None, None, 2))
    clipped = array(layer.widths.constraint(keras.ops.convert_to_tensor(np.array([-1.0, 1.0], "float32"))))
    np.testing.assert_allclose(clipped, [2 / 401, 0.5])


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"kernel_size": 3}, "`kernel_size` must be at least 4. Received: kernel_size=3"),
        ({"strides": 0}, "`strides` must be at least 1. Received: strides=0"),
        ({"width": 0.6}, "`width` must be between 2 / kernel_size and 0.5. Received: width=0.6, kernel_size=401"),
        ({"kernel_size": 4, "width": 0.4}, "`width` must be between .* Received: width=0.4, kernel_size=4"),
    ],
)
def test_wrong_arguments_are_named(options, rule) -> None:
    with pytest.raises(ValueError, match=rule):
        GaussianPooling(**options)
