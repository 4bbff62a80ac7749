import keras
import numpy as np
import pytest
from layer_checks import POLICIES, array, distance, edge_signals, gradient, run, weight_gradients

from keraudio.frontends import strided_conv

pytestmark = pytest.mark.backends

SMALL = {"filters": 4, "kernel_size": 9, "strides": 3}


def song(samples: int = 90) -> np.ndarray:
    return np.random.default_rng(samples).uniform(-1, 1, samples).astype("float32")


# Table 2: at each of these, 3 ** n modules that each divide by 3 leave one frame of the 59,049 samples.
@pytest.mark.parametrize(
    ("kernel_size", "strides", "modules"), [(729, 729, 4), (729, 243, 5), (243, 243, 5), (243, 81, 6), (81, 81, 6)]
)
def test_frames_of_table_2_are_powers_of_three(kernel_size, strides, modules) -> None:
    front_end = strided_conv(22050, kernel_size=kernel_size, strides=strides, samples=59049)
    assert front_end.output_shape == (None, 3**modules, 128)
    # Convolution with its bias, and scale, shift, mean and variance of the normalization.
    assert front_end.count_params() == 128 * (kernel_size + 1) + 4 * 128


def test_the_defaults_are_the_frame_level_models() -> None:
    front_end = strided_conv(22050, samples=59049)
    assert front_end.output_shape == (None, 243, 128)
    assert front_end.count_params() == 128 * 730 + 4 * 128
    assert strided_conv(22050).output_shape == (None, None, 128)
    # He et al. 2015: uniform within the root of 6 over the inputs of a filter.
    kernel = array(front_end.get_layer("conv").kernel)
    assert np.abs(kernel).max() == pytest.approx(np.sqrt(6 / 729), rel=1e-3)


@pytest.mark.parametrize("strides", [3, 9])
def test_features_are_strided_products_normalized_and_rectified(strides) -> None:
    front_end = strided_conv(8000, filters=4, kernel_size=9, strides=strides)
    kernel, bias, scale, shift, mean, variance = (array(weight).astype("float64") for weight in front_end.weights)
    random = np.random.default_rng(1)
    bias, shift, mean = random.normal(size=(3, 4))
    scale, variance = random.uniform(0.5, 2, (2, 4))
    front_end.set_weights([kernel, bias, scale, shift, mean, variance])
    x = song(90)
    # 30 frames need 29 * 3 + 9 = 96 samples: 3 zeros at each end.
    padded = np.pad(x.astype("float64"), 3 if strides == 3 else 0)
    conv = np.stack([padded[start : start + 9] @ kernel[:, 0] + bias for start in range(0, 90, strides)])
    expected = np.maximum(scale * (conv - mean) / np.sqrt(variance + 1e-5) + shift, 0)
    assert distance(run(front_end, x[None])[0], expected) < 1e-6


@pytest.mark.parametrize(("samples", "frames"), [(1, 1), (3, 1), (4, 2), (90, 30)])
def test_any_length_gives_a_frame_where_filters_overlap(samples, frames) -> None:
    assert strided_conv(8000, **SMALL, samples=samples).output_shape == (None, frames, 4)
    assert tuple(run(strided_conv(8000, **SMALL), song(samples)[None]).shape) == (1, frames, 4)


def test_outputs_and_gradients_are_finite_on_silence_full_scale_an_impulse_and_faint_sound() -> None:
    x = np.stack(list(edge_signals((60,)).values()))
    front_end = strided_conv(8000, **SMALL)
    assert np.isfinite(array(run(front_end, x))).all()
    assert np.isfinite(gradient(front_end, x)).all()
    assert all(np.isfinite(slope).all() for slope in weight_gradients(front_end, x))


def test_products_are_computed_in_float32_and_features_rounded_to_the_policy() -> None:
    front_end = strided_conv(8000, **SMALL)
    exact = array(run(front_end, song()[None]))
    policy = keras.config.dtype_policy()
    try:
        for name, step in POLICIES.items():
            keras.config.set_dtype_policy(name)
            other = strided_conv(8000, **SMALL)
            other.set_weights(front_end.get_weights())
            result = run(other, song()[None])
            assert keras.backend.standardize_dtype(result.dtype) == keras.config.dtype_policy().compute_dtype
            # Rounded before the normalization, and after it.
            assert distance(result, exact) <= 2 * step, name
    finally:
        keras.config.set_dtype_policy(policy)


def test_its_file_gives_the_same_bits(tmp_path) -> None:
    front_end = strided_conv(8000, **SMALL)
    before = front_end.predict(song()[None], verbose=0)
    front_end.save(tmp_path / "front_end.keras")
    after = keras.saving.load_model(tmp_path / "front_end.keras").predict(song()[None], verbose=0)
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"sample_rate": 0}, "`sample_rate` must be positive. Received: sample_rate=0"),
        ({"filters": 0}, "`filters` must be at least 1. Received: filters=0"),
        ({"strides": 0}, "`strides` must be between 1 and `kernel_size`. Received: strides=0, kernel_size=729"),
        ({"strides": 730}, "`strides` must be between 1 and `kernel_size`. Received: strides=730, kernel_size=729"),
        (
            {"strides": 729, "samples": 728},
            "`samples` must be at least `kernel_size`. Received: samples=728, kernel_size=729",
        ),
    ],
)
def test_wrong_arguments_are_named(options, rule) -> None:
    with pytest.raises(ValueError, match=rule):
        strided_conv(**{"sample_rate": 22050, **options})
