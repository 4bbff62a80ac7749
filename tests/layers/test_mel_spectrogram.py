from collections.abc import Callable
from functools import partial

import librosa
import numpy as np
import pytest
from layer_checks import LayerCase, array, distance, every_check, run

from keraudio.layers import STFT, MelFilterbank, MelSpectrogram, framing, kernel_path

pytestmark = pytest.mark.backends

# float32 FFTs.
TOLERANCE = 1e-5


def sound(samples: int = 3000) -> np.ndarray:
    return np.random.default_rng(5).uniform(-1, 1, (2, samples)).astype("float32")


@every_check(
    LayerCase(partial(MelSpectrogram, 8000, 24, 5, n_mels=3), (60,), (1, 24, 29, 72), weights=1),
    LayerCase(
        partial(MelSpectrogram, 8000, 25, 7, n_mels=3, center=False, power=1.0, learnable=True, htk=True, norm=None),
        (60, 2),
        (1, 25, 75),
        weights=1,
        trainable=1,
    ),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"hop_length": 100, "win_length": 400, "center": False, "power": 1.0},
        {"htk": True, "norm": None, "fmin": 50.0, "fmax": 7000.0, "pad_mode": "reflect"},
    ],
    ids=str,
)
def test_it_equals_librosa_in_float64(options) -> None:
    options = {"n_fft": 512, "hop_length": 128, "n_mels": 40, "power": 2.0, **options}
    expected = librosa.feature.melspectrogram(y=sound().astype("float64"), sr=16000, dtype="float64", **options)
    assert distance(run(MelSpectrogram(16000, **options), sound()), expected.transpose(0, 2, 1)) < TOLERANCE


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_it_is_the_filterbank_of_the_transform_in_blocks_and_on_the_kernel_path_too(power, monkeypatch) -> None:
    x = np.stack([sound(), sound()[:, ::-1]], axis=-1)
    stft, filterbank = STFT(512, 128, power=power), MelFilterbank(16000, 40)
    filterbank.build((None, None, 257))
    expected = array(run(lambda tensor: filterbank(stft(tensor)), x))
    layer = MelSpectrogram(16000, 512, 128, n_mels=40, power=power)
    assert distance(run(layer, x), expected) < 1e-6
    monkeypatch.setattr(framing, "_block_samples", lambda: 5 * 512)
    assert distance(run(layer, x), expected) < 1e-6
    with kernel_path():
        assert distance(run(layer, x), expected) < 1e-4


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"power": None}, "`power` must be positive: bands are sums of magnitudes. Received: power=None"),
        ({"n_mels": 0}, "`n_mels` must be at least 1. Received: n_mels=0"),
        ({"n_fft": 0}, "`n_fft` must be at least 1. Received: n_fft=0"),
        ({"fmax": 8001.0}, "0 <= fmin < fmax <= sample_rate / 2. Received: fmin=0.0, fmax=8001.0, sample_rate=16000"),
    ],
)
def test_wrong_arguments_are_named(options, rule) -> None:
    with pytest.raises(ValueError) as caught:
        MelSpectrogram(16000, **options)
    assert rule in str(caught.value)
