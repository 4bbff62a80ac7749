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
    """With biases, shifts and statistics that are not those of the start; positive factors and variances."""
    random = np.random.default_rng(0)
    for weight in model.weights:
        if weight.name in ("bias", "beta", "moving_mean"):
            weight.assign(random.normal(0, 0.1, weight.shape).astype("float32"))
        elif weight.name in ("gamma", "moving_variance"):
            weight.assign(random.uniform(0.5, 1.5, weight.shape).astype("float32"))
    return model


def check(model: keras.Model, peer, x: np.ndarray) -> None:
    import torch
    from mst_piczak_torch import copy_weights, pairs, to_torch

    copy_weights(model, peer.eval())
    outputs = peer(torch.tensor(x))
    assert distance(array(run(model, x)), outputs.detach().numpy()) < TOLERANCE
    (outputs * torch.tensor(sum_weights(outputs.shape))).sum().backward()
    slopes = {
        id(weight): slope for weight, slope in zip(model.trainable_weights, weight_gradients(model, x), strict=True)
    }
    for layer, target in pairs(model, peer):
        # A normalization may have no factor, or no shift either.
        expected = [target.bias, target.weight][: len(layer.trainable_weights)]
        for weight, parameter in zip(reversed(layer.trainable_weights), expected, strict=True):
            slope = parameter.grad
            assert distance(to_torch(slopes[id(weight)]), slope.numpy()) < TOLERANCE, weight.path


@pytest.mark.parametrize(("samples", "batch_norm"), [(640, False), (640, True), (627, False)])
def test_mst_is_the_peers(samples: int, batch_norm: bool) -> None:
    from mst_piczak_torch import TorchMST

    options = {"filters": (16, 9, 7), "kernel_sizes": (64, 3, 3), "strides": 32, "batch_norm": batch_norm}
    model = shaken(mst(8000, **options, samples=samples))
    x = np.random.default_rng(1).uniform(-0.3, 0.3, (3, samples)).astype("float32")
    assert model.output_shape == (None, 20, 7)
    check(model, TorchMST([16, 9, 7], 64, batch_norm), x)


@pytest.mark.parametrize(("frames", "bins", "batch_norm"), [(101, 60, False), (100, 60, True), (31, 12, False)])
def test_piczak_is_the_peers(frames: int, bins: int, batch_norm: bool) -> None:
    from mst_piczak_torch import TorchPiczak

    model = shaken(piczak((frames, bins), filters=5, units=11, batch_norm=batch_norm))
    x = np.random.default_rng(2).normal(size=(3, frames, bins)).astype("float32")
    check(model, TorchPiczak(frames, bins, 5, 11, batch_norm=batch_norm), x)


@pytest.mark.parametrize("part", ["mst", "piczak"])
def test_a_training_batch_is_normalized_as_the_peers(part: str) -> None:
    import torch
    from mst_piczak_torch import TorchMST, TorchPiczak, copy_weights

    random = np.random.default_rng(4)
    if part == "mst":
        model = mst(8000, filters=(8, 6, 5), kernel_sizes=(16, 3, 3), strides=8, batch_norm=True, samples=160)
        peer, x = TorchMST([8, 6, 5], 16, True), random.uniform(-1, 1, (6, 160)).astype("float32")
    else:
        # Without dropout, which each library draws in its own way.
        model = piczak((31, 12), filters=5, units=11, batch_norm=True, dropout=0.0)
        peer, x = TorchPiczak(31, 12, 5, 11, batch_norm=True), random.normal(size=(6, 31, 12)).astype("float32")
    copy_weights(shaken(model), peer.train())
    expected = peer(torch.tensor(x)).detach().numpy()
    assert distance(array(model(keras.ops.convert_to_tensor(x), training=True)), expected) < TOLERANCE


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
