"""Sines and cosines of a frame's place, added to it (Vaswani et al. 2017, section 3.5)."""

import keras
import numpy as np
from keras import ops

_LONGEST = 10000.0


@keras.saving.register_keras_serializable(package="keraudio")
class SinusoidalPosition(keras.layers.Layer):
    """Adds to each frame the sines and cosines of its place, of wavelengths from 2 pi to 20000 pi frames.

    The first half of the channels are sines, the second half cosines. Computed in float32, as bfloat16 does not tell
    frame 257 from 258; the sum follows the dtype policy.

    Raises:
        ValueError: the channels are odd.

    Input shape:
        `(batch, frames, channels)`.

    Output shape:
        As the input.

    Example:
        >>> SinusoidalPosition()(np.zeros((1, 2, 2), "float32"))[0, 0].tolist()
        [0.0, 1.0]
    """

    def __init__(self, **kwargs):
        super().__init__(autocast=False, **kwargs)

    def build(self, input_shape):
        if input_shape[-1] % 2:
            raise ValueError(f"The channels must be even. Received: input_shape={tuple(input_shape)}")

    def call(self, inputs):
        half = inputs.shape[-1] // 2
        rates = (_LONGEST ** (-np.arange(half) / max(half, 1))).astype("float32")
        places = ops.cast(ops.arange(ops.shape(inputs)[1]), "float32")
        angles = places[:, None] * ops.convert_to_tensor(rates)
        total = ops.cast(inputs, "float32") + ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)
        return ops.cast(total, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
