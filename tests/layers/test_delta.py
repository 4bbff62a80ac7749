from collections.abc import Callable
from functools import partial

import librosa
import numpy as np
import pytest
from layer_checks import LayerCase, array, distance, every_check, gradient, run
from scipy.signal import savgol_coeffs

from keraudio.layers import Delta
from keraudio.layers.delta import derivative_coefficients

pytestmark = pytest.mark.backends

MODES = ["interp", "nearest", "constant", "mirror", "wrap"]
# Sums of at most 11 float32 products, of values that nearly cancel.
TOLERANCE = 2e-6


def features(frames: int = 30) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((frames, 4)).astype("float32")


def truth(x: np.ndarray, **options) -> np.ndarray:
    return librosa.feature.delta(x.astype("float64"), axis=0, **options)


@every_check(
    LayerCase(Delta, (12, 3), (1, 2, 8, 9, 10, 12), follows_policy=True),
    LayerCase(partial(Delta, 5, 2, mode="mirror"), (7, 3, 2), (1, 2, 7), follows_policy=True),
    LayerCase(partial(Delta, 3, mode="wrap"), (7, 3), (1, 7), follows_policy=True),
    LayerCase(partial(Delta, 7, mode="constant"), (7, 3), (1, 7), follows_policy=True),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("width", "order"), [(9, 1), (9, 2), (3, 1), (3, 2), (11, 3)])
def test_it_equals_librosa_in_float64(width, order, mode) -> None:
    x = features()
    actual = run(Delta(width, order, mode=mode), x[None])
    assert distance(actual[0], truth(x, width=width, order=order, mode=mode)) < TOLERANCE


@pytest.mark.parametrize("mode", MODES[1:])
@pytest.mark.parametrize("frames", [1, 2, 3, 4])
def test_clips_shorter_than_half_the_width_equal_librosa(frames, mode) -> None:
    x = features(frames)
    assert np.max(np.abs(array(run(Delta(mode=mode), x[None]))[0] - truth(x, mode=mode))) < TOLERANCE


@pytest.mark.parametrize("frames", [1, 2, 5, 8])
def test_a_clip_shorter_than_the_width_has_its_last_frame_repeated(frames) -> None:
    x = features(frames)
    expected = truth(np.concatenate([x, np.repeat(x[-1:], 9 - frames, axis=0)]))[:frames]
    assert np.max(np.abs(array(run(Delta(), x[None]))[0] - expected)) < TOLERANCE


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("width", [5, 9, 101])
def test_the_coefficients_are_savitzkys_and_golays(width, order) -> None:
    # SciPy turns them about, for convolution.
    expected = savgol_coeffs(width, order, deriv=order)[::-1]
    np.testing.assert_allclose(derivative_coefficients(width, order), expected, rtol=0, atol=1e-12)


def test_a_straight_line_has_its_slope_everywhere_and_a_parabola_its_curvature() -> None:
    frame = np.arange(20.0, dtype="float32")[None, :, None]
    np.testing.assert_allclose(array(run(Delta(), 3 * frame + 7)), 3, atol=2e-5)
    np.testing.assert_allclose(array(run(Delta(order=2), frame**2)), 2, atol=2e-4)


@pytest.mark.parametrize("order", [1, 2])
def test_a_constant_far_from_zero_has_no_slope(order) -> None:
    # Decibels of silence: 9 products of -100, rounded.
    assert np.max(np.abs(array(run(Delta(order=order), np.full((1, 20, 2), -100, "float32"))))) < 2e-5


@pytest.mark.parametrize("mode", MODES)
def test_the_gradient_is_the_slope(mode) -> None:
    layer = Delta(5, mode=mode)
    x = features(8)[None]
    weights = np.random.default_rng(1).uniform(0.5, 1.5, x.size).astype("float32").reshape(x.shape)
    # The layer is linear: an impulse at each place gives the slope there.
    impulses = np.eye(x.size).reshape(x.size, *x.shape[1:])
    expected = [np.sum(truth(impulse, width=5, mode=mode) * weights[0]) for impulse in impulses]
    np.testing.assert_allclose(gradient(layer, x).ravel(), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"width": 8}, "`width` must be odd, at least 3 and more than `order`. Received: width=8, order=1"),
        ({"width": 1}, "Received: width=1, order=1"),
        ({"width": 3, "order": 3}, "Received: width=3, order=3"),
        ({"order": 0}, "`order` must be at least 1. Received: order=0"),
        (
            {"mode": "reflect"},
            "`mode` must be one of interp, nearest, constant, mirror, wrap. Received: mode='reflect'",
        ),
    ],
)
def test_wrong_arguments_are_named(options, rule) -> None:
    with pytest.raises(ValueError) as caught:
        Delta(**options)
    assert rule in str(caught.value)
