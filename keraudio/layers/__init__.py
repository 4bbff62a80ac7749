"""Keras layers for audio, written with `keras.ops` alone so that they run on TensorFlow, JAX and PyTorch.

Waveforms and linear spectra stay float32 whatever the dtype policy (a power spectrum overflows float16, and bfloat16
keeps 8 bits of a waveform); compressed features (`LogCompression`, `Decibels`) follow the policy again.
"""

import keras  # first: `import keras` registers these layers (keraudio/__init__.py) and must find none half-loaded

from keraudio.layers.adaptive_stft import AdaptiveSTFT
from keraudio.layers.aligned_stft import AlignedISTFT, AlignedSTFT
from keraudio.layers.attention_block import AttentionBlock
from keraudio.layers.band_conv import BandConv
from keraudio.layers.between_class import BetweenClass
from keraudio.layers.blstm import BLSTM
from keraudio.layers.clip_features import ClipFeatures
from keraudio.layers.cqt import CQT
from keraudio.layers.cutting import AxisCropping
from keraudio.layers.dconv import DConv
from keraudio.layers.decibels import Decibels
from keraudio.layers.delta import Delta
from keraudio.layers.differentiable_stft import DifferentiableSTFT
from keraudio.layers.example_normalization import ExampleNormalization
from keraudio.layers.frequency_embedding import FrequencyEmbedding
from keraudio.layers.gabor_filterbank import GaborFilterbank
from keraudio.layers.gated_linear_unit import GatedLinearUnit
from keraudio.layers.gaussian_pooling import GaussianPooling
from keraudio.layers.istft import ISTFT
from keraudio.layers.kaldi_spectrogram import KaldiSpectrogram
from keraudio.layers.kernel_path import kernel_path
from keraudio.layers.label_probabilities import LabelProbabilities
from keraudio.layers.local_attention import LocalAttention
from keraudio.layers.log_compression import LogCompression
from keraudio.layers.mel_filterbank import MelFilterbank
from keraudio.layers.mel_spectrogram import MelSpectrogram
from keraudio.layers.mfcc import MFCC
from keraudio.layers.mixup import Mixup
from keraudio.layers.patch_tokens import PatchTokens
from keraudio.layers.pcen import PCEN
from keraudio.layers.peak_conv import PeakConv
from keraudio.layers.peak_normalization import PeakNormalization
from keraudio.layers.phase import Phase
from keraudio.layers.product_convolution import ProductConv2D, ProductConv2DTranspose
from keraudio.layers.product_dense import ProductDense
from keraudio.layers.random_crop import RandomCrop
from keraudio.layers.random_delay import RandomDelay
from keraudio.layers.random_gain import RandomGain
from keraudio.layers.random_noise import RandomNoise
from keraudio.layers.random_polarity import RandomPolarity
from keraudio.layers.random_shift import RandomShift
from keraudio.layers.range_normalization import RangeNormalization
from keraudio.layers.rescaled_uniform import RescaledUniform
from keraudio.layers.running_normalization import RunningNormalization
from keraudio.layers.sinc_conv import SincConv
from keraudio.layers.sinusoidal_position import SinusoidalPosition
from keraudio.layers.source_magnitudes import SourceMagnitudes
from keraudio.layers.spec_augment import SpecAugment
from keraudio.layers.standardization import Standardization
from keraudio.layers.stft import STFT
from keraudio.layers.waveform_rows import WaveformRows

__all__ = [
    "BLSTM",
    "CQT",
    "ISTFT",
    "MFCC",
    "PCEN",
    "STFT",
    "AdaptiveSTFT",
    "AlignedISTFT",
    "AlignedSTFT",
    "AttentionBlock",
    "AxisCropping",
    "BandConv",
    "BetweenClass",
    "ClipFeatures",
    "DConv",
    "Decibels",
    "Delta",
    "DifferentiableSTFT",
    "ExampleNormalization",
    "FrequencyEmbedding",
    "GaborFilterbank",
    "GatedLinearUnit",
    "GaussianPooling",
    "KaldiSpectrogram",
    "LabelProbabilities",
    "LocalAttention",
    "LogCompression",
    "MelFilterbank",
    "MelSpectrogram",
    "Mixup",
    "PatchTokens",
    "PeakConv",
    "PeakNormalization",
    "Phase",
    "ProductConv2D",
    "ProductConv2DTranspose",
    "ProductDense",
    "RandomCrop",
    "RandomDelay",
    "RandomGain",
    "RandomNoise",
    "RandomPolarity",
    "RandomShift",
    "RangeNormalization",
    "RescaledUniform",
    "RunningNormalization",
    "SincConv",
    "SinusoidalPosition",
    "SourceMagnitudes",
    "SpecAugment",
    "Standardization",
    "WaveformRows",
    "kernel_path",
]
