"""MST and PiczakCNN against independent builds in PyTorch with the same weights: outputs and gradients."""

import keras
import numpy as np
import pytest
from layer_checks import array, distance, run, sum_weights, weight_gradients

from keraudio.backbones import piczak
from keraudio.frontends import mst

pytestmark = pytest.mark.backends

TOLERANCE = 1e-4


def shaken(model: keras.Model) -> keras.Model:
    """With biases that are not zero."""
    random = np.random.default_rng(0)
    for weight in model.weights:
        if "bias" in weight.path:
            weight.assign(random.normal(0, 0.1, weight.shape).astype("float32"))
    return model


def check(model: keras.Model, peer, x: np.ndarray) -> None:
    import torch
    from mst_piczak_torch import copy_weights, to_torch

    copy_weights(model, peer)
    outputs = peer(torch.tensor(x))
    assert distance(array(run(model, x)), outputs.detach().numpy()) < TOLERANCE
    (outputs * torch.tensor(sum_weights(outputs.shape))).sum().backward()
    theirs = [
        parameter.grad.numpy()
        for layer in peer.modules()
        if list(layer.parameters(recurse=False))
        for parameter in (layer.weight, layer.bias)
    ]
    for slope, expected in zip(weight_gradients(model, x), theirs, strict=True):
        assert distance(to_torch(slope), expected) < TOLERANCE


def test_mst_is_the_peers() -> None:
    from mst_piczak_torch import TorchMST

    model = shaken(mst(8000, filters=(16, 9, 7), kernel_sizes=(64, 3, 3), strides=32, samples=640))
    x = np.random.default_rng(1).uniform(-0.3, 0.3, (3, 640)).astype("float32")
    assert model.output_shape == (None, 20, 7)
    check(model, TorchMST([16, 9, 7], 64), x)


@pytest.mark.parametrize(("frames", "bins"), [(101, 60), (100, 60), (31, 12)])
def test_piczak_is_the_peers(frames: int, bins: int) -> None:
    from mst_piczak_torch import TorchPiczak

    model = shaken(piczak((frames, bins), filters=5, units=11))
    x = np.random.default_rng(2).normal(size=(3, frames, bins)).astype("float32")
    check(model, TorchPiczak(frames, bins, 5, 11), x)


def test_with_deltas_a_second_channel_holds_librosas() -> None:
    import librosa
    import torch
    from mst_piczak_torch import TorchPiczak, copy_weights

    model = shaken(piczak((101, 60), filters=5, units=11, deltas=True))
    peer = TorchPiczak(101, 60, 5, 11, channels=2)
    copy_weights(model, peer)
    x = np.random.default_rng(3).normal(size=(2, 101, 60)).astype("float32")
    both = np.stack([x, librosa.feature.delta(x, axis=1)], axis=-1).astype("float32")
    assert distance(array(run(model, x)), peer(torch.tensor(both)).detach().numpy()) < TOLERANCE
