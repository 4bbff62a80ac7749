import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_checks import distance, gradient, run

from keraudio.layers.block_convolution import convolve, convolved_length

pytestmark = pytest.mark.backends

# Sums of up to 450 float32 products; the largest seen here is 8e-7.
TOLERANCE = 3e-6


def truth(x: np.ndarray, filters: np.ndarray, strides: int, padding: str) -> np.ndarray:
    """One output after the other, in float64; `"same"` as TensorFlow documents it."""
    taps, samples = len(filters), x.shape[1]
    if padding == "same":
        outputs = -(-samples // strides)
        total = max((outputs - 1) * strides + taps - samples, 0)
        x = np.pad(x, [(0, 0), (total // 2, total - total // 2)])
    else:
        x = np.pad(x, [(0, 0), (0, max(0, taps - samples))])
    starts = range(0, x.shape[1] - taps + 1, strides)
    return np.stack([x[:, start : start + taps].astype("float64") @ filters for start in starts], axis=1)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype("float32")


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(
    ("samples", "taps", "strides"),
    [(1000, 401, 1), (500, 51, 3), (500, 33, 32), (1000, 401, 160), (40, 5, 9), (33, 1, 1), (32, 2, 1), (1, 9, 4)],
)
def test_each_output_is_the_sum_over_its_stretch(samples, taps, strides, padding) -> None:
    x, filters = noise(2, samples), noise(taps, 3)
    expected = truth(x, filters, strides, padding)
    actual = run(lambda x: convolve(x, filters, strides=strides, padding=padding), x)
    assert distance(actual, expected) < TOLERANCE
    assert convolved_length(samples, taps, strides, padding) == expected.shape[1]


@pytest.mark.parametrize(("strides", "padding"), [(1, "same"), (1, "valid"), (4, "same"), (7, "valid")])
def test_it_equals_keras(strides, padding) -> None:
    x, filters = noise(2, 203), noise(31, 4)
    expected = keras.ops.conv(x[..., None], filters[:, None], strides=strides, padding=padding)
    actual = run(lambda x: convolve(x, filters, strides=strides, padding=padding), x)
    assert distance(actual, np.asarray(keras.ops.convert_to_numpy(expected))) < TOLERANCE


def test_gradients_reach_the_signal_and_the_filters() -> None:
    x, filters = noise(2, 90), noise(21, 3)
    weights = np.random.default_rng(1).uniform(0.5, 1.5, (2, 30, 3)).astype("float32")
    padded = np.zeros((2, 90 + 20))
    padded[:, 9:99] = x
    to_filters, to_signal = np.zeros((21, 3)), np.zeros(padded.shape)
    for output in range(30):
        stretch = slice(3 * output, 3 * output + 21)
        to_filters += padded[:, stretch].T @ weights[:, output]
        to_signal[:, stretch] += weights[:, output] @ filters.T.astype("float64")
    # The padding is (29 * 3 + 21 - 90) // 2 = 9 at the left.
    actual = gradient(lambda f: convolve(keras.ops.convert_to_tensor(x), f, strides=3), filters)
    assert distance(actual, to_filters) < TOLERANCE
    actual = gradient(lambda x: convolve(x, keras.ops.convert_to_tensor(filters), strides=3), x)
    assert distance(actual, to_signal[:, 9:99]) < TOLERANCE


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 500), st.integers(1, 60), st.integers(1, 60), st.sampled_from(["same", "valid"]))
def test_lengths_are_those_of_keras_and_never_none(samples, taps, strides, padding) -> None:
    expected = keras.layers.Conv1D(1, taps, strides=strides, padding=padding)
    length = convolved_length(samples, taps, strides, padding)
    if padding == "same" or samples >= taps:
        assert length == expected.compute_output_shape((1, samples, 1))[1]
    else:
        assert length == 1
    assert convolved_length(None, taps, strides, padding) is None
