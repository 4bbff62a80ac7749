from collections.abc import Callable
from functools import partial

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from layer_checks import LayerCase, array, compiled, distance, every_check, gradient, run
from scipy.signal import chirp

from keraudio.layers import STFT, kernel_path

pytestmark = pytest.mark.backends

# float32 FFTs: the largest seen here is 4e-7 (magnitude), 8e-7 (power).
FFT_TOLERANCE = 1e-5
RATE = 8000
EDGES = (1, 11, 12, 13, 17, 36)


def sound(samples: int = 3000) -> np.ndarray:
    time = np.arange(samples) / RATE
    noise = np.random.default_rng(5).standard_normal(samples)
    return (0.7 * chirp(time, 50, time[-1] + 1e-3, 3900) + 0.05 * noise).astype("float32")


def truth(x: np.ndarray, n_fft: int, **options) -> np.ndarray:
    """librosa in float64, frames before bins."""
    return librosa.stft(x.astype("float64"), n_fft=n_fft, dtype="complex128", **options).T


def librosa_reflects_rightly(n_fft: int, hop_length: int) -> bool:
    """librosa 0.11 reflects too few samples at the end where a frame has no two hops or three samples."""
    return hop_length < n_fft and n_fft > 2


@every_check(
    LayerCase(partial(STFT, 12, 5), (40,), EDGES),
    LayerCase(partial(STFT, 11, 4, win_length=7, center=False, power=2), (40, 2), EDGES),
    LayerCase(partial(STFT, 12, 5, pad_mode="reflect", power=None), (40,), EDGES),
    # Hops that no reshape serves: longer than a frame, and so short that frames are gathered.
    LayerCase(partial(STFT, 6, 9, power=0.5), (40,), (1, 7, 18)),
    LayerCase(partial(STFT, 20, 1, window="blackman"), (25, 2), (1, 20, 60)),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


@pytest.mark.parametrize("pad_mode", ["constant", "reflect"])
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize(
    ("n_fft", "hop_length", "win_length"),
    [(2048, 512, 2048), (511, 160, 511), (400, 160, 300), (401, 100, 255), (256, 8, 256), (64, 100, 64), (2, 1, 2)],
)
def test_it_equals_librosa_in_float64(n_fft, hop_length, win_length, center, pad_mode) -> None:
    x = sound()
    options = {"hop_length": hop_length, "win_length": win_length, "center": center, "pad_mode": pad_mode}
    if center and not librosa_reflects_rightly(n_fft, hop_length):
        expected = truth(np.pad(x, n_fft // 2, mode=pad_mode), n_fft, **{**options, "center": False})
    else:
        expected = truth(x, n_fft, **options)
    parts = STFT(n_fft, power=None, **options)(x[None])[0]
    assert distance(parts, np.stack([expected.real, expected.imag], -1)) < FFT_TOLERANCE
    assert distance(STFT(n_fft, **options)(x[None])[0], np.abs(expected)) < FFT_TOLERANCE
    assert distance(STFT(n_fft, power=2, **options)(x[None])[0], np.abs(expected) ** 2) < FFT_TOLERANCE


@pytest.mark.parametrize(
    ("window", "scipys"),
    [("hamming", "hamming"), ("blackman", "blackman"), ("flattop", "flattop"), ("rectangular", "boxcar")],
)
def test_every_window_equals_librosa(window, scipys) -> None:
    x = sound(1000)
    expected = np.abs(truth(x, 128, hop_length=32, win_length=101, window=scipys))
    assert distance(STFT(128, 32, win_length=101, window=window)(x[None])[0], expected) < FFT_TOLERANCE


@pytest.mark.parametrize("power", [0.5, 1.0, 1.7, 2.0])
def test_the_exponent_is_of_the_magnitude(power) -> None:
    x = sound(1000)
    expected = np.abs(truth(x, 128, hop_length=32)) ** power
    assert distance(STFT(128, power=power)(x[None])[0], expected) < FFT_TOLERANCE


def test_a_channel_is_transformed_as_if_it_stood_alone() -> None:
    x = np.stack([sound(500), sound(500)[::-1]], axis=-1)[None]
    for power in (1, None):
        together = array(STFT(64, power=power)(x))
        for channel in range(2):
            alone = array(STFT(64, power=power)(x[..., channel]))
            np.testing.assert_allclose(together[:, :, :, channel], alone, atol=1e-6)


def test_a_cosine_on_a_bin_has_half_the_windows_sum_there_and_a_quarter_beside() -> None:
    # The Hann window's transform by hand: n/2 at its centre, n/4 beside it, zero beyond; a cosine takes half of each.
    n_fft, bin_of_tone = 64, 10
    x = np.cos(2 * np.pi * bin_of_tone * np.arange(n_fft) / n_fft).astype("float32")[None]
    spectrum = array(STFT(n_fft, center=False)(x))[0, 0]
    expected = np.zeros(33)
    expected[9:12] = 8, 16, 8
    np.testing.assert_allclose(spectrum, expected, atol=1e-5)


def test_an_impulse_shows_the_window_at_the_frames_that_reach_it() -> None:
    x = np.zeros((1, 64), "float32")
    x[0, 20] = 1
    magnitude = array(STFT(16, 4, center=False)(x))[0]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(16) / 16)
    for frame in range(13):
        position = 20 - 4 * frame
        np.testing.assert_allclose(magnitude[frame], hann[position] if 0 <= position < 16 else 0, atol=1e-6)


def test_energy_is_that_of_the_windowed_frames() -> None:
    # Parseval: bins between 0 and the Nyquist frequency stand for two.
    x = sound(256)
    frame = x[:128] * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(128) / 128))
    power = array(STFT(128, 128, center=False, power=2)(x[None]))[0, 0].astype("float64")
    energy = (power[0] + 2 * power[1:-1].sum() + power[-1]) / 128
    assert energy == pytest.approx(np.sum(frame**2), rel=1e-5)


