"""Dilated residual branches within each encoder layer of Hybrid Demucs (Défossez 2021, section 3.1)."""

from typing import Any

import keras
from keras import ops

from keraudio.layers.blstm import BLSTM
from keraudio.layers.local_attention import LocalAttention
from keraudio.layers.own_gradient import own_gradient
from keraudio.layers.product_convolution import ProductConv2D
from keraudio.layers.product_dense import ProductDense

_KERNEL_SIZE = 3
_EPSILON = 1e-5


@keras.saving.register_keras_serializable(package="keraudio")
class DConv(keras.layers.Layer):
    """Residual branches along the frames of each bin: a dilated convolution to few channels, and back by a gate.

    Each of `depth` branches is a convolution of 3 frames, dilated by 1, 2, 4 ..., to a share of the channels,
    normalization, GELU, a `BLSTM` and `LocalAttention` where asked for, a dense layer to twice the channels,
    normalization, a gated linear unit, and a factor for each channel. Normalization is over the
    frames and channels of each bin, in float32; the rest follows the dtype policy.

    Args:
        depth: int >= 1, number of branches, each on the sum so far. Defaults to 2.
        compress: int >= 1, by which the channels are divided. Defaults to 4.
        lstm: with a `BLSTM` of two layers. Defaults to False.
        attention: with `LocalAttention`. Defaults to False.
        max_steps: of the `BLSTM`. Defaults to 200.
        heads: of the attention. Defaults to 4.
        scale: that each channel of a branch begins with. Defaults to 1e-4, all but silent.
        kernel_initializer: of convolutions and dense layers. Defaults to `"he_uniform"`.

    Raises:
        ValueError: an argument is out of its range, or with `lstm` or `attention` the number of frames is unknown.

    Input shape:
        `(batch, frames, bins, channels)`.

    Output shape:
        As the input.

    Example:
        >>> import numpy as np
        >>> DConv()(np.zeros((2, 30, 5, 8), "float32")).shape
        (2, 30, 5, 8)
    """

    def __init__(
        self,
        depth: int = 2,
        *,
        compress: int = 4,
        lstm: bool = False,
        attention: bool = False,
        max_steps: int | None = 200,
        heads: int = 4,
        scale: float = 1e-4,
        kernel_initializer="he_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if depth < 1 or compress < 1:
            raise ValueError(f"`depth` and `compress` must be at least 1. Received: depth={depth}, compress={compress}")
        self.depth = depth
        self.compress = compress
        self.lstm = lstm
        self.attention = attention
        self.max_steps = max_steps
        self.heads = heads
        self.scale = scale
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        channels = input_shape[-1]
        hidden = channels // self.compress
        if hidden < 1:
            raise ValueError(f"`compress` must be at most the channels. Received: {self.compress}, of {channels}")
        options: dict[str, Any] = {"dtype": self.dtype_policy, "kernel_initializer": self.kernel_initializer}
        whole, narrow = tuple(input_shape), (*input_shape[:-1], hidden)
        self.branches: list[dict[str, Any]] = []
        for number in range(1, self.depth + 1):
            dilation = 2 ** (number - 1)
            first = ProductConv2D(
                hidden,
                (_KERNEL_SIZE, 1),
                dilation_rate=(dilation, 1),
                padding="same",
                data_format="channels_last",
                name=f"conv_{number}",
                **options,
            )
            first.build(whole)
            between: list[keras.layers.Layer] = []
            if self.lstm:
                between.append(BLSTM(max_steps=self.max_steps, name=f"blstm_{number}", dtype=self.dtype_policy))
            if self.attention:
                between.append(LocalAttention(self.heads, name=f"attention_{number}", **options))
            for layer in between:
                layer.build(narrow)
            last = ProductDense(2 * channels, name=f"dense_{number}", **options)
            last.build(narrow)
            weights = {
                "gamma_1": self._vector(f"gamma_{number}_1", hidden, 1.0),
                "beta_1": self._vector(f"beta_{number}_1", hidden, 0.0),
                "gamma_2": self._vector(f"gamma_{number}_2", 2 * channels, 1.0),
                "beta_2": self._vector(f"beta_{number}_2", 2 * channels, 0.0),
                "scale": self._vector(f"scale_{number}", channels, self.scale),
            }
            self.branches.append({"conv": first, "between": between, "dense": last, "vectors": weights})

    def _vector(self, name: str, size: int, value: float):
        start = keras.initializers.Constant(value)
        return self.add_weight(name=name, shape=(size,), initializer=start, dtype="float32", autocast=False)

    def call(self, inputs):
        x = ops.cast(inputs, self.compute_dtype)
        for branch in self.branches:
            vectors = branch["vectors"]
            y = self._normalized(branch["conv"](x), vectors["gamma_1"], vectors["beta_1"])
            y = ops.gelu(y, approximate=False)
            for layer in branch["between"]:
                y = layer(y)
            y = self._normalized(branch["dense"](y), vectors["gamma_2"], vectors["beta_2"])
            x = x + ops.cast(vectors["scale"], self.compute_dtype) * ops.glu(y, axis=-1)
        return x

    def _normalized(self, x, gamma, beta):
        return ops.cast(_normalize(ops.cast(x, "float32"), gamma, beta), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "depth": self.depth,
            "compress": self.compress,
            "lstm": self.lstm,
            "attention": self.attention,
            "max_steps": self.max_steps,
            "heads": self.heads,
            "scale": self.scale,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


@own_gradient
def _normalize(x, gamma, beta):
    """Each bin's frames and channels with mean 0 and variance 1, then a factor and a summand for each channel.

    The gradient adds up by matrix products. By the sums that backends derive it takes 1.5 times (TensorFlow), 1.6 times
    (PyTorch) or seven times (XLA on a CPU) as long.
    """
    x = x - _mean(x)
    deviation = ops.rsqrt(_mean(ops.square(x)) + _EPSILON)
    x = x * deviation

    def gradient(slopes):
        channels = x.shape[3]
        rows, along = (ops.reshape(one, (-1, channels)) for one in (slopes, slopes * x))
        # What mean and deviation take away again: of each frame, then over the frames.
        shape = (*ops.shape(x)[:3], 1)
        means = [
            ops.mean(ops.reshape(ops.matmul(one, gamma[:, None] / channels), shape), axis=1, keepdims=True)
            for one in (rows, along)
        ]
        ones = ops.ones_like(rows[:, 0])
        of_gamma, of_beta = ops.matmul(ones, along), ops.matmul(ones, rows)
        return (slopes * gamma - means[0] - x * means[1]) * deviation, of_gamma, of_beta

    return x * gamma + beta, gradient


def _mean(x):
    """Over frames and channels, one after the other: for both at once TensorFlow takes ten times as long."""
    return ops.mean(ops.mean(x, axis=3, keepdims=True), axis=1, keepdims=True)
