"""Keras layers for audio, written with `keras.ops` alone so that they run on TensorFlow, JAX and PyTorch.

Waveforms and linear spectra stay float32 whatever the dtype policy (a power spectrum overflows float16, and bfloat16
keeps 8 bits of a waveform); compressed features (`LogCompression`, `Decibels`) follow the policy again.
"""

import keras  # first: `import keras` registers these layers (keraudio/__init__.py) and must find none half-loaded

from keraudio.layers.decibels import Decibels
from keraudio.layers.label_probabilities import LabelProbabilities
from keraudio.layers.log_compression import LogCompression
from keraudio.layers.mel_filterbank import MelFilterbank
from keraudio.layers.mixup import Mixup
from keraudio.layers.random_gain import RandomGain
from keraudio.layers.random_noise import RandomNoise
from keraudio.layers.random_shift import RandomShift
from keraudio.layers.spec_augment import SpecAugment
from keraudio.layers.stft import STFT

__all__ = [
    "STFT",
    "Decibels",
    "LabelProbabilities",
    "LogCompression",
    "MelFilterbank",
    "Mixup",
    "RandomGain",
    "RandomNoise",
    "RandomShift",
    "SpecAugment",
]
