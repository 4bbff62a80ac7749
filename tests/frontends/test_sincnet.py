import keras
import numpy as np
import pytest
from layer_checks import POLICIES, array, distance, edge_signals, gradient, run, weight_gradients

from keraudio.frontends import sincnet

pytestmark = pytest.mark.backends

SMALL = {"filters": 6, "kernel_size": 65}


def song(samples: int = 1000) -> np.ndarray:
    return (0.3 * np.random.default_rng(samples).standard_normal(samples)).astype("float32")


def truth(x: np.ndarray, model: keras.Model, taps: int, hop: int, pool: int) -> np.ndarray:
    """The first stage in float64: band-passes, magnitude, maxima, normalization, rectifier."""
    weights = {weight.path: array(weight).astype("float64") for weight in model.weights}
    lows, highs = weights["sinc/lows"], weights["sinc/lows"] + weights["sinc/bands"]
    times = np.arange(taps) - taps // 2
    filters = 2 * highs * np.sinc(2 * np.outer(times, highs)) - 2 * lows * np.sinc(2 * np.outer(times, lows))
    filters *= np.hamming(taps)[:, None] / (2 * (highs - lows))
    padded = np.pad(x.astype("float64"), taps // 2)
    bands = np.abs([padded[start : start + taps] @ filters for start in range(len(x))])
    frames = -(-len(x) // hop)
    left = max((frames - 1) * hop + pool - len(x), 0) // 2
    starts = [frame * hop - left for frame in range(frames)]
    x = np.stack([bands[max(start, 0) : start + pool].max(axis=0) for start in starts])
    x = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-6)
    return np.where(x < 0, 0.2 * x, x)


@pytest.mark.parametrize("options", [{"hop_length": 3}, {}, {"hop_length": 160, "pool_size": 400}], ids=str)
def test_features_are_the_papers_first_stage_in_float64(options) -> None:
    front_end = sincnet(16000, **options)
    hop = options.get("hop_length", 160)
    expected = truth(song(), front_end, 251, hop, options.get("pool_size", hop))
    # Differences of bands that are close, over their deviation: 6e-6 at the most here.
    assert distance(run(front_end, song()[None])[0], expected) < 2e-5


@pytest.mark.parametrize(("samples", "frames"), [(16000, 100), (16001, 101), (1, 1)])
def test_a_frame_is_ten_milliseconds(samples, frames) -> None:
    assert sincnet(16000, samples=samples).output_shape == (None, frames, 80)
    assert sincnet(16000).output_shape == (None, None, 80)


def test_it_learns_two_numbers_a_band_and_two_of_its_normalization() -> None:
    assert sincnet(16000).count_params() == 4 * 80
    assert len(sincnet(16000).trainable_weights) == 4
    assert len(sincnet(16000, learnable=False).trainable_weights) == 2
    slopes = weight_gradients(sincnet(8000, **SMALL), song()[None])
    assert all((slope != 0).all() and np.isfinite(slope).all() for slope in slopes)


def test_outputs_and_gradients_are_finite_on_silence_full_scale_an_impulse_and_faint_sound() -> None:
    signals = edge_signals((400,))
    x = np.stack(list(signals.values()))
    front_end = sincnet(8000, **SMALL)
    assert np.isfinite(array(run(front_end, x))).all()
    finite = np.isfinite(gradient(front_end, x)).all(axis=1)
    assert finite.all(), [name for name, whole in zip(signals, finite, strict=True) if not whole]


def test_bands_are_computed_in_float32_and_features_rounded_to_the_policy() -> None:
    exact = array(run(sincnet(8000, **SMALL), song()[None]))
    policy = keras.config.dtype_policy()
    try:
        for name, step in POLICIES.items():
            keras.config.set_dtype_policy(name)
            result = run(sincnet(8000, **SMALL), song()[None])
            assert keras.backend.standardize_dtype(result.dtype) == keras.config.dtype_policy().compute_dtype
            assert distance(result, exact) <= step, name
    finally:
        keras.config.set_dtype_policy(policy)


def test_its_file_gives_the_same_bits(tmp_path) -> None:
    front_end = sincnet(8000, **SMALL)
    before = front_end.predict(song()[None], verbose=0)
    front_end.save(tmp_path / "front_end.keras")
    after = keras.saving.load_model(tmp_path / "front_end.keras").predict(song()[None], verbose=0)
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("argument", ["hop_length", "pool_size"])
def test_wrong_arguments_are_named(argument) -> None:
    with pytest.raises(ValueError, match=f"`{argument}` must be at least 1. Received: {argument}=0"):
        sincnet(8000, **{argument: 0})
