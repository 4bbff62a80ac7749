"""Truth for whole features is Hugging Face's extractor: tests/interop/test_ast.py."""

import math

import numpy as np
import pytest
from layer_checks import array, run

from keraudio.frontends import kaldi_fbank

pytestmark = pytest.mark.backends


def test_silence_is_kaldis_floor_and_missing_frames_are_zeros() -> None:
    model = kaldi_fbank(8000, n_mels=16, frames=12, samples=1000)
    found = array(run(model, np.zeros((1, 1000), "float32")))
    # Frames of 200 samples every 80.
    assert found.shape == (1, 12, 16)
    np.testing.assert_allclose(found[:, :11], math.log(2.0**-23), rtol=1e-6)
    np.testing.assert_array_equal(found[:, 11:], 0)


def test_frames_that_are_too_many_are_left_out() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (2, 1000)).astype("float32")
    found, whole = (array(run(kaldi_fbank(8000, n_mels=16, frames=n, samples=1000), x)) for n in (5, 11))
    np.testing.assert_allclose(found, whole[:, :5], atol=1e-5)
    assert kaldi_fbank(8000, n_mels=16).output_shape == (None, None, 16)


def test_a_tone_is_loudest_in_its_band() -> None:
    x = np.sin(2 * np.pi * 1000 * np.arange(8000) / 16000).astype("float32")
    found = array(run(kaldi_fbank(16000, n_mels=40), x[None]))[0].mean(axis=0)
    mel = 1127 * np.log1p(np.array([20.0, 8000.0, 1000.0]) / 700)
    # Band b peaks at place b + 1 of 41 steps.
    assert abs(found.argmax() + 1 - 41 * (mel[2] - mel[0]) / (mel[1] - mel[0])) < 1


@pytest.mark.parametrize("options", [{"frames": 0, "samples": 1000}, {"frames": 5}])
def test_wrong_arguments_are_named(options) -> None:
    with pytest.raises(ValueError, match="`frames` must be at least 1, and needs `samples`. Received: frames="):
        kaldi_fbank(8000, **options)
