"""Half of the channels, gated by the other half (Dauphin et al. 2017)."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keraudio")
class GatedLinearUnit(keras.layers.Layer):
    """The first half of the last axis times the logistic function of its second half.

    Raises:
        ValueError: the last axis is odd.

    Input shape:
        `(batch, ..., 2 * channels)`.

    Output shape:
        `(batch, ..., channels)`.

    Example:
        >>> import numpy as np
        >>> GatedLinearUnit()(np.array([[3.0, 0.0]], "float32")).tolist()
        [[1.5]]
    """

    def build(self, input_shape):
        if input_shape[-1] % 2:
            raise ValueError(f"The last axis must be even. Received: input_shape={tuple(input_shape)}")

    def call(self, inputs):
        return ops.glu(inputs, axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] // 2)
