import keras
import librosa
import numpy as np
import pytest
from layer_checks import POLICIES, array, distance, edge_signals, gradient, run, weight_gradients
from scipy.signal import chirp, fftconvolve, lfilter

from keraudio.frontends import leaf

pytestmark = pytest.mark.backends

SMALL = {"filters": 5, "fmin": 200.0}


def song(samples: int = 1600, rate: int = 8000) -> np.ndarray:
    time = np.arange(samples) / rate
    noise = np.random.default_rng(0).standard_normal(samples)
    return (0.7 * chirp(time, 60, time[-1], 0.45 * rate) + 0.01 * noise).astype("float32")


def truth(x: np.ndarray, model: keras.Model, taps: int, strides: int) -> np.ndarray:
    """The paper's equations in float64, with the model's parameters."""
    weights = {weight.path: array(weight).astype("float64") for weight in model.weights}
    gains, biases, roots, shares = (weights[f"pcen/{name}"] for name in ("gain", "bias", "power", "smoothing"))
    features = []
    for number, (center, width) in enumerate(zip(weights["gabor/centers"], weights["gabor/widths"], strict=True)):
        times = np.arange(taps) - taps // 2
        gabor = np.exp(1j * center * times - times**2 / (2 * width**2)) / (np.sqrt(2 * np.pi) * width)
        energy = np.abs(fftconvolve(x.astype("float64"), gabor, mode="same")) ** 2
        frames = -(-len(x) // strides)
        total = max((frames - 1) * strides + taps - len(x), 0)
        energy = np.pad(energy, (total // 2, total - total // 2))
        window = np.exp(-0.5 * (np.linspace(-1, 1, taps) / weights["pooling/widths"][number]) ** 2)
        pooled = [energy[start : start + taps] @ window for start in range(0, frames * strides, strides)]
        pooled = np.maximum(pooled, 1e-5)
        share = shares[number]
        past, _ = lfilter([share], [1, share - 1], pooled, zi=(1 - share) * pooled[:1])
        power = 1 / roots[number]
        divided = pooled / (1e-12 + past) ** gains[number]
        features.append((divided + biases[number]) ** power - biases[number] ** power)
    return np.stack(features, axis=1)


def test_features_are_the_papers_equations_in_float64() -> None:
    front_end = leaf(16000)
    x = song(4001, 16000)
    # The compression squeezes what its parts are off by: 5e-7 at the most here.
    assert distance(run(front_end, x[None])[0], truth(x, front_end, 401, 160)) < 3e-6


def test_it_has_the_papers_seven_parameters_a_filter() -> None:
    # 448 for its 64 filters.
    front_end = leaf(16000, filters=64)
    assert front_end.count_params() == 448
    assert len(front_end.trainable_weights) == 7
    assert leaf(16000, learnable=False).trainable_weights == []


def test_parameters_begin_as_the_papers() -> None:
    values = {weight.path: array(weight) for weight in leaf(16000).weights}
    expected = {"pooling/widths": 0.4, "pcen/gain": 0.96, "pcen/bias": 2, "pcen/power": 2, "pcen/smoothing": 0.04}
    for path, value in expected.items():
        np.testing.assert_allclose(values[path], value, rtol=1e-6)
    peaks = librosa.mel_frequencies(42, fmin=60, fmax=7800, htk=True)[1:-1]
    np.testing.assert_allclose(values["gabor/centers"], peaks * 2 * np.pi / 16000, rtol=1e-6)


@pytest.mark.parametrize(
    ("rate", "samples", "frames"), [(16000, 16000, 100), (16000, 16001, 101), (8000, 1, 1), (22050, 22050, 101)]
)
def test_a_frame_is_ten_milliseconds(rate, samples, frames) -> None:
    assert leaf(rate, samples=samples).output_shape == (None, frames, 40)
    assert leaf(rate).output_shape == (None, None, 40)


def test_gradients_reach_every_parameter() -> None:
    front_end = leaf(8000, **SMALL)
    slopes = weight_gradients(front_end, song()[None])
    assert all((slope != 0).all() and np.isfinite(slope).all() for slope in slopes)


def test_outputs_and_gradients_are_finite_on_silence_full_scale_an_impulse_and_faint_sound() -> None:
    signals = edge_signals((400,))
    x = np.stack(list(signals.values()))
    front_end = leaf(8000, **SMALL)
    assert np.isfinite(array(run(front_end, x))).all()
    finite = np.isfinite(gradient(front_end, x)).all(axis=1)
    assert finite.all(), [name for name, whole in zip(signals, finite, strict=True) if not whole]
    assert all(np.isfinite(slope).all() for slope in weight_gradients(front_end, x))


def test_energies_are_computed_in_float32_and_features_rounded_to_the_policy() -> None:
    exact = array(run(leaf(8000, **SMALL), song()[None]))
    policy = keras.config.dtype_policy()
    try:
        for name, step in POLICIES.items():
            keras.config.set_dtype_policy(name)
            result = run(leaf(8000, **SMALL), song()[None])
            assert keras.backend.standardize_dtype(result.dtype) == keras.config.dtype_policy().compute_dtype
            assert distance(result, exact) <= step, name
    finally:
        keras.config.set_dtype_policy(policy)


def test_its_file_gives_the_same_bits(tmp_path) -> None:
    front_end = leaf(8000, **SMALL)
    before = front_end.predict(song()[None], verbose=0)
    front_end.save(tmp_path / "front_end.keras")
    after = keras.saving.load_model(tmp_path / "front_end.keras").predict(song()[None], verbose=0)
    np.testing.assert_array_equal(after, before)


def test_a_floor_of_nothing_is_named() -> None:
    with pytest.raises(ValueError, match="`floor` must be positive. Received: floor=0"):
        leaf(8000, floor=0)
