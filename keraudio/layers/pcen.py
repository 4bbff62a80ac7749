"""Per-channel energy normalization (Wang et al. 2017; Lostanlen et al. 2019)."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
from keras import ops

from keraudio.layers.kernel_path import expm1, log1p

_PARAMETERS = ("gain", "bias", "power", "smoothing")
# Frames are smoothed in blocks by one product with a triangular matrix, and the blocks' ends likewise once more.
_BLOCKS = (64, 64)
# A learned bias of 0 would have an infinite slope at silence, and a learned smoothing of 1, which leaves nothing of the
# past, no finite logarithm of what it leaves: the largest float32 below 1 is next to it.
_LEAST_BIAS = 1e-3
_MOST_SMOOTHING = 1 - 2.0**-24
# Stands for the logarithm of 0: its exponential is nothing beside any float32.
_NEVER = -100.0


@keras.saving.register_keras_serializable(package="keraudio")
class PCEN(keras.layers.Layer):
    """Divides each bin by its own recent past and compresses what is left, as `librosa.pcen` does; may be learned.

    `(energy / (eps + past) ** gain + bias) ** power - bias ** power`, where `past` moves by the share `smoothing`
    towards the energy at each frame. Computed in float32; the result follows the dtype policy.

    A learned parameter has one value a bin. After each training step it is put back into its range: gain 0 to 1, bias
    at least 0.001, smoothing 0 to 1; for the power, its inverse is learned, as in LEAF (Zeghidour et al. 2021), and is
    at least 1.

    Args:
        smoothing: float, 0 < `smoothing` <= 1, share of the present frame in `past`; `smoothing_of_seconds` gives
            librosa's. Defaults to 0.025 (Wang et al.).
        gain: float, 0 to 1, how far the past divides the level out. Defaults to 0.98.
        bias: float > 0, in the unit of the divided energy; larger values compress less. Defaults to 2.
        power: float, 0 < `power` <= 1, exponent of the compression. Defaults to 0.5.
        eps: float > 0, in the input's unit, least level that is divided out. Defaults to 1e-6.
        initial: `"one"`, the past before the clip is 1, as in librosa; or `"first"`, it is the clip's first frame,
            as in LEAF. Defaults to `"one"`.
        learnable: True for all parameters, or a sequence of the names of those that are learned: `"gain"`, `"bias"`,
            `"power"`, `"smoothing"`. Defaults to False.

    Raises:
        ValueError: an argument is out of its range.

    Input shape:
        `(batch, frames, bins)` or `(batch, frames, bins, channels)`, linear (magnitude or power), values >= 0.

    Output shape:
        As the input.

    Example:
        >>> import numpy as np
        >>> layer = PCEN(0.04, learnable=["gain", "smoothing"])
        >>> layer(np.ones((2, 10, 64), "float32")).shape
        (2, 10, 64)
        >>> layer.count_params()
        128
    """

    def __init__(
        self,
        smoothing: float = 0.025,
        *,
        gain: float = 0.98,
        bias: float = 2.0,
        power: float = 0.5,
        eps: float = 1e-6,
        initial: str = "one",
        learnable: bool | Sequence[str] = False,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        if not 0 < smoothing <= 1:
            raise ValueError(f"`smoothing` must satisfy 0 < smoothing <= 1. Received: smoothing={smoothing}")
        if not 0 <= gain <= 1:
            raise ValueError(f"`gain` must be between 0 and 1. Received: gain={gain}")
        if bias <= 0:
            raise ValueError(f"`bias` must be positive. Received: bias={bias}")
        if not 0 < power <= 1:
            raise ValueError(f"`power` must satisfy 0 < power <= 1. Received: power={power}")
        if eps <= 0:
            raise ValueError(f"`eps` must be positive. Received: eps={eps}")
        if initial not in ("one", "first"):
            raise ValueError(f"`initial` must be 'one' or 'first'. Received: initial={initial!r}")
        if isinstance(learnable, str) or not (isinstance(learnable, bool) or set(learnable) <= set(_PARAMETERS)):
            raise ValueError(
                f"`learnable` must be True, False or a sequence of {', '.join(_PARAMETERS)}. "
                f"Received: learnable={learnable!r}"
            )
        self.smoothing = smoothing
        self.gain = gain
        self.bias = bias
        self.power = power
        self.eps = eps
        self.initial = initial
        self.learnable = learnable if isinstance(learnable, bool) else list(learnable)

    def build(self, input_shape):
        bins = input_shape[2]
        self.gains = self._parameter("gain", self.gain, bins, 0.0, 1.0)
        self.biases = self._parameter("bias", self.bias, bins, _LEAST_BIAS, math.inf)
        self.roots = self._parameter("power", 1 / self.power, bins, 1.0, math.inf)
        self.smoothings = self._parameter("smoothing", self.smoothing, bins, 0.0, _MOST_SMOOTHING)

    def _parameter(self, name: str, value: float, bins: int, least: float, most: float) -> Any:
        """A weight of `bins` numbers where `name` is learned, else `value`."""
        learned = self.learnable if isinstance(self.learnable, bool) else name in self.learnable
        if not learned:
            return value
        return self.add_weight(
            name=name,
            shape=(bins,),
            dtype="float32",
            autocast=False,
            initializer=keras.initializers.Constant(min(max(value, least), most)),
            constraint=partial(ops.clip, x_min=least, x_max=most),
        )

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        multichannel = len(x.shape) == 4
        if multichannel:
            frames, bins, channels = ops.shape(x)[1:]
            x = ops.reshape(ops.transpose(x, (0, 3, 1, 2)), (-1, frames, bins))
        before = ops.ones_like(x[:, :1]) if self.initial == "one" else x[:, :1]
        past = smooth(x, self.smoothings, before)
        # By logarithms, as in librosa: float32 holds neither the sum of a faint energy and the bias nor its root.
        divided = x * ops.exp(-_tensor(self.gains) * ops.log(self.eps + past))
        bias, power = _tensor(self.biases), 1.0 / _tensor(self.roots)
        x = ops.power(bias, power) * expm1(power * log1p(divided / bias))
        if multichannel:
            x = ops.transpose(ops.reshape(x, (-1, channels, frames, bins)), (0, 2, 3, 1))
        return ops.cast(x, self.compute_dtype)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "smoothing": self.smoothing,
            "gain": self.gain,
            "bias": self.bias,
            "power": self.power,
            "eps": self.eps,
            "initial": self.initial,
            "learnable": self.learnable,
        }


def smoothing_of_seconds(seconds: float, sample_rate: float, hop_length: int) -> float:
    """The `smoothing` of a past of `seconds`, as librosa derives it from its `time_constant`."""
    frames = seconds * sample_rate / hop_length
    return (math.sqrt(1 + 4 * frames**2) - 1) / (2 * frames**2)


def smooth(x, smoothing, before):
    """First-order low-pass of `x` `(batch, frames, bins)` over its frames.

    Args:
        x: the signal.
        smoothing: share of the present frame, one number for all bins or a weight `(bins,)`.
        before: `(batch, 1, bins)`, the result's value before the first frame.
    """
    frames = ops.shape(x)[1]
    if isinstance(smoothing, int | float):
        rate = _tensor(math.log1p(-smoothing) if smoothing < 1 else _NEVER)
    else:
        rate = log1p(-_tensor(smoothing))
    smoothing = _tensor(smoothing)
    return _decaying_sum(ops.concatenate([before, smoothing * x], axis=1), rate, _BLOCKS)[:, 1 : frames + 1]


def _decaying_sum(x, rate, blocks: tuple[int, ...]):
    """Sum of all frames up to each, each weighted by `exp(rate * lag)`.

    In blocks: a few products with matrices whose entries only decay, hence stable. A scan takes a step a frame, which
    torch runs one by one: 10 times as long over 1,300 frames of 128 bins with their own rates, with gradients.
    """
    frames = ops.shape(x)[1]
    if not blocks or (isinstance(frames, int) and frames <= blocks[0]):
        return _triangular_product(x[:, None], rate, frames)[:, 0]
    size, bins = blocks[0], x.shape[2]
    x = ops.pad(x, [[0, 0], [0, (-frames) % size], [0, 0]])
    x = _triangular_product(ops.reshape(x, (ops.shape(x)[0], -1, size, bins)), rate, size)
    ends = _decaying_sum(x[:, :, -1], size * rate, blocks[1:])
    carried = ops.pad(ends[:, :-1], [[0, 0], [1, 0], [0, 0]])
    steps = ops.arange(1, size + 1, dtype="float32")[:, None]
    x = x + ops.exp(steps * rate) * carried[:, :, None]
    return ops.reshape(x, (ops.shape(x)[0], -1, bins))[:, :frames]


def _triangular_product(x, rate, frames):
    """The decaying sum within each block of `x` `(batch, blocks, frames, bins)`."""
    steps = ops.arange(frames, dtype="float32")
    lag = steps[:, None] - steps[None, :]
    # Negative lags would overflow before the mask took them out.
    weights = ops.exp(rate[..., None, None] * ops.maximum(lag, 0.0)) * ops.cast(lag >= 0, "float32")
    return ops.matmul(weights, x) if len(rate.shape) == 0 else ops.einsum("mij,bkjm->bkim", weights, x)


def _tensor(parameter):
    return ops.convert_to_tensor(parameter, dtype="float32")
