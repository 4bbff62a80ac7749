import keras
import librosa
import numpy as np
import pytest
from layer_checks import POLICIES, array, distance, edge_signals, gradient, run
from scipy.signal import chirp

from keraudio.frontends import pcen_mel

pytestmark = pytest.mark.backends

# float32 spectra and logarithms; the largest seen here is 2e-6.
TOLERANCE = 1e-5
SMALL = {"n_fft": 64, "hop_length": 16, "n_mels": 8}


def song(samples: int = 6000) -> np.ndarray:
    time = np.arange(samples) / 16000
    noise = np.random.default_rng(0).standard_normal(samples)
    return (0.7 * chirp(time, 60, time[-1], 7000) + 0.01 * noise).astype("float32")


@pytest.mark.parametrize(
    ("spectrum", "normalization"),
    [
        ({}, {}),
        ({"power": 2.0, "htk": True, "norm": None, "center": False}, {"gain": 0.8, "bias": 10.0, "exponent": 0.25}),
        ({"n_fft": 511, "hop_length": 160, "win_length": 400, "window": "hamming"}, {"time_constant": 0.06}),
        ({"pad_mode": "reflect", "fmin": 50.0, "fmax": 7000.0}, {"scale": 1.0, "eps": 1e-3}),
    ],
    ids=str,
)
def test_features_equal_librosas_in_float64(spectrum, normalization) -> None:
    spectrum = {"n_fft": 512, "hop_length": 256, "n_mels": 40, "power": 1.0, **spectrum}
    mel = librosa.feature.melspectrogram(y=song().astype("float64"), sr=16000, dtype="float64", **spectrum)
    options = dict(normalization)
    scale = options.pop("scale", 2.0**31)
    power = options.pop("exponent", 0.5)
    expected = librosa.pcen(scale * mel, sr=16000, hop_length=spectrum["hop_length"], power=power, **options).T
    assert distance(run(pcen_mel(16000, **spectrum, **normalization), song()[None])[0], expected) < TOLERANCE


def test_the_defaults_are_those_of_librosas_example() -> None:
    mel = librosa.feature.melspectrogram(
        y=song().astype("float64"), sr=16000, n_fft=1024, hop_length=512, power=1, dtype="float64"
    )
    expected = librosa.pcen(mel * 2**31, sr=16000, hop_length=512).T
    assert distance(run(pcen_mel(16000), song()[None])[0], expected) < TOLERANCE


@pytest.mark.parametrize(("learnable", "weights"), [(False, 0), (True, 4), (["gain"], 1)])
def test_what_is_learned_is_chosen(learnable, weights) -> None:
    front_end = pcen_mel(8000, **SMALL, learnable=learnable)
    assert len(front_end.trainable_weights) == weights
    assert front_end.count_params() == 33 * 8 + 8 * weights
    assert distance(front_end(song(300)[None]), array(pcen_mel(8000, **SMALL)(song(300)[None]))) < TOLERANCE


@pytest.mark.parametrize("learnable", [False, True])
def test_outputs_and_gradients_are_finite_on_silence_full_scale_an_impulse_and_faint_sound(learnable) -> None:
    signals = edge_signals((200,))
    x = np.stack(list(signals.values()))
    front_end = pcen_mel(8000, **SMALL, learnable=learnable)
    assert np.isfinite(array(run(front_end, x))).all()
    finite = np.isfinite(gradient(front_end, x)).all(axis=1)
    assert finite.all(), [name for name, whole in zip(signals, finite, strict=True) if not whole]


def test_spectra_are_computed_in_float32_and_features_rounded_to_the_policy() -> None:
    exact = array(run(pcen_mel(16000, **SMALL), song()[None]))
    policy = keras.config.dtype_policy()
    try:
        for name, step in POLICIES.items():
            keras.config.set_dtype_policy(name)
            result = run(pcen_mel(16000, **SMALL), song()[None])
            assert keras.backend.standardize_dtype(result.dtype) == keras.config.dtype_policy().compute_dtype
            assert distance(result, exact) <= step, name
    finally:
        keras.config.set_dtype_policy(policy)


def test_its_file_gives_the_same_bits(tmp_path) -> None:
    front_end = pcen_mel(16000, **SMALL, learnable=True)
    before = front_end.predict(song()[None], verbose=0)
    front_end.save(tmp_path / "front_end.keras")
    after = keras.saving.load_model(tmp_path / "front_end.keras").predict(song()[None], verbose=0)
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("argument", ["scale", "time_constant"])
def test_wrong_arguments_are_named(argument) -> None:
    with pytest.raises(ValueError, match=f"`{argument}` must be positive. Received: {argument}=0"):
        pcen_mel(8000, **{argument: 0})
