from collections.abc import Callable
from functools import partial

import librosa
import numpy as np
import pytest
from layer_checks import LayerCase, array, distance, every_check, gradient, run
from scipy.signal import chirp, fftconvolve

from keraudio.layers import CQT
from keraudio.layers.constant_q import C1, WINDOWS, filter_lengths, octave_filters

pytestmark = pytest.mark.backends

RATE = 8000
# Three octaves, computed at rates 2, 4 and 8 times lower.
SMALL = {"fmin": 50.0, "n_bins": 36}
# What the filters and the halvings leave out is below 1e-5 each; the largest distance seen here is 5e-6.
TOLERANCE = 2e-5


def sound(samples: int = 4000) -> np.ndarray:
    time = np.arange(samples) / RATE
    noise = np.random.default_rng(5).standard_normal(samples)
    return (0.7 * chirp(time, 50, time[-1] + 1e-3, 3900) + 0.05 * noise).astype("float32")


def filters(
    *, fmin=C1, n_bins=84, bins_per_octave=12, filter_scale=1.0, gamma=0.0, window="hann", norm=1, scale=True
) -> np.ndarray:
    """librosa's filters at the full rate, scaled as `librosa.vqt` does in the end."""
    frequencies = librosa.cqt_frequencies(n_bins=n_bins, fmin=fmin, bins_per_octave=bins_per_octave)
    basis, lengths = librosa.filters.wavelet(
        freqs=frequencies,
        sr=RATE,
        filter_scale=filter_scale,
        gamma=gamma,
        window=window,
        norm=norm,
        dtype="complex128",
    )
    return basis * (np.sqrt(lengths) if scale else lengths)[:, None]


