import keras
import librosa
import numpy as np
import pytest
from layer_checks import array, gradient, run

from keraudio.layers import framing
from keraudio.layers.framing import (
    frame_count,
    frame_products,
    frame_signal,
    map_frames,
    overlap_add,
    pad_signal,
)

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


@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize(("n_fft", "hop_length", "samples"), [(12, 5, 200), (11, 11, 129), (3, 8, 100), (40, 2, 90)])
def test_blocks_of_frames_give_what_all_at_once_give_and_the_same_gradient(
    n_fft, hop_length, samples, center, monkeypatch
) -> None:
    x = np.random.default_rng(0).standard_normal((3, samples)).astype("float32")

    def squares(tensor):
        return map_frames(lambda frames: frames[..., ::2] ** 2, tensor, n_fft, hop_length, center=center)

    whole, slopes = array(run(squares, x)), gradient(squares, x)
    for frames_a_block, most_blocks in ((1, 100), (7, 100), (4, 2)):
        monkeypatch.setattr(framing, "_block_samples", lambda size=frames_a_block * n_fft: size)
        monkeypatch.setattr(framing, "_MOST_BLOCKS", most_blocks)
        # Vectors of another length are squared by another road, to the last bit.
        np.testing.assert_allclose(array(run(squares, x)), whole, rtol=1e-6)
        # Blocks that share samples add their slopes up in another order.
        np.testing.assert_allclose(gradient(squares, x), slopes, rtol=1e-5, atol=1e-5)


def test_blocks_serve_lengths_that_only_come_with_the_signal(monkeypatch) -> None:
    monkeypatch.setattr(framing, "_block_samples", lambda: 5 * 12)
    layer = keras.layers.Layer()
    layer.call = lambda x: map_frames(lambda frames: frames + 1, x, 12, 5, center=True)
    layer.compute_output_spec = lambda x: keras.KerasTensor((x.shape[0], None, 12), "float32")
    inputs = keras.Input((None,))
    model = keras.Model(inputs, layer(inputs))
    for samples in (1, 40, 163):
        x = np.random.default_rng(0).standard_normal((2, samples)).astype("float32")
        expected = np.stack([cut(np.pad(row, 6), 12, 5) for row in x]) + 1
        np.testing.assert_array_equal(model.predict(x, verbose=0), expected)


@pytest.mark.parametrize(("n_fft", "hop_length", "samples"), [(12, 5, 61), (11, 11, 5), (3, 8, 30), (20, 1, 50)])
def test_products_with_a_kernel_are_those_of_the_frames(n_fft, hop_length, samples) -> None:
    random = np.random.default_rng(0)
    x = random.standard_normal((2, samples)).astype("float32")
    kernel = random.standard_normal((n_fft, 4)).astype("float32")

    def products(tensor):
        return frame_products(tensor, keras.ops.convert_to_tensor(kernel), hop_length)

    frames = np.stack([cut(row, n_fft, hop_length) for row in x])
    np.testing.assert_allclose(array(run(products, x)), frames @ kernel, atol=1e-5)


@pytest.mark.parametrize(("n_fft", "hop_length"), [(12, 5), (7, 7), (3, 8), (20, 1), (1, 1)])
@pytest.mark.parametrize("frames", [1, 6])
def test_frames_are_added_up_where_they_stood(frames, n_fft, hop_length) -> None:
    x = np.random.default_rng(0).standard_normal((2, frames, n_fft)).astype("float32")
    expected = np.zeros((2, n_fft + (frames - 1) * hop_length))
    for frame in range(frames):
        expected[:, frame * hop_length : frame * hop_length + n_fft] += x[:, frame]
    actual = run(lambda tensor: overlap_add(tensor, hop_length), x)
    np.testing.assert_allclose(array(actual), expected, atol=1e-5)