SIGNALS = hnp.arrays("float32", (1, 60), elements=st.floats(-1, 1, width=32))


@pytest.mark.parametrize("options", [{}, {"center": False, "win_length": 11, "window": "hamming"}], ids=str)
def test_any_two_signals_add_up_and_a_delay_of_a_hop_is_a_frame(options) -> None:
    transform = compiled(STFT(16, 5, power=None, **options))

    @settings(max_examples=15, deadline=None)
    @given(one=SIGNALS, two=SIGNALS, share=st.floats(-2, 2, width=32))
    def holds(one, two, share) -> None:
        first, second = array(transform(one)), array(transform(two))
        # Sums of 16 products of float32 numbers up to 3.
        np.testing.assert_allclose(array(transform(one + np.float32(share) * two)), first + share * second, atol=2e-5)
        later = np.concatenate([np.zeros((1, 5), "float32"), one[:, :-5]], axis=1)
        # The last frames see the end, which the delay has moved out.
        np.testing.assert_allclose(array(transform(later))[:, 2:-2], first[:, 1:-3], atol=1e-6)

    holds()


@pytest.mark.parametrize("power", [1.0, 2.0, None])
@pytest.mark.parametrize(("n_fft", "win_length"), [(512, 400), (401, 401)])
def test_matrix_products_give_what_the_fft_gives(n_fft, win_length, power) -> None:
    x = sound()[None]
    layer = STFT(n_fft, 128, win_length=win_length, power=power)
    expected = array(run(layer, x))
    with kernel_path():
        # Sums of n_fft float32 products, where an FFT adds log2(n_fft) times.
        assert distance(run(layer, x), expected) < 1e-4


@pytest.mark.parametrize("samples", [1, 2, 3, 9])
def test_reflection_of_a_clip_shorter_than_the_padding_goes_back_and_forth_as_in_numpy(samples) -> None:
    x = sound(samples)
    padded = np.pad(x, 8, mode="reflect") if samples > 1 else np.full(17, x[0])
    padded = np.pad(padded, (0, max(0, 16 - len(padded))))
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(16) / 16)
    starts = range(0, len(padded) - 15, 4)
    expected = np.abs(np.fft.rfft([padded[s : s + 16] * hann for s in starts]))
    assert distance(STFT(16, 4, pad_mode="reflect")(x[None])[0], expected) < FFT_TOLERANCE


def test_a_clip_shorter_than_a_frame_is_one_frame_padded_with_zeros() -> None:
    x = sound(10)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(64) / 64)
    expected = np.abs(np.fft.rfft(np.pad(x, (0, 54)) * hann))[None]
    assert distance(STFT(64, center=False)(x[None])[0], expected) < FFT_TOLERANCE


@pytest.mark.parametrize("power", [1.0, 2.0, 0.7])
def test_the_gradient_is_the_slope(power) -> None:
    layer = STFT(16, 4, power=power)
    x = sound(40)[None]
    actual = gradient(layer, x)

    def loss(samples):
        spectrum = np.abs(truth(samples[0], 16, hop_length=4)) ** power
        weights = np.random.default_rng(1).uniform(0.5, 1.5, spectrum.size).astype("float32").reshape(spectrum.shape)
        return np.sum(spectrum * weights)

    for sample in (0, 7, 39):
        step = np.zeros(x.shape)
        step[0, sample] = 1e-6
        slope = (loss(x + step) - loss(x - step)) / 2e-6
        assert actual[0, sample] == pytest.approx(slope, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"n_fft": 0}, "`n_fft` must be at least 1. Received: n_fft=0"),
        ({"hop_length": 0}, "`hop_length` must be at least 1. Received: hop_length=0"),
        (
            {"n_fft": 64, "win_length": 65},
            "`win_length` must be between 1 and `n_fft`. Received: win_length=65, n_fft=64",
        ),
        ({"win_length": 0}, "`win_length` must be between"),
        (
            {"window": "kaiser"},
            "`window` must be one of hann, hamming, blackman, nuttall, blackmanharris, flattop, rectangular. Received: "
            "window='kaiser'",
        ),
        ({"pad_mode": "edge"}, "`pad_mode` must be 'constant' or 'reflect'. Received: pad_mode='edge'"),
        ({"power": 0}, "`power` must be positive or None. Received: power=0"),
    ],
)
def test_wrong_arguments_are_named(options, rule) -> None:
    with pytest.raises(ValueError) as caught:
        STFT(**options)
    assert rule in str(caught.value)
