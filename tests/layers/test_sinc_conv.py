from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import pytest
from layer_checks import LayerCase, array, distance, every_check, run, sum_weights, weight_gradients
from scipy.signal import firwin, freqz

from keraudio.layers import SincConv

pytestmark = pytest.mark.backends

# Sums of 251 float32 products, and phases of up to 400 radians; the largest seen here is 5e-6.
TOLERANCE = 1e-5


def sound(samples: int) -> np.ndarray:
    return np.random.default_rng(samples).standard_normal((2, samples)).astype("float32")


def band_passes(lows: np.ndarray, bands: np.ndarray, taps: int) -> np.ndarray:
    """Windowed ideal band-passes `(taps, filters)` of SciPy, in float64, their middle tap 1."""
    filters = []
    for low, band in zip(lows.astype("float64"), bands.astype("float64"), strict=True):
        # In shares of the sample rate; a band that reaches its half is a high-pass to SciPy.
        edges = [low, low + band] if low + band < 0.5 else [low]
        taps_of_one = firwin(taps, edges, window=("general_hamming", 0.54), pass_zero=False, scale=False, fs=1)
        filters.append(taps_of_one / taps_of_one[taps // 2])
    return np.stack(filters, axis=1)


def symmetric_band_passes(lows, bands, taps: int) -> np.ndarray:
    """The same written out, with the window's two ends alike: differences of two sincs."""
    times = np.arange(taps) - taps // 2
    highs = np.minimum(lows + bands, 0.5)
    ideal = 2 * highs * np.sinc(2 * np.outer(times, highs)) - 2 * lows * np.sinc(2 * np.outer(times, lows))
    return ideal / (2 * (highs - lows)) * np.hamming(taps)[:, None]


def truth(x: np.ndarray, filters: np.ndarray, strides: int = 1) -> np.ndarray:
    outputs = -(-x.shape[1] // strides)
    total = max((outputs - 1) * strides + len(filters) - x.shape[1], 0)
    x = np.pad(x.astype("float64"), [(0, 0), (total // 2, total - total // 2)])
    return np.stack([x[:, s : s + len(filters)] @ filters for s in range(0, outputs * strides, strides)], axis=1)


SMALL = partial(SincConv, 8000, 3, kernel_size=33)


@every_check(
    LayerCase(SMALL, (40,), (1, 31, 33, 40), weights=2, trainable=2),
    LayerCase(partial(SMALL, strides=5, padding="valid"), (60,), (1, 33, 37, 38, 60), weights=2, trainable=2),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


@pytest.mark.parametrize("strides", [1, 16])
def test_outputs_are_the_waveform_through_scipys_band_passes(strides) -> None:
    x = sound(700)
    layer = SincConv(16000, 80, strides=strides)
    result = run(layer, x)
    filters = band_passes(array(layer.lows), array(layer.bands), 251)
    assert distance(result, truth(x, filters, strides)) < TOLERANCE
    np.testing.assert_allclose(filters, symmetric_band_passes(array(layer.lows), array(layer.bands), 251), atol=1e-6)


def test_without_padding_only_whole_stretches_are_filtered() -> None:
    x = sound(300)
    layer = SincConv(16000, 5, padding="valid")
    filters = symmetric_band_passes(array(_built(layer).lows), array(layer.bands), 251)
    expected = np.stack([x[:, start : start + 251] @ filters for start in range(50)], axis=1)
    assert distance(run(layer, x), expected) < TOLERANCE


def test_it_passes_its_band_and_stops_the_rest() -> None:
    layer = _built(SincConv(16000, 2))
    layer.lows.assign([1000 / 16000, 4000 / 16000])
    layer.bands.assign([500 / 16000, 2000 / 16000])
    impulse = np.zeros((1, 251), "float32")
    impulse[0, 125] = 1
    taps = array(run(layer, impulse))[0]
    for number, (low, high) in enumerate(((1000, 1500), (4000, 6000))):
        hertz, response = freqz(taps[:, number], worN=4096, fs=16000)
        gain = np.abs(response) * 2 * (high - low) / 16000
        # A Hamming window's transition is 3.3 / 251 of the sample rate wide, half of it beyond the edge.
        transition = 3.3 / 251 * 16000 / 2
        inside = (hertz > low + transition) & (hertz < high - transition)
        outside = (hertz < low - transition) | (hertz > high + transition)
        assert gain[inside] == pytest.approx(1, abs=0.01)
        assert gain[outside].max() < 0.01
        assert np.interp([low, high], hertz, gain) == pytest.approx(0.5, abs=0.02)


def test_it_begins_with_bands_side_by_side_and_equally_wide_in_mels() -> None:
    layer = _built(SincConv(16000, 30, min_low_hz=30))
    lows, bands = 16000 * array(layer.lows), 16000 * array(layer.bands)
    mels = 2595 * np.log10(1 + np.append(lows, 7920) / 700)
    np.testing.assert_allclose(np.diff(mels), np.diff(mels).mean(), rtol=1e-3)
    np.testing.assert_allclose(lows[1:], (lows + bands)[:-1], rtol=1e-5)
    assert lows[0] == pytest.approx(30)


def test_it_learns_two_numbers_a_filter() -> None:
    assert _built(SincConv(16000)).count_params() == 160


def test_gradients_are_the_formulas_slopes_in_float64() -> None:
    x = sound(120)
    layer = SincConv(8000, 3, kernel_size=65)
    actual = weight_gradients(layer, x)
    assert [weight.name for weight in layer.trainable_weights] == ["lows", "bands"]
    values = [array(weight).astype("float64") for weight in layer.trainable_weights]
    terms = sum_weights((2, 120, 3))
    for number in range(2):
        for entry in range(3):
            ends = []
            for step in (1e-6, -1e-6):
                moved = [value.copy() for value in values]
                moved[number][entry] += step
                ends.append(np.sum(terms * truth(x, symmetric_band_passes(*moved, 65))))
            slope = (ends[0] - ends[1]) / 2e-6
            assert actual[number][entry] == pytest.approx(
                slope, rel=1e-3, abs=1e-5 * float(np.abs(actual[number]).max())
            )


def test_learned_edges_are_put_back_into_their_range_and_bands_cut_off_at_half_the_sample_rate() -> None:
    layer = _built(SincConv(16000, 2))
    for weight, least, most in ((layer.lows, 50, 7950), (layer.bands, 50, 8000)):
        clipped = array(weight.constraint(keras.ops.convert_to_tensor(np.array([-1.0, 1.0], "float32"))))
        np.testing.assert_allclose(16000 * clipped, [least, most], rtol=1e-6)
        weight.assign(clipped)
    # From 50 to 100 Hz, and from 7950 to 8000.
    expected = truth(sound(300), symmetric_band_passes(np.array([50, 7950]) / 16000, np.array([50, 50]) / 16000, 251))
    assert distance(run(layer, sound(300)), expected) < TOLERANCE


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"sample_rate": 0}, "`sample_rate` must be positive. Received: sample_rate=0"),
        ({"filters": 0}, "`filters` must be at least 1. Received: filters=0"),
        ({"kernel_size": 250}, "`kernel_size` must be positive and odd. Received: kernel_size=250"),
        ({"strides": 0}, "`strides` must be at least 1. Received: strides=0"),
        ({"padding": "causal"}, "`padding` must be 'same' or 'valid'. Received: padding='causal'"),
        ({"min_band_hz": 0}, "Received: min_low_hz=50.0, min_band_hz=0, sample_rate=8000"),
        ({"min_low_hz": 1960.0}, "their sum at most sample_rate / 4"),
    ],
)
def test_wrong_arguments_are_named(options, rule) -> None:
    with pytest.raises(ValueError, match=rule):
        SincConv(**{"sample_rate": 8000, **options})


def _built(layer: SincConv) -> SincConv:
    layer.build((None, None))
    return layer
