"""MST and PiczakCNN in PyTorch, as their papers draw them: sharing nothing with keraudio's but the weights."""

import keras
import numpy as np
import torch
from torch import nn
from torch.nn import functional


class TorchMST(nn.Module):
    """Three convolutions over a waveform, `(batch, samples)` -> `(batch, frames, bins)`.

    Args:
        filters: of each.
        kernel: samples of the first, whose stride is half of it.
    """

    def __init__(self, filters: list[int], kernel: int) -> None:
        super().__init__()
        self.stride = kernel // 2
        self.convolutions = nn.ModuleList(
            [
                nn.Conv1d(1, filters[0], kernel, stride=self.stride),
                nn.Conv1d(filters[0], filters[1], 3, padding=1),
                nn.Conv1d(filters[1], filters[2], 3, padding=1),
            ]
        )

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        peak = waveform.abs().amax(dim=1, keepdim=True)
        x = (waveform / peak)[:, None]
        # TensorFlow's SAME, of a length that the stride divides: as many zeros before as behind.
        side = (self.convolutions[0].kernel_size[0] - self.stride) // 2
        x = torch.relu(self.convolutions[0](functional.pad(x, (side, side))))
        x = torch.relu(self.convolutions[1](x))
        return torch.tanh(self.convolutions[2](x)).transpose(1, 2)


class TorchPiczak(nn.Module):
    """`(batch, frames, bins)` -> `(batch, units)`, with frequency before time, as the paper has it.

    Args:
        frames: of the input.
        bins: of the input.
        filters: of both convolutions.
        units: of both dense layers.
        channels: 2 with deltas.
    """

    def __init__(self, frames: int, bins: int, filters: int, units: int, channels: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, filters, (bins - 3, 6))
        self.second = nn.Conv2d(filters, filters, (1, 3))
        left = (((frames - 5) - 3) // 3 + 1 - 2) // 3
        self.dense = nn.ModuleList([nn.Linear(filters * left, units), nn.Linear(units, units)])

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        x = features[:, None] if features.ndim == 3 else features.permute(0, 3, 1, 2)
        x = x.transpose(2, 3)
        x = functional.max_pool2d(torch.relu(self.first(x)), (4, 3), stride=(1, 3))
        x = functional.max_pool2d(torch.relu(self.second(x)), (1, 3), stride=(1, 3))
        # Frame by frame, each with its channels.
        x = x.squeeze(2).transpose(1, 2).flatten(1)
        for layer in self.dense:
            x = torch.relu(layer(x))
        return x


def copy_weights(model: keras.Model, peer: nn.Module) -> None:
    """Puts the weights of a front end or backbone into its peer."""
    theirs = [layer for layer in peer.modules() if list(layer.parameters(recurse=False))]
    ours = [layer for layer in model.layers if layer.weights]
    for layer, target in zip(ours, theirs, strict=True):
        kernel, bias = (np.asarray(keras.ops.convert_to_numpy(weight)) for weight in layer.weights)
        with torch.no_grad():
            target.weight.copy_(torch.tensor(to_torch(kernel)))
            target.bias.copy_(torch.tensor(bias))


def to_torch(kernel: np.ndarray) -> np.ndarray:
    """A kernel of Keras, such as `(frames, bins, channels, filters)`, in PyTorch's order, time last."""
    return np.ascontiguousarray(kernel.T)
