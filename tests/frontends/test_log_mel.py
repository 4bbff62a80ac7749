import keras
import librosa
import numpy as np
import pytest
from layer_checks import POLICIES, array, distance, edge_signals, gradient, run
from scipy.signal import chirp
from small_front_ends import SMALL_FRONT_ENDS

from keraudio.frontends import FRONT_ENDS, log_mel

pytestmark = pytest.mark.backends

# Decibels of float32 spectra: bands 75 dB below the peak carry the FFT's rounding. The largest seen here is 4e-4.
DECIBEL_TOLERANCE = 2e-3
SMALL = {"n_fft": 64, "hop_length": 16, "n_mels": 8}


def song(samples: int = 6000) -> np.ndarray:
    time = np.arange(samples) / 16000
    noise = np.random.default_rng(0).standard_normal(samples)
    return (0.7 * chirp(time, 60, time[-1], 7000) + 0.01 * noise).astype("float32")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"center": False, "fmin": 50.0, "fmax": 7000.0, "htk": True, "norm": None},
        {"pad_mode": "reflect", "power": 1.0, "top_db": 30.0},
        {"n_fft": 511, "hop_length": 160, "win_length": 400, "window": "hamming", "top_db": None},
    ],
    ids=str,
)
def test_decibels_equal_librosas_in_float64(options) -> None:
    options = {"n_fft": 512, "hop_length": 256, "n_mels": 40, "power": 2.0, **options}
    top_db = {"top_db": options.pop("top_db", 80.0)}
    mel = librosa.feature.melspectrogram(y=song().astype("float64"), sr=16000, dtype="float64", **options)
    expected = librosa.power_to_db(mel, **top_db) if options["power"] == 2 else librosa.amplitude_to_db(mel, **top_db)
    actual = array(log_mel(16000, **options, **top_db)(song()[None]))[0]
    np.testing.assert_allclose(actual, expected.T, rtol=0, atol=DECIBEL_TOLERANCE)


def test_logarithms_equal_librosas_in_float64() -> None:
    options = {"n_fft": 512, "hop_length": 256, "n_mels": 40}
    mel = librosa.feature.melspectrogram(y=song().astype("float64"), sr=16000, dtype="float64", **options)
    # MusiCNN's compression: log10(10000 x + 1), but for the base.
    result = log_mel(16000, compression="log", scale=10000.0, **options)(song()[None])
    assert distance(result[0], np.log1p(10000 * mel.T)) < 1e-5


@pytest.mark.parametrize(
    ("center", "samples", "frames"), [(True, 1, 1), (True, 160, 11), (False, 63, 1), (False, 80, 2)]
)
def test_frames_are_foretold_where_the_length_is_known_and_open_where_not(center, samples, frames) -> None:
    assert log_mel(8000, **SMALL, center=center, samples=samples).output_shape == (None, frames, 8)
    assert log_mel(8000, **SMALL, center=center).output_shape == (None, None, 8)
    x = np.zeros((2, samples), "float32")
    assert log_mel(8000, **SMALL, center=center)(x).shape == (2, frames, 8)


@pytest.mark.parametrize("compression", ["decibels", "log"])
def test_outputs_and_gradients_are_finite_on_silence_full_scale_an_impulse_and_faint_sound(compression) -> None:
    signals = edge_signals((200,))
    x = np.stack(list(signals.values()))
    for power in (1.0, 2.0):
        front_end = log_mel(8000, **SMALL, compression=compression, power=power)
        assert np.isfinite(array(run(front_end, x))).all()
        finite = np.isfinite(gradient(front_end, x)).all(axis=1)
        assert finite.all(), [name for name, whole in zip(signals, finite, strict=True) if not whole]


def test_a_loud_neighbour_changes_nothing() -> None:
    front_end = log_mel(16000, **SMALL)
    quiet = 1e-3 * song(1000)
    together = array(front_end(np.stack([quiet, song(1000)])))
    # A matrix product of another height adds up in another order: 1e-6 of a band, in dB.
    np.testing.assert_allclose(together[:1], array(front_end(quiet[None])), rtol=0, atol=2e-5)


def test_it_has_one_weight_which_is_not_trained() -> None:
    front_end = log_mel(8000, **SMALL)
    assert front_end.count_params() == 33 * 8
    assert front_end.trainable_weights == []


def test_spectra_are_computed_in_float32_and_features_rounded_to_the_policy() -> None:
    exact = array(log_mel(16000, **SMALL)(song()[None]))
    policy = keras.config.dtype_policy()
    try:
        for name, step in POLICIES.items():
            keras.config.set_dtype_policy(name)
            result = log_mel(16000, **SMALL)(song()[None])
            assert keras.backend.standardize_dtype(result.dtype) == keras.config.dtype_policy().compute_dtype
            assert distance(result, exact) <= step, name
    finally:
        keras.config.set_dtype_policy(policy)


def test_its_file_gives_the_same_bits(tmp_path) -> None:
    front_end = log_mel(16000, **SMALL)
    before = front_end.predict(song()[None], verbose=0)
    front_end.save(tmp_path / "front_end.keras")
    after = keras.saving.load_model(tmp_path / "front_end.keras").predict(song()[None], verbose=0)
    np.testing.assert_array_equal(after, before)


def test_an_unknown_compression_is_named() -> None:
    with pytest.raises(ValueError, match="`compression` must be 'decibels' or 'log'. Received: compression='cube'"):
        log_mel(8000, compression="cube")


def test_every_front_end_of_the_table_takes_a_sample_rate_a_length_and_a_name() -> None:
    for name, build in FRONT_ENDS.items():
        model = build(8000, samples=4000, name="mine", **SMALL_FRONT_ENDS.get(name, {}))
        assert model.name == "mine", name
        assert model.input_shape == (None, 4000)
        assert len(model.output_shape) in (3, 4)
