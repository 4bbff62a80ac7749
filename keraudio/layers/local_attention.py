"""Attention that fades with distance, as Hybrid Demucs has it (Défossez 2021, section 3.3)."""

import keras
import numpy as np
from keras import ops

# Far below any logit: a frame does not attend to itself.
_NEVER = -100.0


@keras.saving.register_keras_serializable(package="keraudio")
class LocalAttention(keras.layers.Layer):
    """Each frame of a bin attends to the others, less the further away they are, by rates that it sets itself.

    Of frame s the logit of frame t is `k_t . q_s / sqrt(d) - |t - s| sum_n n sigmoid(w_sn) / (2 sqrt(N))`, with N rates
    a head (the penalty of equation 1's "local state"); of itself -100. A dense layer and the input added follow.
    Logits and softmax are computed in float32; the result follows the dtype policy.

    Args:
        heads: int >= 1 that divides the channels. Defaults to 4.
        decays: int >= 1, rates of fading a head. Defaults to 4.
        kernel_initializer: of the five dense layers. Defaults to `"he_uniform"`.

    Raises:
        ValueError: an argument is out of its range, or the number of frames is unknown.

    Input shape:
        `(batch, frames, bins, channels)`.

    Output shape:
        As the input.

    Example:
        >>> import numpy as np
        >>> LocalAttention()(np.zeros((2, 30, 1, 8), "float32")).shape
        (2, 30, 1, 8)
    """

    def __init__(self, heads: int = 4, *, decays: int = 4, kernel_initializer="he_uniform", **kwargs):
        super().__init__(autocast=False, **kwargs)
        if heads < 1 or decays < 1:
            raise ValueError(f"`heads` and `decays` must be at least 1. Received: heads={heads}, decays={decays}")
        self.heads = heads
        self.decays = decays
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        channels = input_shape[-1]
        if input_shape[1] is None or input_shape[2] is None:
            raise ValueError(f"Frames and bins must be known. Received: input_shape={tuple(input_shape)}")
        if channels % self.heads:
            raise ValueError(f"`heads` must divide the channels. Received: heads={self.heads}, channels={channels}")
        dense = {"dtype": "float32", "kernel_initializer": self.kernel_initializer}
        self.content = keras.layers.Dense(channels, name="content", **dense)
        self.query = keras.layers.Dense(channels, name="query", **dense)
        self.key = keras.layers.Dense(channels, name="key", **dense)
        # Near no fading at first, so that all frames are heard.
        self.decay = keras.layers.Dense(
            self.heads * self.decays,
            name="decay",
            dtype="float32",
            kernel_initializer=keras.initializers.RandomUniform(-1e-2 / channels**0.5, 1e-2 / channels**0.5),
            bias_initializer=keras.initializers.Constant(-2.0),
        )
        self.projection = keras.layers.Dense(channels, name="projection", **dense)
        for layer in (self.content, self.query, self.key, self.decay, self.projection):
            layer.build((None, input_shape[1], channels))

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        frames, bins, channels = x.shape[1:]
        rows = ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (-1, frames, channels))

        def heads(values, size: int):
            """`(rows, heads, frames, size)`."""
            return ops.transpose(ops.reshape(values, (-1, frames, self.heads, size)), (0, 2, 1, 3))

        width = channels // self.heads
        query, key, content = (heads(layer(rows), width) for layer in (self.query, self.key, self.content))
        rates = ops.sigmoid(heads(self.decay(rows), self.decays)) * (0.5 / self.decays**0.5)
        fading = ops.sum(rates * ops.arange(1, self.decays + 1, dtype="float32"), axis=-1, keepdims=True)
        # Rows of these are the frames that attend, columns those that are attended to.
        logits = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) * width**-0.5 - fading * _distances(frames)
        logits = ops.where(ops.convert_to_tensor(np.eye(frames, dtype=bool)), _NEVER, logits)
        heard = ops.matmul(ops.softmax(logits, axis=-1), content)
        y = self.projection(ops.reshape(ops.transpose(heard, (0, 2, 1, 3)), (-1, frames, channels)))
        y = ops.transpose(ops.reshape(y, (-1, bins, frames, channels)), (0, 2, 1, 3))
        return ops.cast(x + y, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "heads": self.heads,
            "decays": self.decays,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def _distances(frames: int):
    places = ops.arange(frames, dtype="float32")
    return ops.abs(places[:, None] - places[None, :])
