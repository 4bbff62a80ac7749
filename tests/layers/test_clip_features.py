import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layer_checks import array, run

from keraudio.layers import ClipFeatures
from keraudio.layers.clip_features import window_places

pytestmark = pytest.mark.backends


def features_of(window: int = 8, *, dropout: float = 0.0) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((window,))
    x = keras.layers.Dense(3, activation="tanh")(inputs)
    return keras.Model(inputs, keras.layers.Dropout(dropout)(x) if dropout else x)


@pytest.mark.parametrize("reduction", ["mean", "max"])
@pytest.mark.parametrize(("samples", "starts"), [(8, [0]), (9, [0, 1]), (20, [0, 6, 12]), (24, [0, 8, 16])])
def test_they_are_the_mean_or_maximum_of_windows_that_cover_the_clip(samples, starts, reduction) -> None:
    model = features_of()
    x = np.random.default_rng(0).standard_normal((2, samples)).astype("float32")
    every = np.stack([model.predict(x[:, start : start + 8], verbose=0) for start in starts])
    found = array(run(ClipFeatures(model, reduction=reduction), x))
    np.testing.assert_allclose(found, getattr(every, reduction)(axis=0), atol=1e-6)


@pytest.mark.parametrize("reduction", ["mean", "max"])
def test_windows_of_zeros_count_only_where_there_are_no_others(reduction) -> None:
    model = features_of()
    x = np.random.default_rng(0).standard_normal((3, 24)).astype("float32")
    x[0, 10:] = 0
    x[1] = 0
    every = np.stack([model.predict(x[:, start : start + 8], verbose=0) for start in (0, 8, 16)], axis=1)
    found = array(run(ClipFeatures(model, reduction=reduction), x))
    expected = [getattr(kept, reduction)(axis=0) for kept in (every[0, :2], every[1], every[2])]
    np.testing.assert_allclose(found, expected, atol=1e-6)


@given(st.integers(1, 50), st.integers(0, 300))
def test_windows_lie_evenly_from_the_first_sample_to_the_last(window: int, more: int) -> None:
    starts = window_places(window + more, window)
    assert starts[0] == 0 and starts[-1] == more
    gaps = np.diff(starts)
    assert len(gaps) == 0 or (gaps.max() <= window and gaps.max() - gaps.min() <= 1)
    assert (len(starts) - 1) * window < window + more <= len(starts) * window


def test_a_frozen_models_dropout_stays_off_in_training() -> None:
    model = features_of(dropout=0.9)
    layer = ClipFeatures(model)
    x = np.random.default_rng(0).standard_normal((4, 20)).astype("float32")
    still = array(layer(x))
    assert (array(layer(x, training=True)) != still).any()
    model.trainable = False
    np.testing.assert_array_equal(array(layer(x, training=True)), still)


def test_a_file_gives_the_same_bits(tmp_path) -> None:
    clip = keras.Input((20,))
    model = keras.Model(clip, ClipFeatures(features_of(), reduction="max", name="features")(clip))
    assert model.output_shape == (None, 3)
    x = np.random.default_rng(0).standard_normal((2, 20)).astype("float32")
    model.save(tmp_path / "clip.keras")
    again = keras.saving.load_model(tmp_path / "clip.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match="`reduction` must be 'mean' or 'max'. Received: reduction='sum'"):
        ClipFeatures(features_of(), reduction="sum")
    inputs = keras.Input((None,))
    unknown = keras.Model(inputs, keras.layers.Reshape((-1, 1))(inputs))
    with pytest.raises(ValueError, match=r"`model` must go from \(batch, window\) to \(batch, features\)"):
        ClipFeatures(unknown)
    with pytest.raises(ValueError, match="The clip must have at least 8 samples. Received"):
        ClipFeatures(features_of()).build((None, 7))
