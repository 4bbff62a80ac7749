"""Backbones: functions that return a functional model from features (or a waveform) to an embedding.

`BACKBONES` names those that a recipe may ask for; each takes the shape of its input without the batch, and keyword
options.
"""

from collections.abc import Callable

import keras

from keraudio.backbones.ast import ast
from keraudio.backbones.musicnn import musicnn, musicnn_vgg
from keraudio.backbones.piczak import piczak
from keraudio.backbones.residual_cnn import residual_cnn
from keraudio.backbones.resnet import resnet
from keraudio.backbones.sample_cnn import module_filters, sample_cnn

BACKBONES: dict[str, Callable[..., keras.Model]] = {
    "ast": ast,
    "musicnn": musicnn,
    "musicnn_vgg": musicnn_vgg,
    "piczak": piczak,
    "residual_cnn": residual_cnn,
    "resnet": resnet,
    "sample_cnn": sample_cnn,
}

# They must know how many frames they get.
FIXED_FRAMES = frozenset({"ast", "musicnn_vgg", "piczak", "sample_cnn"})

__all__ = [
    "BACKBONES",
    "FIXED_FRAMES",
    "ast",
    "module_filters",
    "musicnn",
    "musicnn_vgg",
    "piczak",
    "residual_cnn",
    "resnet",
    "sample_cnn",
]
