from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import pytest
from layer_checks import LayerCase, array, distance, every_check, run, sum_weights, weight_gradients
from scipy.signal import fftconvolve

from keraudio.layers import GaborFilterbank
from keraudio.layers.gabor_filterbank import mel_gabors
from keraudio.layers.mel_filterbank import mel_matrix

pytestmark = pytest.mark.backends

# float32 phases of up to 600 radians are off by 3e-5, at taps far down the Gaussian; the largest seen here is 1.2e-6.
TOLERANCE = 1e-5


def sound(samples: int, batch: int = 2) -> np.ndarray:
    return np.random.default_rng(samples).standard_normal((batch, samples)).astype("float32")


def gabors(centers: np.ndarray, widths: np.ndarray, taps: int) -> np.ndarray:
    """`(taps, filters)`, complex, as LEAF defines them."""
    times = (np.arange(taps) - taps // 2)[:, None]
    return np.exp(1j * centers * times - times**2 / (2 * widths**2)) / (np.sqrt(2 * np.pi) * widths)


def truth(x: np.ndarray, centers: np.ndarray, widths: np.ndarray, taps: int) -> np.ndarray:
    """Complex outputs `(batch, samples, filters)` in float64; correlation, centred at each sample."""
    x = np.pad(x.astype("float64"), [(0, 0), ((taps - 1) // 2, taps // 2)])
    # Correlation is convolution with the filter turned round.
    turned = gabors(centers.astype("float64"), widths.astype("float64"), taps)[::-1]
    return np.stack([[fftconvolve(e, f, mode="valid") for f in turned.T] for e in x]).transpose(0, 2, 1)


SMALL = partial(GaborFilterbank, 8000, 3, kernel_size=33, fmin=500)


@every_check(
    LayerCase(SMALL, (40,), (1, 31, 33, 40), weights=2, trainable=2),
    LayerCase(partial(SMALL, power=None), (40,), (1, 40), weights=2, trainable=2),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


@pytest.mark.parametrize(("filters", "taps"), [(40, 401), (7, 64)])
def test_outputs_are_the_waveform_filtered_in_float64(filters, taps) -> None:
    x = sound(1000)
    layer = GaborFilterbank(16000, filters, kernel_size=taps)
    energy = run(layer, x)
    expected = truth(x, array(layer.centers), array(layer.widths), taps)
    assert distance(energy, np.abs(expected) ** 2) < TOLERANCE
    parts = GaborFilterbank(16000, filters, kernel_size=taps, power=None)
    assert distance(run(parts, x), np.stack([expected.real, expected.imag], axis=-1)) < TOLERANCE


def test_it_begins_as_a_mel_filterbank_measured_on_a_fine_spectrum() -> None:
    # LEAF's own recipe: the peak of each mel filter, and how many bins its root is at half maximum or more.
    n_fft = 2**18
    centers, widths = mel_gabors(16000, 40, fmin=60, fmax=7800)
    roots = np.sqrt(mel_matrix(16000, n_fft, n_mels=40, fmin=60, fmax=7800, htk=True, norm=None))
    peaks = np.argmax(roots, axis=0)
    full_widths = np.sum(roots >= roots.max(axis=0) / 2, axis=0)
    np.testing.assert_allclose(centers, peaks * 2 * np.pi / n_fft, rtol=1e-3)
    np.testing.assert_allclose(widths, np.sqrt(2 * np.log(2)) * n_fft / (np.pi * full_widths), rtol=2e-3)


def test_a_filters_response_is_at_half_its_maximum_at_the_edges_of_its_width() -> None:
    centers, widths = mel_gabors(16000, 40, fmin=60, fmax=7800)
    # Long enough for the lowest filters, too.
    filters = gabors(centers, widths, 4001)
    times = np.arange(4001) - 2000
    for number in range(40):
        edge = centers[number] + np.sqrt(2 * np.log(2)) / widths[number]
        response = [abs(np.sum(filters[:, number] * np.exp(-1j * at * times))) for at in (centers[number], edge)]
        assert response == pytest.approx([1, 0.5], rel=1e-6)


def test_a_tone_is_loudest_in_the_filter_at_its_frequency() -> None:
    layer = GaborFilterbank(16000, 20)
    layer.build((None, None))
    for number in (3, 10, 19):
        tone = np.cos(array(layer.centers)[number] * np.arange(2000)).astype("float32")
        middle = array(run(layer, tone[None]))[0, 1000]
        assert np.argmax(middle) == number
        # Half of the cosine is at the positive frequency, where the response is 1.
        assert middle[number] == pytest.approx(0.25, rel=2e-2)


def test_gradients_are_the_formulas_slopes_in_float64() -> None:
    x = sound(120)
    layer = GaborFilterbank(8000, 3, kernel_size=65, fmin=300)
    actual = weight_gradients(layer, x)
    assert [weight.name for weight in layer.trainable_weights] == ["centers", "widths"]
    values = [array(weight).astype("float64") for weight in layer.trainable_weights]
    terms = sum_weights((2, 120, 3))
    for number in range(2):
        for entry in range(3):
            ends = []
            for step in (1e-6, -1e-6):
                moved = [value.copy() for value in values]
                moved[number][entry] += step
                ends.append(np.sum(terms * np.abs(truth(x, *moved, 65)) ** 2))
            slope = (ends[0] - ends[1]) / 2e-6
            assert actual[number][entry] == pytest.approx(
                slope, rel=1e-3, abs=1e-5 * float(np.abs(actual[number]).max())
            )


def test_learned_parameters_are_put_back_into_their_range() -> None:
    layer = GaborFilterbank(16000, 2)
    layer.build((None, None))
    for weight, least, most in (
        (layer.centers, 0, np.pi),
        # Responses a quarter of the sample rate wide at half maximum, and 1/401 of it.
        (layer.widths, 4 * np.sqrt(2 * np.log(2)) / np.pi, 401 * np.sqrt(2 * np.log(2)) / np.pi),
    ):
        clipped = array(weight.constraint(keras.ops.convert_to_tensor(np.array([-9.0, 999.0], "float32"))))
        np.testing.assert_allclose(clipped, [least, most], rtol=1e-6)


def test_filters_narrower_than_the_kernel_can_hold_begin_at_the_narrowest_it_can() -> None:
    layer = GaborFilterbank(16000, 40, kernel_size=101)
    layer.build((None, None))
    assert array(layer.widths).max() == pytest.approx(101 * np.sqrt(2 * np.log(2)) / np.pi)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"sample_rate": 0}, "`sample_rate` must be positive. Received: sample_rate=0"),
        ({"filters": 0}, "`filters` must be at least 1. Received: filters=0"),
        ({"kernel_size": 3}, "`kernel_size` must be at least 4. Received: kernel_size=3"),
        ({"fmax": 4001}, "0 <= fmin < fmax <= sample_rate / 2. Received: fmin=60.0, fmax=4001, sample_rate=8000"),
        ({"fmin": 3950.0}, "0 <= fmin < fmax"),
        ({"power": 1}, "`power` must be 2 or None. Received: power=1"),
    ],
)
def test_wrong_arguments_are_named(options, rule) -> None:
    with pytest.raises(ValueError, match=rule):
        GaborFilterbank(**{"sample_rate": 8000, **options})
