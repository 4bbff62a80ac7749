import keras
import librosa
import numpy as np
import pytest
from layer_checks import POLICIES, array, distance, edge_signals, gradient, run
from scipy.signal import chirp

from keraudio.frontends import mfcc

pytestmark = pytest.mark.backends

# Decibels are off by 2e-3 at most (see test_log_mel), and the orthogonal transform of 40 of them by no more together.
TOLERANCE = 5e-3
SMALL = {"n_fft": 64, "hop_length": 16, "n_mels": 12, "n_mfcc": 6}


def song(samples: int = 6000) -> np.ndarray:
    time = np.arange(samples) / 16000
    noise = np.random.default_rng(0).standard_normal(samples)
    return (0.7 * chirp(time, 60, time[-1], 7000) + 0.01 * noise).astype("float32")


def truth(**options) -> np.ndarray:
    return librosa.feature.mfcc(y=song().astype("float64"), sr=16000, dtype="float64", **options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lifter": 22, "n_mfcc": 13, "htk": True, "mel_norm": None, "fmin": 50.0, "fmax": 7000.0},
        {"dct_type": 3, "center": False, "n_fft": 511, "hop_length": 160, "win_length": 400, "window": "hamming"},
    ],
    ids=str,
)
def test_coefficients_equal_librosas_in_float64(options) -> None:
    options = {"n_fft": 512, "hop_length": 256, "n_mels": 40, **options}
    np.testing.assert_allclose(
        array(mfcc(16000, **options)(song()[None]))[0], truth(**options).T, rtol=0, atol=TOLERANCE
    )


def test_deltas_are_further_channels_equal_to_librosas() -> None:
    options = {"n_fft": 512, "hop_length": 128, "n_mels": 40}
    expected = truth(**options)
    channels = [expected, *(librosa.feature.delta(expected, width=7, order=order) for order in (1, 2))]
    actual = array(mfcc(16000, deltas=2, delta_width=7, **options)(song()[None]))[0]
    np.testing.assert_allclose(actual, np.stack(channels, -1).swapaxes(0, 1), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(("deltas", "channels"), [(0, ()), (1, (2,)), (2, (3,))])
def test_frames_are_foretold_where_the_length_is_known_and_open_where_not(deltas, channels) -> None:
    for samples, frames in ((1, 1), (160, 11)):
        front_end = mfcc(8000, **SMALL, deltas=deltas, samples=samples)
        assert front_end.output_shape == (None, frames, 6, *channels)
        assert run(front_end, np.zeros((2, samples), "float32")).shape == (2, frames, 6, *channels)
    assert mfcc(8000, **SMALL, deltas=deltas).output_shape == (None, None, 6, *channels)


def test_outputs_and_gradients_are_finite_on_silence_full_scale_an_impulse_and_faint_sound() -> None:
    signals = edge_signals((200,))
    x = np.stack(list(signals.values()))
    front_end = mfcc(8000, **SMALL, deltas=2)
    assert np.isfinite(array(run(front_end, x))).all()
    finite = np.isfinite(gradient(front_end, x)).all(axis=1)
    assert finite.all(), [name for name, whole in zip(signals, finite, strict=True) if not whole]


@pytest.mark.parametrize("deltas", [0, 2])
def test_only_the_result_is_rounded_to_the_policy(deltas) -> None:
    exact = array(run(mfcc(16000, **SMALL, deltas=deltas), song(1000)[None]))
    policy = keras.config.dtype_policy()
    try:
        for name, step in POLICIES.items():
            keras.config.set_dtype_policy(name)
            result = run(mfcc(16000, **SMALL, deltas=deltas), song(1000)[None])
            assert keras.backend.standardize_dtype(result.dtype) == keras.config.dtype_policy().compute_dtype
            # Channel by channel: derivatives are small beside what they are of.
            for channel in range(deltas + 1):
                part = (..., channel) if deltas else ...
                assert distance(array(result)[part], exact[part]) <= step, (name, channel)
    finally:
        keras.config.set_dtype_policy(policy)


def test_its_file_gives_the_same_bits(tmp_path) -> None:
    front_end = mfcc(16000, **SMALL, deltas=1)
    before = front_end.predict(song()[None], verbose=0)
    front_end.save(tmp_path / "front_end.keras")
    after = keras.saving.load_model(tmp_path / "front_end.keras").predict(song()[None], verbose=0)
    np.testing.assert_array_equal(after, before)


def test_deltas_of_a_third_order_are_refused() -> None:
    with pytest.raises(ValueError, match="`deltas` must be 0, 1 or 2. Received: deltas=3"):
        mfcc(8000, deltas=3)
