from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_checks import LayerCase, array, edge_signals, every_check, gradient, run
from scipy.stats import chisquare

from keraudio.layers import RandomCrop

pytestmark = pytest.mark.backends


# Where a crop cuts, the length in training differs from what the layer foretells; tests below look at that.
@every_check(
    LayerCase(partial(RandomCrop, 20, seed=1), (20,), (20,), random=True),
    LayerCase(partial(RandomCrop, 20, seed=1), (20, 2), (20,), random=True),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


def ramps(batch: int, samples: int) -> np.ndarray:
    """Waveforms of which every sample is another number, none of them 0."""
    return np.arange(1, 1 + batch * samples, dtype="float32").reshape(batch, samples)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31 - 1), st.sampled_from([1, 3, 11, 12]), st.sampled_from([1, 5, 11]))
def test_a_crop_is_a_stretch_of_its_own_waveform_with_zeros_after_a_short_one(seed, samples, length) -> None:
    x = ramps(4, samples)
    cropped = array(RandomCrop(length, seed=seed)(x, training=True))
    assert cropped.shape == (4, length)
    kept = min(samples, length)
    for waveform, stretch in zip(x, cropped, strict=True):
        start = int(stretch[0] - waveform[0])
        np.testing.assert_array_equal(stretch[:kept], waveform[start : start + kept])
        np.testing.assert_array_equal(stretch[kept:], 0)


def test_every_place_is_equally_likely_and_examples_draw_their_own() -> None:
    x = np.tile(np.arange(10, dtype="float32"), (2000, 1))
    starts = array(RandomCrop(4, seed=1)(x, training=True))[:, 0].astype(int)
    assert chisquare(np.bincount(starts, minlength=7)).pvalue > 1e-3


def test_channels_are_cut_at_the_same_place() -> None:
    x = ramps(8, 30)
    cropped = array(RandomCrop(7, seed=1)(np.stack([x, -x], axis=-1), training=True))
    assert cropped.shape == (8, 7, 2)
    np.testing.assert_array_equal(cropped[..., 1], -cropped[..., 0])


def test_nothing_happens_at_inference() -> None:
    for samples in (3, 20):
        x = ramps(2, samples)
        np.testing.assert_array_equal(array(RandomCrop(10)(x)), x)
        np.testing.assert_array_equal(array(RandomCrop(10)(x, training=False)), x)


def test_a_seed_repeats_the_sequence_of_places_which_goes_on() -> None:
    x = ramps(8, 100)
    runs = [
        [array(layer(x, training=True)) for _ in range(2)] for layer in (RandomCrop(5, seed=3), RandomCrop(5, seed=3))
    ]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert (runs[0][0] != runs[0][1]).any()
    assert (array(RandomCrop(5, seed=4)(x, training=True)) != runs[0][0]).any()


def test_the_length_is_foretold_only_where_training_and_inference_agree() -> None:
    layer = RandomCrop(10)
    for samples, foretold in ((10, 10), (9, None), (11, None), (None, None)):
        assert layer(keras.Input((samples, 2))).shape == (None, foretold, 2)
        assert layer.compute_output_shape((3, samples, 2)) == (3, foretold, 2)


def test_a_model_trains_on_crops_and_answers_for_whole_waveforms() -> None:
    inputs = keras.Input((None, 1))
    x = keras.layers.Conv1D(2, 3, padding="same")(RandomCrop(10, seed=1)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.GlobalAveragePooling1D()(x)))
    model.compile("sgd", "mse", jit_compile=keras.backend.backend() != "torch")
    for samples in (4, 30):
        waveforms = np.random.default_rng(0).uniform(-1, 1, (3, samples, 1)).astype("float32")
        assert np.isfinite(model.train_on_batch(waveforms, np.zeros((3, 1), "float32")))
        assert model.predict(waveforms, verbose=0).shape == (3, 1)


@pytest.mark.parametrize("samples", [1, 9, 25])
def test_outputs_and_gradients_are_finite_on_silence_full_scale_an_impulse_and_faint_sound(samples) -> None:
    x = np.stack(list(edge_signals((samples,)).values()))
    layer = RandomCrop(10, seed=1)
    layer(keras.Input((samples,)))
    cropped = array(run(lambda tensor: layer(tensor, training=True), x))
    assert cropped.shape == (len(x), 10) and np.isfinite(cropped).all()
    slopes = gradient(lambda tensor: layer(tensor, training=True), x)
    # A sample's slope is its weight in the sum, 0.5 to 1.5, where it was kept: ten of them, or all.
    assert ((slopes == 0) | ((slopes >= 0.5) & (slopes <= 1.5))).all()
    assert (np.count_nonzero(slopes, axis=1) == min(samples, 10)).all()


def test_a_length_of_nothing_is_named() -> None:
    with pytest.raises(ValueError, match="`length` must be at least 1. Received: length=0"):
        RandomCrop(0)
