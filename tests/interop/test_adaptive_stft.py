"""Adaptive STFT's classifier against an independent build in PyTorch with the same weights: outputs and gradients."""

import keras
import numpy as np
import pytest
from layer_checks import array, distance, run, sum_weights, weight_gradients

from keraudio import AudioClassifier, Description
from keraudio.backbones import resnet
from keraudio.classifier import logits_model
from keraudio.frontends import adaptive_stft

pytestmark = pytest.mark.backends

TOLERANCE = 1e-4
RATE, N_FFT, BANDS, SAMPLES, LABELS = 8000, 128, 24, 4096, 4


def classifier(filters: tuple[int, ...]) -> keras.Model:
    front_end = adaptive_stft(RATE, n_fft=N_FFT, hop_length=N_FFT // 2, n_mels=BANDS, samples=SAMPLES)
    backbone = resnet(front_end.output_shape[1:], filters=filters, channels=3, dropout=0.2)
    labels = tuple(f"label {n}" for n in range(LABELS))
    description = Description(labels=labels, sample_rate=RATE, window=SAMPLES, hop=SAMPLES, multi_label=False)
    return AudioClassifier(front_end, backbone, description, dropout=0.2)


def test_the_classifier_is_the_peers() -> None:
    import torch
    from adaptive_stft_torch import TorchClassifier, pairs

    filters = (64, 6, 5, 7)
    model = classifier(filters)
    peer = TorchClassifier(RATE, N_FFT, BANDS, LABELS, filters).eval()
    random = np.random.default_rng(0)
    found = pairs(model, peer)
    assert {weight.path for weight, _, _ in found} == {
        w.path for w in model.weights if w.path.split("/")[0] not in ("stft", "mel")
    }
    with torch.no_grad():
        for weight, target, axes in found:
            value = array(weight)
            if weight.name in ("gamma", "moving_variance"):
                value = random.uniform(0.5, 1.5, weight.shape)
            elif weight.name in ("bias", "beta", "moving_mean"):
                value = random.normal(0, 0.1, weight.shape)
            weight.assign(value.astype("float32"))
            target.copy_(torch.tensor(np.transpose(array(weight), np.argsort(axes))))
    x = random.uniform(-0.5, 0.5, (3, SAMPLES)).astype("float32")
    outputs = peer(torch.tensor(x))
    logits = logits_model(model)
    assert distance(array(run(logits, x)), outputs.detach().numpy()) < TOLERANCE

    (outputs * torch.tensor(sum_weights(outputs.shape))).sum().backward()
    slopes = {
        weight.path: slope for weight, slope in zip(logits.trainable_weights, weight_gradients(logits, x), strict=True)
    }
    for weight, target, axes in found:
        if target.grad is not None:
            expected = np.transpose(target.grad.numpy(), axes)
            assert distance(slopes[weight.path], expected) < TOLERANCE, weight.path
    # Of a real loss PyTorch gives the gradient of a complex kernel as that of its parts.
    theirs = {
        "window": (peer.stft.window, peer.stft.window.grad),
        "real_kernels": (peer.stft.kernels.real.T, peer.stft.kernels.grad.real.T),
        "imag_kernels": (peer.stft.kernels.imag.T, peer.stft.kernels.grad.imag.T),
    }
    weights = {weight.path: weight for weight in logits.trainable_weights}
    for name, (value, slope) in theirs.items():
        path = f"stft/{name}"
        ours, value = array(weights[path]).reshape(value.shape), value.detach().numpy()
        # Whose imaginary part counts upwards is a matter of taste.
        sign = 1 if distance(ours, value) < 1e-5 else -1
        assert distance(sign * ours, value) < 1e-5
        assert distance(sign * slopes[path].reshape(value.shape), slope.numpy()) < TOLERANCE, name
