"""SampleCNN in PyTorch, as its paper draws it: sharing nothing with keraudio's but the weights."""

import keras
import numpy as np
import torch
from torch import nn

EPSILON = 1e-5


class TorchSampleCNN(nn.Module):
    """Strided convolution, modules of convolution and pool, and a convolution of one frame: `(batch, samples)` ->
    `(batch, labels)` logits.

    Args:
        pools: first stride, then the pool of each module.
        widths: filters of the first convolution, of each module, and of the last convolution.
        labels: how many.
    """

    def __init__(self, pools: list[int], widths: list[int], labels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv1d(1, widths[0], pools[0], stride=pools[0])]
        layers += [nn.BatchNorm1d(widths[0], eps=EPSILON), nn.ReLU()]
        for before, width, pool in zip(widths, widths[1:-1], pools[1:], strict=False):
            layers += [nn.Conv1d(before, width, pool, padding="same")]
            layers += [nn.BatchNorm1d(width, eps=EPSILON), nn.ReLU(), nn.MaxPool1d(pool)]
        layers += [nn.Conv1d(widths[-2], widths[-1], 1), nn.BatchNorm1d(widths[-1], eps=EPSILON), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(widths[-1], labels)

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(waveform[:, None]).flatten(1))


def copy_weights(model: keras.Model, peer: TorchSampleCNN) -> None:
    """Puts the weights of an `AudioClassifier` into the peer."""
    ours = [layer for part in (model.front_end, model.backbone) for layer in part.layers if layer.weights]
    theirs = [layer for layer in peer.body if list(layer.parameters())]
    for layer, target in zip(ours, theirs, strict=True):
        values = [torch.tensor(np.asarray(keras.ops.convert_to_numpy(weight))) for weight in layer.weights]
        with torch.no_grad():
            if isinstance(target, nn.Conv1d):
                target.weight.copy_(values[0].permute(2, 1, 0))
                target.bias.copy_(values[1])
            else:
                target.weight.copy_(values[0])
                target.bias.copy_(values[1])
                target.running_mean.copy_(values[2])
                target.running_var.copy_(values[3])
    kernel, bias = (keras.ops.convert_to_numpy(weight) for weight in model.get_layer("logits").weights)
    with torch.no_grad():
        peer.head.weight.copy_(torch.tensor(np.asarray(kernel).T))
        peer.head.bias.copy_(torch.tensor(np.asarray(bias)))
