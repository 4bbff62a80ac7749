"""Adaptive STFT's classifier in PyTorch, as the authors draw it: sharing nothing with keraudio's but the weights.

The transform convolves with complex kernels; ResNet-18 has dropout behind each 3 x 3 convolution.
"""

import keras
import librosa
import numpy as np
import torch
from torch import nn
from torch.nn import functional


class TorchAdaptiveSTFT(nn.Module):
    """Window times complex DFT kernels, convolved, then mel bands and a logarithm.

    Args:
        sample_rate: in Hz.
        n_fft: samples of a frame; half of them is the hop.
        n_mels: number of bands.
    """

    def __init__(self, sample_rate: int, n_fft: int, n_mels: int) -> None:
        super().__init__()
        self.hop = n_fft // 2
        place = np.arange(n_fft)
        bins = np.arange(n_fft // 2 + 1)[:, None]
        self.window = nn.Parameter(torch.tensor(0.5 - 0.5 * np.cos(2 * np.pi * place / n_fft), dtype=torch.float32))
        self.kernels = nn.Parameter(torch.tensor(np.exp(-2j * np.pi * bins * place / n_fft), dtype=torch.complex64))
        mel = librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels, dtype=np.float64)
        self.register_buffer("mel", torch.tensor(mel, dtype=torch.float32))

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        kernels = (self.kernels * self.window)[:, None]
        spectrum = functional.conv1d(waveform[:, None].to(torch.complex64), kernels, stride=self.hop)
        return torch.log10(1 + 10 * self.mel @ spectrum.abs())


class Block(nn.Module):
    """Two 3 x 3 convolutions and the way around them."""

    def __init__(self, width: int, filters: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, filters, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(filters)
        self.second = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(filters)
        self.dropout = nn.Dropout(dropout)
        self.around = None
        if stride > 1 or width != filters:
            self.around = nn.Conv2d(width, filters, 1, stride, bias=False)
            self.around_norm = nn.BatchNorm2d(filters)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.first_norm(self.dropout(self.first(x))))
        y = self.second_norm(self.dropout(self.second(y)))
        return torch.relu(y + (x if self.around is None else self.around_norm(self.around(x))))


class TorchResNet18(nn.Module):
    """`(batch, 3, bins, frames)` -> `(batch, classes)` (He et al. 2016, table 1)."""

    def __init__(self, classes: int, filters: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.stem_norm = nn.BatchNorm2d(64)
        blocks, width = [], 64
        for stage, out in enumerate(filters):
            for number in range(2):
                blocks.append(Block(width, out, 2 if stage and not number else 1, dropout))
                width = out
        self.blocks = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(width, classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem_norm(self.stem(image)))
        x = self.blocks(functional.max_pool2d(x, 3, 2, 1))
        return self.dense(self.dropout(x.mean(dim=(2, 3))))


class TorchClassifier(nn.Module):
    """Waveforms -> logits; the spectrogram stands in each of the three channels."""

    def __init__(self, sample_rate: int, n_fft: int, n_mels: int, classes: int, filters: tuple[int, ...]) -> None:
        super().__init__()
        self.stft = TorchAdaptiveSTFT(sample_rate, n_fft, n_mels)
        self.resnet = TorchResNet18(classes, filters, 0.2)

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        # keraudio's images have frames before bands.
        features = self.stft(waveform).transpose(1, 2)
        return self.resnet(features[:, None].repeat(1, 3, 1, 1))


def pairs(classifier: keras.Model, peer: TorchClassifier) -> list[tuple[keras.Variable, torch.Tensor, tuple[int, ...]]]:
    """Each weight of ours, the peer's, and how the peer's axes stand in ours."""
    layers = {layer.name: layer for model in _models(classifier) for layer in model.layers}
    found = []

    def add(name: str, module: nn.Module) -> None:
        layer = layers[name]
        if isinstance(module, nn.Conv2d):
            found.append((layer.kernel, module.weight, (2, 3, 1, 0)))
        elif isinstance(module, nn.Linear):
            found.extend([(layer.kernel, module.weight, (1, 0)), (layer.bias, module.bias, (0,))])
        else:
            found.extend(
                [
                    (layer.gamma, module.weight, (0,)),
                    (layer.beta, module.bias, (0,)),
                    (layer.moving_mean, module.running_mean, (0,)),
                    (layer.moving_variance, module.running_var, (0,)),
                ]
            )

    resnet = peer.resnet
    add("conv1_conv", resnet.stem)
    add("conv1_bn", resnet.stem_norm)
    for number, block in enumerate(resnet.blocks):
        name = f"stack{number // 2}_block{number % 2}"
        for place, (conv, norm) in enumerate(((block.first, block.first_norm), (block.second, block.second_norm)), 1):
            add(f"{name}_{place}_conv", conv)
            add(f"{name}_{place}_bn", norm)
        if block.around is not None:
            add(f"{name}_0_conv", block.around)
            add(f"{name}_0_bn", block.around_norm)
    add("logits", resnet.dense)
    return found


def _models(model: keras.Model) -> list[keras.Model]:
    inner = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    return [model] + [one for layer in inner for one in _models(layer)]
