"""SampleCNN against an independent build in PyTorch with the same weights: outputs and gradients."""

import keras
import numpy as np
import pytest
from layer_checks import array, distance, sum_weights, weight_gradients

from keraudio import AudioClassifier, Description
from keraudio.backbones import sample_cnn
from keraudio.classifier import logits_model
from keraudio.frontends import strided_conv

pytestmark = pytest.mark.backends

TOLERANCE = 1e-4


def build(digits: str, widths: list[int], labels: int = 5) -> AudioClassifier:
    first, *pools = map(int, digits)
    samples = int(np.prod([first, *pools]))
    front_end = strided_conv(8000, filters=widths[0], kernel_size=first, strides=first, samples=samples)
    backbone = sample_cnn(front_end.output_shape[1:], pools=digits[1:], filters=widths[1:-1], embedding=widths[-1])
    names = tuple(f"label {number}" for number in range(labels))
    model = AudioClassifier(
        front_end, backbone, Description(labels=names, sample_rate=8000, window=samples, hop=samples, multi_label=True)
    )
    random = np.random.default_rng(0)
    for weight in model.weights:
        if "kernel" not in weight.path:
            # Statistics and scales that are not those of the start; positive, for variances.
            weight.assign(random.uniform(0.5, 1.5, weight.shape).astype("float32"))
    return model


@pytest.mark.parametrize(
    ("digits", "widths"),
    [("3333", [6, 8, 8, 10, 10]), ("22222", [4, 4, 6, 6, 8, 8]), ("5432", [6, 6, 7, 8, 9]), ("444", [5, 6, 7, 8])],
)
def test_outputs_and_gradients_are_those_of_the_peer(digits: str, widths: list[int]) -> None:
    import torch
    from sample_cnn_torch import TorchSampleCNN, copy_weights

    model = build(digits, widths)
    peer = TorchSampleCNN(list(map(int, digits)), widths, 5).eval()
    copy_weights(model, peer)
    x = np.random.default_rng(1).uniform(-1, 1, (3, model.description.window)).astype("float32")

    probabilities = torch.sigmoid(peer(torch.tensor(x)))
    assert np.abs(model.predict(x, verbose=0) - probabilities.detach().numpy()).max() < TOLERANCE

    logits = peer(torch.tensor(x))
    (logits * torch.tensor(sum_weights(logits.shape))).sum().backward()
    theirs: list[np.ndarray] = []
    for layer in (*peer.body, peer.head):
        for name, parameter in layer.named_parameters():
            slope = parameter.grad.numpy()
            if name == "weight" and slope.ndim > 1:
                slope = slope.transpose(2, 1, 0) if slope.ndim == 3 else slope.T
            theirs.append(slope)
    ours = weight_gradients(logits_model(model), x)
    for slope, expected in zip(ours, theirs, strict=True):
        assert distance(slope, expected) < TOLERANCE


def test_a_training_batch_is_normalized_as_the_peers() -> None:
    import torch
    from sample_cnn_torch import TorchSampleCNN, copy_weights

    widths = [6, 8, 10, 10]
    model = build("333", widths)
    peer = TorchSampleCNN([3, 3, 3], widths, 5).train()
    copy_weights(model, peer)
    x = np.random.default_rng(2).uniform(-1, 1, (8, model.description.window)).astype("float32")
    expected = peer(torch.tensor(x)).detach().numpy()
    assert distance(array(logits_model(model)(keras.ops.convert_to_tensor(x), training=True)), expected) < TOLERANCE
