from collections.abc import Callable
from functools import partial

import librosa
import numpy as np
import pytest
from layer_checks import LayerCase, array, distance, every_check
from scipy.signal import chirp

from keraudio.frontends import FRONT_ENDS, log_mel

pytestmark = pytest.mark.backends


def song(samples: int = 6000) -> np.ndarray:
    time = np.arange(samples) / 16000
    noise = np.random.default_rng(0).standard_normal(samples)
    return (0.7 * chirp(time, 60, time[-1], 7000) + 0.01 * noise).astype("float32")


SMALL = partial(log_mel, 8000, n_fft=64, hop_length=16, n_mels=8)


@every_check(
    # The front end is a model: its dtype is its layers' own.
    LayerCase(lambda dtype=None: _with_policy(SMALL, dtype), (200,), (1, 63, 192), weights=1, follows_policy=True),
)
def test_the_front_end_keeps_a_layers_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    if check.__name__ in ("config_rebuilds_the_layer", "file_gives_the_same_bits", "policies_are_followed"):
        pytest.fail("replaced below")
    check(case, tmp_path)


OPTIONS = [
    {},
    {"center": False},
    {"pad_mode": "reflect"},
    {"n_fft": 511, "hop_length": 160, "win_length": 400, "window": "hamming"},
    {"fmin": 50.0, "fmax": 7000.0, "htk": True, "norm": None},
    {"power": 1.0},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_decibels_equal_librosas_in_float64(options) -> None:
    options = {"n_fft": 512, "hop_length": 256, "n_mels": 40, "power": 2.0, **options}
    x = song()
    mel = librosa.feature.melspectrogram(y=x.astype("float64"), sr=16000, dtype="float64", **options)
    if options["power"] == 2:
        expected = librosa.power_to_db(mel)
    else:
        expected = librosa.amplitude_to_db(mel, amin=1e-5)
    assert np.max(np.abs(array(log_mel(16000, **options)(x[None]))[0] - expected.T)) < 2e-3


@pytest.mark.parametrize("scale", [1.0, 10000.0])
def test_logarithms_equal_librosas_in_float64(scale) -> None:
    options = {"n_fft": 512, "hop_length": 256, "n_mels": 40}
    mel = librosa.feature.melspectrogram(y=song().astype("float64"), sr=16000, dtype="float64", **options)
    result = log_mel(16000, compression="log", scale=scale, **options)(song()[None])
    assert distance(result[0], np.log1p(scale * mel.T)) < 1e-5
