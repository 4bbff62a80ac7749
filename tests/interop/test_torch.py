"""Our transform against `torch.stft` in float64, on torch alone: its import takes long."""

import numpy as np
import pytest
from layer_checks import distance, gradient, run, sum_weights

from keraudio.layers import STFT

# float32 FFTs.
FFT_TOLERANCE = 1e-5
NOISE = np.random.default_rng(0).uniform(-1, 1, (2, 3000)).astype("float32")


@pytest.mark.parametrize(("center", "pad_mode"), [(True, "reflect"), (True, "constant"), (False, "constant")])
@pytest.mark.parametrize(
    ("n_fft", "hop_length", "win_length"),
    [(512, 128, 512), (1024, 300, 1024), (401, 160, 401), (512, 160, 400), (512, 128, 401), (511, 64, 255), (7, 3, 4)],
)
def test_it_equals_torchs_in_float64(n_fft, hop_length, win_length, center, pad_mode) -> None:
    import torch

    expected = torch.stft(
        torch.tensor(NOISE, dtype=torch.float64),
        n_fft,
        hop_length,
        win_length,
        window=torch.hann_window(win_length, periodic=True, dtype=torch.float64),
        center=center,
        pad_mode=pad_mode,
        return_complex=True,
    ).mT
    layer = STFT(n_fft, hop_length, win_length=win_length, center=center, pad_mode=pad_mode, power=None)
    assert distance(run(layer, NOISE), torch.view_as_real(expected).numpy()) < FFT_TOLERANCE


def test_the_gradient_equals_torchs_in_float64() -> None:
    import torch

    x = NOISE[:1, :600]
    window = torch.hann_window(100, dtype=torch.float64)
    samples = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    power = torch.stft(samples, 128, 32, 100, window=window, pad_mode="reflect", return_complex=True).abs().square().mT
    (power * torch.tensor(sum_weights(power.shape))).sum().backward()
    layer = STFT(128, 32, win_length=100, pad_mode="reflect", power=2)
    assert distance(gradient(layer, x), samples.grad.numpy()) < FFT_TOLERANCE