def truth(x: np.ndarray, hop_length: int, *, pad_mode: str = "constant", **options) -> np.ndarray:
    """By the definition, in float64: each filter convolved with the waveform at its own rate; frames before bins."""
    basis = filters(**options)
    half = basis.shape[1] // 2
    padded = np.pad(x.astype("float64"), half, mode=pad_mode)
    # Sample `half` of a filter is its middle.
    return np.stack([fftconvolve(padded, row)[2 * half :: hop_length][: 1 + len(x) // hop_length] for row in basis], -1)


def parts(x: np.ndarray) -> np.ndarray:
    return np.stack([x.real, x.imag], -1)


@every_check(
    LayerCase(partial(CQT, RATE, 50, fmin=400.0, n_bins=14), (200,), (1, 50, 200)),
    LayerCase(partial(CQT, RATE, 33, fmin=800.0, n_bins=7, pad_mode="reflect", power=None), (90, 2), (1, 90)),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


@pytest.mark.parametrize(("samples", "hop_length"), [(4000, 512), (3999, 100), (2000, 77), (300, 1), (1, 64)])
def test_it_equals_the_definition_in_float64_for_any_hop_and_length(samples, hop_length) -> None:
    x = sound(samples)
    actual = run(CQT(RATE, hop_length, **SMALL, power=None), x[None])
    assert distance(actual[0], parts(truth(x, hop_length, **SMALL))) < TOLERANCE


@pytest.mark.parametrize(
    "options",
    [
        {"gamma": 20.0, "norm": 2, "window": "blackman"},
        {"gamma": None, "scale": False, "pad_mode": "reflect"},
        {"filter_scale": 0.3, "norm": None},
        {"filter_scale": 2.0, "n_bins": 17, "bins_per_octave": 3},
        {"fmin": C1, "n_bins": 80},
    ],
    ids=str,
)
def test_every_option_equals_the_definition_in_float64(options) -> None:
    options = {**SMALL, **options}
    x = sound(4000)
    assert distance(run(CQT(RATE, 128, power=None, **options), x[None])[0], parts(truth(x, 128, **options))) < TOLERANCE


def test_a_single_bin_is_the_first_of_many() -> None:
    x = sound(1000)
    expected = array(run(CQT(RATE, 100, fmin=200.0, n_bins=5), x[None]))[..., :1]
    assert distance(run(CQT(RATE, 100, fmin=200.0, n_bins=1), x[None]), expected) < TOLERANCE


@pytest.mark.parametrize("gamma", [0.0, None])
def test_it_equals_librosa_where_librosa_stays_at_the_full_rate(gamma) -> None:
    # An odd hop. librosa leaves out what its filters let through of negative frequencies, which is little where the
    # sound is high enough and does not begin or end at once: 2e-5.
    x = (np.hanning(4000) * chirp(np.arange(4000) / RATE, 150, 0.5, 3900)).astype("float32")
    options = {"hop_length": 101, "fmin": 200.0, "n_bins": 40, "gamma": gamma}
    expected = librosa.vqt(x.astype("float64"), sr=RATE, sparsity=0, **options).T
    assert distance(run(CQT(RATE, power=None, **options), x[None])[0], parts(expected)) < 1e-4


def test_librosas_filters_of_low_octaves_move_its_result_by_1_to_2_percent_of_the_peak_here() -> None:
    time = np.arange(30000) / 22050
    x = (chirp(time, 30, time[-1], 8000) / 2 + np.sin(2 * np.pi * 55 * time) / 3).astype("float32")
    actual = array(run(CQT(22050), x[None]))[0]
    for options in ({}, {"sparsity": 0, "res_type": "soxr_vhq"}):
        expected = np.abs(librosa.cqt(x.astype("float64"), **options).T)
        assert 0.01 < distance(actual, expected) < 0.02


def test_the_exponent_is_of_the_magnitude() -> None:
    x = sound(1000)
    magnitude = np.abs(truth(x, 100, **SMALL))
    root, power = run(lambda tensor: [CQT(RATE, 100, power=p, **SMALL)(tensor) for p in (0.5, 2)], x[None])
    assert distance(power[0], magnitude**2) < TOLERANCE
    # The root of a magnitude 1e-5 off is 3e-3 off where there is next to nothing.
    assert distance(root[0], np.sqrt(magnitude)) < 3e-3


def test_a_channel_is_transformed_as_if_it_stood_alone() -> None:
    x = np.stack([sound(500), sound(500)[::-1]], axis=-1)
    layer = CQT(RATE, 100, power=None, fmin=400.0, n_bins=14)
    together = array(run(layer, x[None]))
    assert together.shape == (1, 6, 14, 2, 2)
    np.testing.assert_allclose(np.moveaxis(together[0], 2, 0), array(run(layer, x.T)), atol=1e-6)


def test_a_tone_at_a_bin_has_half_the_root_of_the_filters_length_there() -> None:
    # Norm 1: a filter's response at its own frequency is 1, a cosine's share of it a half.
    frequencies, lengths, _ = filter_lengths(
        RATE, filter_scale=1.0, gamma=0.0, window="hann", bins_per_octave=12, **SMALL
    )
    x = np.cos(2 * np.pi * frequencies[17] / RATE * np.arange(4000)).astype("float32")
    frame = array(run(CQT(RATE, 500, **SMALL), x[None]))[0, 4]
    assert np.argmax(frame) == 17
    assert frame[17] == pytest.approx(np.sqrt(lengths[17]) / 2, rel=1e-4)


@pytest.mark.parametrize("gamma", [0.0, 30.0, None])
@pytest.mark.parametrize("window", WINDOWS)
def test_lengths_and_ends_are_librosas(window, gamma) -> None:
    options = {"filter_scale": 0.7, "gamma": gamma, "window": window}
    frequencies, lengths, ends = filter_lengths(RATE, bins_per_octave=12, **SMALL, **options)
    expected, end = librosa.filters.wavelet_lengths(freqs=frequencies, sr=RATE, **options)
    np.testing.assert_allclose(lengths, expected, rtol=1e-12)
    # librosa measures a window's bandwidth on samples.
    assert ends[-1] == pytest.approx(end, rel=1e-4)


@pytest.mark.parametrize("window", WINDOWS)
def test_beyond_its_reach_a_filters_response_is_below_1e_5(window) -> None:
    # A filter of 100 cycles, long enough for no halving; its spectrum at steps of 1/16 of a cycle per length.
    size, cycles = 4096, 1000
    filter_ = octave_filters(
        np.array([cycles / size]), np.array([float(size)]), 10**6, window=window, norm=1, scale=True
    )
    assert filter_.halvings == 0
    signal = filter_.filters[:, 0] + 1j * filter_.filters[:, 1]
    response = np.abs(np.fft.fft(signal, 16 * size))
    response = np.roll(response, 16 * cycles) / response.max()
    reach = {"hann": 31.6, "blackman": 23.6}[window]
    beyond = response[int(16 * reach) : -int(16 * reach)]
    assert 0.8e-5 < beyond.max() < 1.05e-5


def test_low_octaves_are_computed_at_low_rates_and_a_row_serves_several_frames() -> None:
    layer = CQT(22050)
    assert [octave.halvings for octave in layer._octaves] == [0, 0, 1, 2, 3, 4, 5]
    for octave in layer._octaves:
        samples, columns = octave.filters.shape
        assert columns == 24 * octave.frames
        assert samples < 500
        # Rows overlap to less than five times the signal.
        assert samples / octave.hop < 5


def test_the_gradient_is_the_slope() -> None:
    options = {"fmin": 150.0, "n_bins": 12, "bins_per_octave": 4}
    layer = CQT(RATE, 60, **options)
    x = sound(200)[None]
    actual = gradient(layer, x)

    def loss(samples):
        spectrum = np.abs(truth(samples[0], 60, **options))
        weights = np.random.default_rng(1).uniform(0.5, 1.5, spectrum.size).astype("float32").reshape(spectrum.shape)
        return np.sum(spectrum * weights)

    for sample in (0, 61, 130, 199):
        step = np.zeros(x.shape)
        step[0, sample] = 1e-6
        slope = (loss(x + step) - loss(x - step)) / 2e-6
        assert actual[0, sample] == pytest.approx(slope, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"sample_rate": 0}, "`sample_rate` must be positive. Received: sample_rate=0"),
        ({"hop_length": 0}, "`hop_length` must be at least 1. Received: hop_length=0"),
        ({"n_bins": 0}, "`n_bins` must be at least 1. Received: n_bins=0"),
        ({"bins_per_octave": 0}, "`bins_per_octave` must be at least 1. Received: bins_per_octave=0"),
        ({"fmin": 0}, "`fmin` must be positive. Received: fmin=0"),
        ({"filter_scale": 0}, "`filter_scale` must be positive. Received: filter_scale=0"),
        ({"gamma": -1}, "`gamma` must be at least 0 or None. Received: gamma=-1"),
        ({"window": "hamming"}, "`window` must be one of hann, blackman. Received: window='hamming'"),
        ({"norm": 3}, "`norm` must be 1, 2 or None. Received: norm=3"),
        ({"pad_mode": "edge"}, "`pad_mode` must be 'constant' or 'reflect'. Received: pad_mode='edge'"),
        ({"power": 0}, "`power` must be positive or None. Received: power=0"),
        (
            {"sample_rate": 8000},
            "The highest filter must end below half the sample rate and have at least 2 samples. Received: fmin=32.7",
        ),
        ({"fmin": 2000.0, "n_bins": 1, "filter_scale": 0.01}, "and has 2 samples"),
    ],
)
def test_wrong_arguments_are_named(options, rule) -> None:
    with pytest.raises(ValueError) as caught:
        CQT(**{"sample_rate": 22050, **options})
    assert rule in str(caught.value)
