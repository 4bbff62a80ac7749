"""Normalization of each waveform by its loudest sample."""

import keras
from keras import ops

# 240 dB below full scale: the square of what is divided by, in gradients, must not underflow.
_LEAST_PEAK = 1e-12


@keras.saving.register_keras_serializable(package="keraudio")
class PeakNormalization(keras.layers.Layer):
    """Divides each example by its greatest absolute value (Tax et al. 2017, section 2.2.1); silence stays silence.

    What lies more than 240 dB below full scale is silence, and divided by that at most. Computed in float32; the result
    follows the dtype policy.

    Input shape:
        `(batch, samples)` or `(batch, samples, channels)`, whose channels share one peak.

    Output shape:
        As the input, within [-1, 1].

    Example:
        >>> import numpy as np
        >>> PeakNormalization()(np.array([[0.5, -0.25], [0.0, 0.0]])).tolist()
        [[1.0, -0.5], [0.0, 0.0]]
    """

    def __init__(self, **kwargs):
        super().__init__(autocast=False, **kwargs)

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        peak = ops.max(ops.abs(x), axis=tuple(range(1, len(x.shape))), keepdims=True)
        return ops.cast(x / ops.maximum(peak, _LEAST_PEAK), self.compute_dtype)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape
