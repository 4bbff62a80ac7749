"""Scaling by the least and the greatest value seen while training."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keraudio")
class RangeNormalization(keras.layers.Layer):
    """Maps the least and the greatest value of the training data to -1 and 1 (Tax et al. 2017, section 2.3.1).

    They are gathered batch by batch while training; a batch enters first and is scaled after, and gradients do not pass
    through them. At inference values beyond them are beyond -1 or 1. A layer that was never trained gives what it
    takes. With `trainable` off they stay as they are. Computed in float32; the result follows the dtype policy.

    Input shape:
        Any, of at least `(batch, values)`.

    Output shape:
        As the input.

    Example:
        >>> import numpy as np
        >>> RangeNormalization()(np.array([[[2.0], [3.0], [6.0]]]), training=True).tolist()
        [[[-1.0], [-0.5], [1.0]]]
    """

    def __init__(self, **kwargs):
        super().__init__(autocast=False, **kwargs)

    def build(self, input_shape):
        options = {"shape": (), "dtype": "float32", "autocast": False, "trainable": False}
        self.low = self.add_weight(name="low", initializer="zeros", **options)
        self.high = self.add_weight(name="high", initializer="zeros", **options)
        self.known = self.add_weight(name="known", initializer="zeros", **options)

    def set_range(self, low: float, high: float) -> None:
        """Sets what becomes -1 and 1, as if it had been seen.

        Raises:
            ValueError: they are not finite, or not in order.
        """
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(f"`low` and `high` must be finite, low below high. Received: low={low}, high={high}")
        self.low.assign(low)
        self.high.assign(high)
        self.known.assign(1.0)

    def call(self, inputs, training=False):
        x = ops.cast(inputs, "float32")
        low, high, known = (ops.convert_to_tensor(weight) for weight in (self.low, self.high, self.known))
        if training and self.trainable:
            least, greatest = ops.min(x), ops.max(x)
            low = ops.stop_gradient(ops.where(known > 0, ops.minimum(low, least), least))
            high = ops.stop_gradient(ops.where(known > 0, ops.maximum(high, greatest), greatest))
            known = ops.ones_like(known)
            self.low.assign(low)
            self.high.assign(high)
            self.known.assign(known)
        width = high - low
        scaled = ops.where(width > 0, 2.0 * (x - low) / ops.where(width > 0, width, 1.0) - 1.0, 0.0)
        return ops.cast(ops.where(known > 0, scaled, x), self.compute_dtype)

    def compute_output_spec(self, inputs, training=False):
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape
