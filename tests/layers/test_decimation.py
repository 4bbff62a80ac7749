import keras
import numpy as np
import pytest
from layer_checks import array, run
from scipy.signal import freqz

from keraudio.layers.decimation import PASS_BAND, REACH, half_band_filter, halve_rate

pytestmark = pytest.mark.backends


def taps() -> np.ndarray:
    """The whole filter, zeros and middle included."""
    whole = np.zeros(4 * REACH - 1)
    whole[::2] = half_band_filter()
    whole[2 * REACH - 1] = 0.5
    return whole


def halve(x: np.ndarray) -> np.ndarray:
    return array(run(lambda samples: halve_rate(keras.ops.convert_to_tensor(samples)), x))


def test_the_kept_band_is_flat_to_1e_6_and_what_folds_onto_it_is_below_1e_6() -> None:
    frequency, response = freqz(taps(), worN=2**14, fs=1)
    assert np.max(np.abs(np.abs(response[frequency <= PASS_BAND / 2]) - 1)) < 1e-6
    assert np.max(np.abs(response[frequency >= 0.5 - PASS_BAND / 2])) < 1e-6


def test_the_filter_is_symmetric_with_a_gain_of_one() -> None:
    np.testing.assert_allclose(taps(), taps()[::-1], atol=1e-15)
    assert np.sum(taps()) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("samples", [4 * REACH, 4 * REACH + 1, 300, 337])
def test_it_is_every_second_sample_of_the_convolution_with_the_filter(samples) -> None:
    x = np.random.default_rng(0).standard_normal((2, samples)).astype("float32")
    halved = halve(x)
    # An even sample for each place where the filter lies within the signal, and where an odd one follows it.
    expected = np.stack([np.convolve(row.astype("float64"), taps(), "valid")[1::2] for row in x])
    assert halved.shape == (2, samples // 2 - 2 * REACH + 1)
    np.testing.assert_allclose(halved, expected[:, : halved.shape[1]], rtol=0, atol=1e-6)


def test_a_slow_cosine_keeps_its_phase() -> None:
    time = np.arange(400)
    halved = halve(np.cos(0.3 * time)[None].astype("float32"))[0]
    np.testing.assert_allclose(halved, np.cos(0.6 * (np.arange(len(halved)) + REACH)), atol=3e-6)
