from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import pytest
from layer_checks import LayerCase, array, distance, every_check, run, sum_weights, weight_gradients

from keraudio.layers import STFT, DifferentiableSTFT

pytestmark = pytest.mark.backends

TOLERANCE = 1e-5


def sound(samples: int = 900, batch: int = 2) -> np.ndarray:
    return np.random.default_rng(5).uniform(-1, 1, (batch, samples)).astype("float32")


def window_by_hand(n_fft: int, length: float) -> np.ndarray:
    distance_from_centre = np.arange(n_fft) - n_fft / 2
    inside = 2 * np.abs(distance_from_centre) < length
    return np.where(inside, 0.5 + 0.5 * np.cos(2 * np.pi * distance_from_centre / length), 0)


@every_check(
    LayerCase(partial(DifferentiableSTFT, 24, 5), (60,), (1, 24, 29, 72), weights=1, trainable=1),
    LayerCase(
        partial(DifferentiableSTFT, 25, 7, initial_length=9.3, min_length=4, norm="energy", center=False, power=2),
        (60, 2),
        (1, 25, 75),
        weights=1,
        trainable=1,
    ),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


@pytest.mark.parametrize("length", [128, 64, 30])
def test_at_a_whole_even_length_it_is_the_plain_transform(length) -> None:
    x = sound()
    expected = array(run(STFT(128, 32, win_length=length), x))
    assert distance(run(DifferentiableSTFT(128, 32, initial_length=length), x), expected) < TOLERANCE


@pytest.mark.parametrize("norm", [None, "sum", "energy"])
@pytest.mark.parametrize("length", [100.0, 40.7, 16.0])
def test_magnitudes_and_the_slope_of_the_length_are_those_of_the_window_in_float64(length, norm) -> None:
    x = sound(256)
    layer = DifferentiableSTFT(128, 64, initial_length=length, norm=norm, center=False)
    frames = np.stack([x[:, s : s + 128].astype("float64") for s in (0, 64, 128)], axis=1)

    def magnitude(samples: float) -> np.ndarray:
        window = window_by_hand(128, samples)
        window = window / {None: 1, "sum": window.sum(), "energy": np.sqrt(np.sum(window**2))}[norm]
        return np.abs(np.fft.rfft(frames * window))

    assert distance(run(layer, x), magnitude(length)) < TOLERANCE
    rise = (magnitude(length + 1e-4) - magnitude(length - 1e-4)) / 2e-4
    slope = np.sum(rise * sum_weights(rise.shape)) * 128
    # Sums of 390 terms of either sign: float32 leaves five digits.
    assert weight_gradients(layer, x)[0] == pytest.approx(slope, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize(("start", "goal"), [(40.0, 100.0), (110.0, 50.0)])
def test_it_finds_the_length_of_a_window_that_it_is_shown(start, goal) -> None:
    x = sound(1024, 4)
    target = array(run(DifferentiableSTFT(128, 64, initial_length=goal, norm="sum"), x))
    layer = DifferentiableSTFT(128, 64, initial_length=start, norm="sum")
    model = keras.Sequential([keras.Input((1024,)), layer])
    model.compile(keras.optimizers.Adam(0.02), lambda a, b: keras.ops.mean(keras.ops.square(a - b)))
    model.fit(np.repeat(x, 60, axis=0), np.repeat(target, 60, axis=0), batch_size=4, shuffle=False, verbose=0)
    assert layer.window_length == pytest.approx(goal, abs=3)


def test_the_length_stays_within_its_bounds() -> None:
    layer = DifferentiableSTFT(64, 32, initial_length=20, min_length=18)
    model = keras.Sequential([keras.Input((128,)), layer])
    model.compile(keras.optimizers.SGD(1e3), "mse")
    x = sound(128)
    model.train_on_batch(x, np.zeros((2, 5, 33), "float32"))
    # float32 holds 18 / 64 exactly.
    assert layer.window_length == 18
    model.train_on_batch(x, np.full((2, 5, 33), 1e3, "float32"))
    assert layer.window_length == 64
    assert layer.changes() == {"window_length": 64.0}


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"min_length": 1}, "Lengths must satisfy 2 <= min_length <= initial_length <= n_fft. Received: min_length=1,"),
        ({"initial_length": 2049}, "initial_length=2049, n_fft=2048"),
        ({"window": "hamming"}, "The window must be a Hann window whose length is learned. Received: window='hamming'"),
        ({"win_length": 512}, "Received: window='hann', win_length=512"),
        ({"norm": "peak"}, "`norm` must be 'sum', 'energy' or None. Received: norm='peak'"),
    ],
)
def test_wrong_arguments_are_named(options, rule) -> None:
    with pytest.raises(ValueError) as caught:
        DifferentiableSTFT(**options)
    assert rule in str(caught.value)
