import numpy as np
import pytest
import scipy.signal

from keraudio.layers.windows import WINDOWS, cosine_window


@pytest.mark.parametrize("length", [1, 2, 3, 16, 401, 2048])
@pytest.mark.parametrize("name", WINDOWS)
def test_windows_equal_scipys_periodic_ones(name, length) -> None:
    expected = scipy.signal.get_window({"rectangular": "boxcar"}.get(name, name), length, fftbins=True)
    actual = cosine_window(name, length)
    assert actual.dtype == np.float64
    np.testing.assert_allclose(actual, expected, atol=1e-15)


def test_hann_by_hand() -> None:
    np.testing.assert_allclose(cosine_window("hann", 4), [0, 0.5, 1, 0.5], atol=1e-16)
