"""Phase of a complex spectrum."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keraudio")
class Phase(keras.layers.Layer):
    """Phase of a spectrum's real and imaginary parts, in radians from -pi to pi, as `numpy.angle`.

    Where a bin is below 1e-12 (-240 dB) its phase says nothing: it is 0, and so is its slope. Computed in float32.

    Input shape:
        `(..., 2)`: real and imaginary part, as `STFT(power=None)` gives them.

    Output shape:
        `(...)`, float32.

    Example:
        >>> import numpy as np
        >>> Phase()(np.array([[[0.0, 1.0], [-1.0, 0.0]]])).shape
        (1, 2)
    """

    def __init__(self, **kwargs):
        super().__init__(autocast=False, **kwargs)

    def build(self, input_shape):
        if input_shape[-1] != 2:
            raise ValueError(f"The input must have 2 parts at the end. Received: input_shape={tuple(input_shape)}")

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        real, imag = x[..., 0], x[..., 1]
        # A square would underflow long before the magnitude does.
        loud = ops.maximum(ops.abs(real), ops.abs(imag)) > 1e-12
        return ops.where(loud, ops.arctan2(ops.where(loud, imag, 0.0), ops.where(loud, real, 1.0)), 0.0)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[:-1])

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype="float32")
