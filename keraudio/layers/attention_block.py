"""A transformer block made to stay finite."""

import keras
from keras import ops

_EPSILON = 1e-6


@keras.saving.register_keras_serializable(package="keraudio")
class AttentionBlock(keras.layers.Layer):
    """Self-attention over frames and a two-layer perceptron, each a residual branch.

    What keeps it finite may be switched off, part by part: branches that normalize their input instead of the sum
    (Xiong et al. 2020), queries and keys of a root mean square of 1, so that logits are bounded by the root of a head's
    width (Henry et al. 2020), branches that begin at 1e-4 (Touvron et al. 2021) or, by zero output kernels, at nothing,
    and logits and softmax in float32 whatever the dtype policy. Normalizations are computed in float32.

    Args:
        heads: int >= 1 that divides the channels. Defaults to 4.
        units: of the perceptron's hidden layer. Defaults to four times the channels.
        pre_norm: normalize what enters a branch; False normalizes each sum, as Vaswani et al. 2017. Defaults to True.
        qk_norm: normalize queries and keys. Defaults to True.
        layer_scale: factor that each channel of a branch begins with; None for no factors. Defaults to 1e-4.
        zero_output: the last kernel of each branch begins as zeros. Defaults to False.
        float32_softmax: logits and softmax in float32; False follows the policy. Defaults to True.

    Raises:
        ValueError: an argument is out of its range.

    Input shape:
        `(batch, frames, channels)`.

    Output shape:
        As the input.

    Example:
        >>> import numpy as np
        >>> AttentionBlock()(np.zeros((2, 30, 8), "float32")).shape
        (2, 30, 8)
    """

    def __init__(
        self,
        heads: int = 4,
        *,
        units: int | None = None,
        pre_norm: bool = True,
        qk_norm: bool = True,
        layer_scale: float | None = 1e-4,
        zero_output: bool = False,
        float32_softmax: bool = True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if heads < 1 or (units is not None and units < 1):
            raise ValueError(f"`heads` and `units` must be at least 1. Received: heads={heads}, units={units}")
        self.heads = heads
        self.units = units
        self.pre_norm = pre_norm
        self.qk_norm = qk_norm
        self.layer_scale = layer_scale
        self.zero_output = zero_output
        self.float32_softmax = float32_softmax

    def build(self, input_shape):
        channels = input_shape[-1]
        if channels % self.heads:
            raise ValueError(f"`heads` must divide the channels. Received: heads={self.heads}, channels={channels}")
        policy, hidden = self.dtype_policy, 4 * channels if self.units is None else self.units
        last = {"kernel_initializer": "zeros" if self.zero_output else "glorot_uniform"}
        self.projection = keras.layers.Dense(3 * channels, name="projection", dtype=policy)
        self.output_projection = keras.layers.Dense(channels, name="output_projection", dtype=policy, **last)
        self.expansion = keras.layers.Dense(hidden, activation="gelu", name="expansion", dtype=policy)
        self.contraction = keras.layers.Dense(channels, name="contraction", dtype=policy, **last)
        self.norms = [
            keras.layers.LayerNormalization(epsilon=_EPSILON, name=f"norm_{number}", dtype=policy) for number in (1, 2)
        ]
        shape = tuple(input_shape)
        for layer in (self.projection, self.output_projection, self.expansion, *self.norms):
            layer.build(shape)
        self.contraction.build((*shape[:-1], hidden))
        width = channels // self.heads
        if self.qk_norm:
            self.query_norm = keras.layers.RMSNormalization(epsilon=_EPSILON, name="query_norm", dtype="float32")
            self.key_norm = keras.layers.RMSNormalization(epsilon=_EPSILON, name="key_norm", dtype="float32")
            for layer in (self.query_norm, self.key_norm):
                layer.build((None, self.heads, None, width))
        self.scales = []
        if self.layer_scale is not None:
            start = keras.initializers.Constant(self.layer_scale)
            self.scales = [
                self.add_weight(name=f"scale_{number}", shape=(channels,), initializer=start) for number in (1, 2)
            ]

    def call(self, inputs):
        x = ops.cast(inputs, self.compute_dtype)
        for number, branch in enumerate((self._attended, self._perceived)):
            y = branch(self.norms[number](x) if self.pre_norm else x)
            x = x + (y * self.scales[number] if self.scales else y)
            if not self.pre_norm:
                x = self.norms[number](x)
        return x

    def _attended(self, x):
        frames, channels = ops.shape(x)[1], x.shape[2]
        width = channels // self.heads
        parts = ops.reshape(self.projection(x), (-1, frames, 3, self.heads, width))
        query, key, value = (parts[:, :, n] for n in range(3))
        query, key, value = (ops.transpose(part, (0, 2, 1, 3)) for part in (query, key, value))
        if self.qk_norm:
            query, key = self.query_norm(query), self.key_norm(key)
        dtype = "float32" if self.float32_softmax else self.compute_dtype
        query, key = ops.cast(query, dtype), ops.cast(key, dtype)
        logits = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) * width**-0.5
        heard = ops.matmul(ops.cast(ops.softmax(logits, axis=-1), self.compute_dtype), value)
        return self.output_projection(ops.reshape(ops.transpose(heard, (0, 2, 1, 3)), (-1, frames, channels)))

    def _perceived(self, x):
        return self.contraction(self.expansion(x))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "heads": self.heads,
            "units": self.units,
            "pre_norm": self.pre_norm,
            "qk_norm": self.qk_norm,
            "layer_scale": self.layer_scale,
            "zero_output": self.zero_output,
            "float32_softmax": self.float32_softmax,
        }
