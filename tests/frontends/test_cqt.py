import keras
import librosa
import numpy as np
import pytest
from layer_checks import POLICIES, array, distance, edge_signals, gradient, run
from scipy.signal import chirp

from keraudio.frontends import cqt
from keraudio.layers import CQT

pytestmark = pytest.mark.backends

SMALL = {"hop_length": 64, "fmin": 400.0, "n_bins": 10}


def song(samples: int = 3000) -> np.ndarray:
    time = np.arange(samples) / 8000
    noise = np.random.default_rng(0).standard_normal(samples)
    return (0.7 * chirp(time, 300, time[-1], 3000) + 0.01 * noise).astype("float32")


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_decibels_and_logarithms_are_those_of_librosa_of_the_transform(power) -> None:
    transform = array(run(CQT(8000, power=power, **SMALL), song()[None]))[0].astype("float64")
    decibels = librosa.amplitude_to_db(transform) if power == 1 else librosa.power_to_db(transform)
    # float32 logarithms.
    np.testing.assert_allclose(array(run(cqt(8000, power=power, **SMALL), song()[None]))[0], decibels, atol=2e-4)
    logarithms = run(cqt(8000, power=power, compression="log", log_scale=3.0, **SMALL), song()[None])
    assert distance(logarithms[0], np.log1p(3 * transform)) < 2e-6


def test_decibels_equal_librosas_where_librosa_stays_at_the_full_rate() -> None:
    # An odd hop; of a sound that begins and ends slowly (see test_cqt of the layer).
    x = (np.hanning(3000) * song()).astype("float32")
    options = {"hop_length": 101, "fmin": 400.0, "n_bins": 36}
    expected = librosa.amplitude_to_db(
        np.abs(librosa.cqt(x.astype("float64"), sr=8000, sparsity=0, **options)), top_db=40
    )
    actual = array(run(cqt(8000, top_db=40.0, **options), x[None]))[0]
    # 1e-4 of the peak is 0.1 dB at 40 dB below it.
    np.testing.assert_allclose(actual, expected.T, rtol=0, atol=0.1)


@pytest.mark.parametrize(("samples", "frames"), [(1, 1), (640, 11)])
def test_frames_are_foretold_where_the_length_is_known_and_open_where_not(samples, frames) -> None:
    assert cqt(8000, **SMALL, samples=samples).output_shape == (None, frames, 10)
    assert cqt(8000, **SMALL).output_shape == (None, None, 10)
    assert run(cqt(8000, **SMALL), np.zeros((2, samples), "float32")).shape == (2, frames, 10)


@pytest.mark.parametrize(("sample_rate", "options", "bins"), [(22050, {}, 84), (22050, {"bins_per_octave": 24}, 168)])
def test_seven_octaves_are_the_default(sample_rate, options, bins) -> None:
    assert cqt(sample_rate, **options).output_shape == (None, None, bins)


def test_at_a_low_sample_rate_the_default_is_all_bins_that_end_below_half_of_it() -> None:
    assert cqt(8000).output_shape == (None, None, 83)
    with pytest.raises(ValueError, match="The highest filter must end below half the sample rate"):
        cqt(8000, n_bins=84)
    with pytest.raises(ValueError, match="Received: fmin=3950.0, n_bins=1"):
        cqt(8000, fmin=3950.0)


@pytest.mark.parametrize("compression", ["decibels", "log"])
def test_outputs_and_gradients_are_finite_on_silence_full_scale_an_impulse_and_faint_sound(compression) -> None:
    signals = edge_signals((200,))
    x = np.stack(list(signals.values()))
    front_end = cqt(8000, **SMALL, compression=compression)
    assert np.isfinite(array(run(front_end, x))).all()
    finite = np.isfinite(gradient(front_end, x)).all(axis=1)
    assert finite.all(), [name for name, whole in zip(signals, finite, strict=True) if not whole]


def test_it_has_no_weights() -> None:
    assert cqt(8000, **SMALL).weights == []


def test_spectra_are_computed_in_float32_and_features_rounded_to_the_policy() -> None:
    exact = array(run(cqt(8000, **SMALL), song()[None]))
    policy = keras.config.dtype_policy()
    try:
        for name, step in POLICIES.items():
            keras.config.set_dtype_policy(name)
            result = run(cqt(8000, **SMALL), song()[None])
            assert keras.backend.standardize_dtype(result.dtype) == keras.config.dtype_policy().compute_dtype
            assert distance(result, exact) <= step, name
    finally:
        keras.config.set_dtype_policy(policy)


def test_its_file_gives_the_same_bits(tmp_path) -> None:
    front_end = cqt(8000, **SMALL)
    before = front_end.predict(song()[None], verbose=0)
    front_end.save(tmp_path / "front_end.keras")
    after = keras.saving.load_model(tmp_path / "front_end.keras").predict(song()[None], verbose=0)
    np.testing.assert_array_equal(after, before)


def test_an_unknown_compression_is_named() -> None:
    with pytest.raises(ValueError, match="`compression` must be 'decibels' or 'log'. Received: compression='cube'"):
        cqt(8000, compression="cube")
