"""Our spectrograms against nnAudio's, on torch alone."""

import numpy as np
import pytest
from layer_checks import distance, run

from keraudio.frontends import log_mel
from keraudio.layers import STFT

# nnAudio convolves with float32 kernels: sums of n_fft products.
TOLERANCE = 1e-5
NOISE = np.random.default_rng(0).uniform(-1, 1, (2, 4000)).astype("float32")


@pytest.mark.parametrize("n_fft", [512, 400])
def test_magnitudes_equal_nnaudios(n_fft) -> None:
    import torch
    from nnAudio import features

    theirs = features.STFT(n_fft=n_fft, hop_length=100, output_format="Magnitude", pad_mode="constant", verbose=False)
    expected = theirs(torch.tensor(NOISE)).detach().numpy().transpose(0, 2, 1)
    assert distance(run(STFT(n_fft, 100), NOISE), expected) < TOLERANCE


@pytest.mark.parametrize("htk", [False, True])
def test_mel_bands_equal_nnaudios(htk) -> None:
    import torch
    from nnAudio import features

    options = {"n_fft": 512, "hop_length": 128, "n_mels": 40, "htk": htk}
    theirs = features.MelSpectrogram(sr=8000, pad_mode="constant", verbose=False, **options)
    expected = theirs(torch.tensor(NOISE)).detach().numpy().transpose(0, 2, 1)
    assert distance(run(log_mel(8000, compression="log", scale=1.0, **options), NOISE), np.log1p(expected)) < TOLERANCE
