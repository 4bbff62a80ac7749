from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_checks import LayerCase, array, every_check
from scipy.stats import chisquare

from keraudio.layers import RandomDelay

pytestmark = pytest.mark.backends

WHOLE = {"step": None, "decay": 1.0, "mix": 1.0}


@every_check(
    LayerCase(partial(RandomDelay, 20, probability=0.5, seed=1), (20,), (1, 20), random=True),
    LayerCase(partial(RandomDelay, 20, 0.0, 0.5, **WHOLE, seed=1), (20, 2), (1, 20), random=True),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


def found_delays(layer: RandomDelay, samples: int, batch: int) -> np.ndarray:
    """By how many samples each of `batch` impulses at sample 0 was delayed."""
    impulses = np.zeros((batch, samples), "float32")
    impulses[:, 0] = 1
    delayed = array(layer(impulses, training=True))
    assert (np.count_nonzero(delayed, axis=1) == 1).all()
    return np.argmax(delayed, axis=1)


def test_the_defaults_average_the_waveform_with_half_of_itself_200_to_450_ms_later() -> None:
    rate = 1000
    x = np.random.default_rng(0).uniform(-1, 1, (300, 600)).astype("float32")
    changed = array(RandomDelay(rate, seed=1)(x, training=True))
    candidates = []
    for delay in range(200, 451, 50):
        later = np.pad(x, ((0, 0), (delay, 0)))[:, :600]
        candidates.append(np.abs(changed - (x + 0.5 * later) / 2).max(axis=1))
    errors = np.stack(candidates)
    np.testing.assert_array_less(errors.min(axis=0), 1e-6)
    assert chisquare(np.bincount(errors.argmin(axis=0), minlength=6)).pvalue > 1e-3


@pytest.mark.parametrize(
    ("sample_rate", "bounds", "step", "delays"),
    [
        (22050, (0.2, 0.45), 0.05, [4410, 5512, 6615, 7718, 8820, 9922]),
        (16000, (0.2, 0.45), 0.05, [3200, 4000, 4800, 5600, 6400, 7200]),
        (1000, (0.01, 0.029), 0.01, [10, 20]),
        (10, (0.0, 0.3), None, [0, 1, 2, 3]),
        (10, (0.5, 0.5), 0.1, [5]),
    ],
)
def test_allowed_delays_in_samples_both_bounds_included(sample_rate, bounds, step, delays) -> None:
    # 5512.5 and its like lie between two samples: either is right.
    np.testing.assert_allclose(RandomDelay(sample_rate, *bounds, step=step).delays(), delays, rtol=0, atol=0.5)


def test_a_mix_of_nothing_but_the_copy_is_leading_zeros_every_number_equally_likely() -> None:
    delays = found_delays(RandomDelay(10, 0.0, 0.7, **WHOLE, seed=1), 9, 2000)
    assert chisquare(np.bincount(delays, minlength=8)).pvalue > 1e-3
    # Piczak's bound: 0 to 22,049 leading zeros.
    assert RandomDelay(22050, 0.0, 22049 / 22050, step=None).delays().tolist() == list(range(22050))


def test_a_delay_beyond_the_end_leaves_silence_of_the_copy() -> None:
    x = np.ones((2, 5), "float32")
    np.testing.assert_array_equal(array(RandomDelay(10, 0.9, 0.9, seed=1)(x, training=True)), 0.5 * x)
    np.testing.assert_array_equal(array(RandomDelay(10, 0.9, 0.9, **WHOLE)(x, training=True)), 0 * x)


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 2**31 - 1),
    st.floats(-2, 2, width=32),
    st.floats(-2, 2, width=32),
    st.sampled_from([(0.5, 0.5), (0.8, 0.3), (1.0, 1.0)]),
)
def test_a_delay_is_linear(seed, a, b, parts) -> None:
    decay, mix = parts
    x, y = np.random.default_rng(seed).uniform(-1, 1, (2, 4, 50)).astype("float32")

    def delayed(waveforms):
        layer = RandomDelay(100, 0.05, 0.4, step=None, decay=decay, mix=mix, seed=seed)
        return array(layer(waveforms, training=True))

    # Sums of float32 numbers up to 4.
    np.testing.assert_allclose(delayed(a * x + b * y), a * delayed(x) + b * delayed(y), rtol=0, atol=2e-6)


@pytest.mark.filterwarnings("ignore:The model does not have any trainable weights")
def test_the_length_may_be_unknown_while_training() -> None:
    inputs = keras.Input((None,))
    model = keras.Model(inputs, RandomDelay(10, 0.2, 0.2, **WHOLE)(inputs))
    # `predict` rests the layer, so the distance to what training should give is its loss.
    model.compile("sgd", "mae", jit_compile=keras.backend.backend() != "torch")
    for samples in (1, 4):
        x = np.arange(1, 1 + samples, dtype="float32")[None]
        assert model.train_on_batch(x, np.pad(x, ((0, 0), (2, 0)))[:, :samples]) == 0


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"sample_rate": 0}, "`sample_rate` must be positive. Received: sample_rate=0"),
        (
            {"min_delay": 0.5},
            "0 <= min_delay <= max_delay. Received: min_delay=0.5, max_delay=0.45",
        ),
        ({"min_delay": -0.1}, "0 <= min_delay <= max_delay. Received: min_delay=-0.1"),
        ({"step": 0}, "`step` must be positive or None. Received: step=0"),
        ({"decay": 1.5}, "`decay` must be between 0 and 1. Received: decay=1.5"),
        ({"mix": -0.5}, "`mix` must be between 0 and 1. Received: mix=-0.5"),
    ],
)
def test_wrong_arguments_are_named(options, rule) -> None:
    with pytest.raises(ValueError, match=rule):
        RandomDelay(**{"sample_rate": 8000, **options})
