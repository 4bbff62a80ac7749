"""Hybrid Demucs against its own code with the same weights: outputs, and at small sizes gradients."""

from typing import Any

import numpy as np
import pytest
from layer_checks import array, distance, gradient, run, sum_weights

from keraudio.convert.hdemucs import set_hdemucs_weights
from keraudio.frontends.hdemucs import hdemucs

pytestmark = pytest.mark.backends

TOLERANCE = 1e-4
SOURCES = ["drums", "bass", "other", "vocals"]
# By our names and by theirs. 320 frames are more than a stretch of the LSTMs.
SMALL = {"channels": 4, "n_fft": 256, "depth": 4, "dconv_starts": 3, "norm_starts": 2, "norm_groups": 2}
THEIR_SMALL = {
    "channels": 4,
    "nfft": 256,
    "depth": 4,
    "dconv_lstm": 3,
    "dconv_attn": 3,
    "norm_starts": 2,
    "norm_groups": 2,
}


def peer(sources: int, **sizes: Any) -> Any:
    """Their network with weights that nothing is silent in."""
    import torch
    from demucs.hdemucs import HDemucs

    torch.manual_seed(0)
    model = HDemucs(SOURCES[:sources], **sizes).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith(".scale"):
                weight.fill_(0.3)
            elif weight.ndim == 1:
                weight.add_(0.1 * torch.randn_like(weight))
    return model


def with_its_weights(model: Any, theirs: Any) -> Any:
    set_hdemucs_weights(model, {name: value.numpy() for name, value in theirs.state_dict().items()})
    return model


@pytest.mark.parametrize("samples", [4000, 4001 + 64 * 260])
def test_outputs_and_gradients_agree_at_small_sizes(samples: int) -> None:
    import torch

    theirs = peer(2, **THEIR_SMALL)
    ours = with_its_weights(hdemucs(samples, sources=2, sizes=SMALL), theirs)
    assert ours.count_params() == sum(weight.numel() for weight in theirs.parameters())
    x = np.random.default_rng(0).normal(0, 0.2, (2, samples, 2)).astype("float32")
    inputs = torch.tensor(x.transpose(0, 2, 1).copy(), requires_grad=True)
    outputs = theirs(inputs).permute(0, 3, 1, 2).reshape(2, samples, 4)
    assert distance(array(run(ours, x)), outputs.detach().numpy()) < TOLERANCE
    if samples == 4000:
        (outputs * torch.tensor(sum_weights(outputs.shape))).sum().backward()
        expected = inputs.grad.numpy().transpose(0, 2, 1)
        assert distance(gradient(ours, x), expected) < TOLERANCE


def test_outputs_agree_at_full_size() -> None:
    import torch

    samples = 50_000
    theirs = peer(4)
    assert sum(weight.numel() for weight in theirs.parameters()) == 83_637_832
    ours = with_its_weights(hdemucs(samples), theirs)
    x = np.random.default_rng(0).normal(0, 0.2, (1, samples, 2)).astype("float32")
    with torch.no_grad():
        outputs = theirs(torch.tensor(x.transpose(0, 2, 1).copy())).permute(0, 3, 1, 2).reshape(1, samples, 8).numpy()
    assert distance(array(run(ours, x)), outputs) < TOLERANCE
