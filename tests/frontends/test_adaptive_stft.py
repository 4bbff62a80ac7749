import librosa
import numpy as np
import pytest
from layer_checks import array, distance

from keraudio.frontends import adaptive_stft

pytestmark = pytest.mark.backends


def song(samples: int = 4000) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.5, 0.5, (1, samples)).astype("float32")


@pytest.mark.parametrize("options", [{}, {"kernels": "low_rank"}, {"kernels": "fixed", "learn_window": False}], ids=str)
def test_it_begins_as_the_published_log_mel_spectrogram(options) -> None:
    front_end = adaptive_stft(22050, n_fft=512, hop_length=256, n_mels=40, **options)
    mel = librosa.feature.melspectrogram(
        y=song()[0].astype("float64"), sr=22050, n_fft=512, hop_length=256, n_mels=40, power=1, center=False
    )
    # log10(1 + 10 x) of sums of n_fft float32 products.
    assert distance(front_end(song())[0], np.log10(1 + 10 * mel.T)) < 1e-4


def test_a_part_of_a_clip_has_the_published_size() -> None:
    # Adaptive STFT: 56,317 samples, 108 frames of 128 bands; three transforms for the three channels of a ResNet.
    assert adaptive_stft(22050, samples=56317).output_shape == (None, 108, 128)
    three = adaptive_stft(22050, samples=56317, transforms=3)
    assert three.output_shape == (None, 108, 128, 3)
    assert sum(int(np.prod(w.shape)) for w in three.trainable_weights) == 3 * (1024 + 2 * 513 * 1024)


def test_the_mel_bands_may_be_left_out() -> None:
    plain = adaptive_stft(8000, n_fft=64, hop_length=32, n_mels=None, base=None, scale=1.0, kernels="fixed")
    spectrum = np.abs(librosa.stft(song()[0].astype("float64"), n_fft=64, hop_length=32, center=False).T)
    assert distance(plain(song())[0], np.log1p(spectrum)) < 1e-5


def test_a_function_may_stand_behind_the_logarithm() -> None:
    options = {"n_fft": 64, "hop_length": 32, "n_mels": 8, "kernels": "fixed"}
    plain, bent = adaptive_stft(8000, **options), adaptive_stft(8000, **options, activation="tanh")
    assert distance(bent(song()), np.tanh(array(plain(song())))) < 1e-6


@pytest.mark.parametrize("kernels", ["fixed", "low_rank", "free"])
def test_only_what_is_to_be_learned_is_trained(kernels) -> None:
    front_end = adaptive_stft(8000, n_fft=64, hop_length=32, n_mels=8, kernels=kernels, learn_window=False)
    assert "window" not in {weight.name for weight in front_end.trainable_weights}
    assert len(front_end.trainable_weights) == {"fixed": 0, "low_rank": 2, "free": 2}[kernels]
    assert np.isfinite(array(front_end(np.zeros((1, 100), "float32")))).all()
