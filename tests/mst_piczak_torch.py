"""MST and PiczakCNN in PyTorch, as their papers draw them: sharing nothing with keraudio's but the weights."""

import math

import keras
import numpy as np
import torch
from torch import nn
from torch.nn import functional

EPSILON = 1e-3
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


class TorchMST(nn.Module):
    """Three convolutions over a waveform, `(batch, samples)` -> `(batch, frames, bins)`.

    Args:
        filters: of each.
        kernel: samples of the first, whose stride is half of it.
        batch_norm: normalization without a factor before each activation.
    """

    def __init__(self, filters: list[int], kernel: int, batch_norm: bool = False) -> None:
        super().__init__()
        self.stride = kernel // 2
        self.convolutions = nn.ModuleList(
            [
                nn.Conv1d(1, filters[0], kernel, stride=self.stride),
                nn.Conv1d(filters[0], filters[1], 3, padding=1),
                nn.Conv1d(filters[1], filters[2], 3, padding=1),
            ]
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(width, eps=EPSILON) for width in filters) if batch_norm else None

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        peak = waveform.abs().amax(dim=1, keepdim=True)
        x = (waveform / peak)[:, None]
        # TensorFlow's SAME: a frame for every stride begun; of an odd number of zeros the last stands behind.
        samples, kernel = waveform.shape[1], self.convolutions[0].kernel_size[0]
        zeros = max((math.ceil(samples / self.stride) - 1) * self.stride + kernel - samples, 0)
        x = functional.pad(x, (zeros // 2, zeros - zeros // 2))
        for number, activation in enumerate((torch.relu, torch.relu, torch.tanh)):
            x = self.convolutions[number](x)
            x = activation(self.norms[number](x) if self.norms else x)
        return x.transpose(1, 2)


class TorchPiczak(nn.Module):
    """`(batch, frames, bins)` -> `(batch, units)`, with frequency before time, as the paper has it.

    Args:
        frames: of the input.
        bins: of the input.
        filters: of both convolutions.
        units: of both dense layers.
        channels: 2 with deltas.
        batch_norm: normalization of the input and before both convolutions' rectifiers.
    """

    def __init__(
        self, frames: int, bins: int, filters: int, units: int, channels: int = 1, batch_norm: bool = False
    ) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, filters, (bins - 3, 6))
        self.second = nn.Conv2d(filters, filters, (1, 3))
        left = (((frames - 5) - 3) // 3 + 1 - 2) // 3
        self.dense = nn.ModuleList([nn.Linear(filters * left, units), nn.Linear(units, units)])
        norms = [
            nn.BatchNorm2d(channels, eps=EPSILON, affine=False),
            nn.BatchNorm2d(filters, eps=EPSILON),
            nn.BatchNorm2d(filters, eps=EPSILON),
        ]
        self.norms = nn.ModuleList(norms if batch_norm else [nn.Identity()] * 3)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        x = features[:, None] if features.ndim == 3 else features.permute(0, 3, 1, 2)
        x = self.norms[0](x.transpose(2, 3))
        x = functional.max_pool2d(torch.relu(self.norms[1](self.first(x))), (4, 3), stride=(1, 3))
        x = functional.max_pool2d(torch.relu(self.norms[2](self.second(x))), (1, 3), stride=(1, 3))
        # Frame by frame, each with its channels.
        x = x.squeeze(2).transpose(1, 2).flatten(1)
        for layer in self.dense:
            x = torch.relu(layer(x))
        return x


def copy_weights(model: keras.Model, peer: nn.Module) -> None:
    """Puts the weights of a front end or backbone into its peer."""
    for layer, target in pairs(model, peer):
        values = [torch.tensor(to_torch(keras.ops.convert_to_numpy(weight))) for weight in layer.weights]
        places = [target.weight, target.bias]
        if isinstance(target, NORMS):
            places = [target.weight, target.bias, target.running_mean, target.running_var][-len(values) :]
        with torch.no_grad():
            for place, value in zip(places, values, strict=True):
                place.copy_(value)


def pairs(model: keras.Model, peer: nn.Module) -> list[tuple[keras.Layer, nn.Module]]:
    """Layers that have weights, and the peer's: convolutions and dense layers, then normalizations."""
    theirs = [layer for layer in peer.modules() if list(layer.parameters(recurse=False)) or isinstance(layer, NORMS)]
    ours = [layer for layer in model.layers if layer.weights]
    ours.sort(key=lambda layer: isinstance(layer, keras.layers.BatchNormalization))
    return list(zip(ours, theirs, strict=True))


def to_torch(kernel: np.ndarray) -> np.ndarray:
    """A kernel of Keras, such as `(frames, bins, channels, filters)`, in PyTorch's order, time last."""
    return np.ascontiguousarray(np.asarray(kernel).T)
