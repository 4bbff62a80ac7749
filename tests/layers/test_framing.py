import keras
import librosa
import numpy as np
import pytest
from layer_checks import array

from keraudio.layers.framing import frame_count, frame_signal, pad_signal

pytestmark = pytest.mark.backends


def cut(x: np.ndarray, n_fft: int, hop_length: int) -> np.ndarray:
    """Frames by the definition, one slice at a time."""
    x = np.pad(x, (0, max(0, n_fft - len(x))))
    return np.stack([x[start : start + n_fft] for start in range(0, len(x) - n_fft + 1, hop_length)])


@pytest.mark.parametrize(("n_fft", "hop_length"), [(12, 5), (11, 4), (7, 7), (3, 8), (1, 1), (2, 1)])
def test_the_count_is_that_of_frames_which_fit_for_every_length_to_four_frames(n_fft, hop_length) -> None:
    for samples in range(1, 4 * n_fft + 1):
        assert frame_count(samples, n_fft, hop_length, center=False) == len(cut(np.zeros(samples), n_fft, hop_length))
        padded = samples + 2 * (n_fft // 2)
        assert frame_count(samples, n_fft, hop_length, center=True) == len(cut(np.zeros(padded), n_fft, hop_length))
        if samples >= n_fft:
            expected = librosa.stft(np.zeros(samples), n_fft=n_fft, hop_length=hop_length, window="boxcar").shape[1]
            assert frame_count(samples, n_fft, hop_length, center=True) == expected
    assert frame_count(None, n_fft, hop_length, center=True) is None


@pytest.mark.parametrize(("n_fft", "hop_length"), [(12, 5), (12, 4), (11, 11), (3, 8), (20, 1), (34, 2), (1, 1)])
@pytest.mark.parametrize("samples", [1, 12, 29, 61])
def test_frames_are_the_slices(samples, n_fft, hop_length) -> None:
    x = np.random.default_rng(0).standard_normal((2, samples)).astype("float32")
    expected = np.stack([cut(row, n_fft, hop_length) for row in x])
    np.testing.assert_array_equal(array(frame_signal(keras.ops.convert_to_tensor(x), n_fft, hop_length)), expected)


@pytest.mark.parametrize("mode", ["constant", "reflect"])
@pytest.mark.parametrize(("samples", "length"), [(1, 3), (2, 5), (3, 1), (5, 4), (5, 21), (9, 0)])
def test_padding_is_numpys(samples, length, mode) -> None:
    x = np.random.default_rng(0).standard_normal((2, samples)).astype("float32")
    expected = np.pad(x, [(0, 0), (length, length)], mode=mode)
    np.testing.assert_array_equal(array(pad_signal(keras.ops.convert_to_tensor(x), length, mode)), expected)
