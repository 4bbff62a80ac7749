"""Logarithmic compression of a spectrogram."""

import math

import keras
from keras import ops

from keraudio.layers.kernel_path import log1p


@keras.saving.register_keras_serializable(package="keraudio")
class LogCompression(keras.layers.Layer):
    """`log(1 + scale * x)`: zero stays zero and the slope at silence is `scale`, so gradients are finite everywhere.

    Computed in float32; the result follows the dtype policy.

    Args:
        scale: float > 0. Defaults to 10 (SampleCNN, section 4; adaptive STFT).
        base: base of the logarithm, > 1. Defaults to None, the natural logarithm.

    Raises:
        ValueError: an argument is out of its range.

    Input shape:
        Any; values >= 0.

    Output shape:
        As the input.

    Example:
        >>> import numpy as np
        >>> float(LogCompression(scale=9.0, base=10)(np.array([[1.0]]))[0, 0])
        1.0
    """

    def __init__(self, scale: float = 10.0, *, base: float | None = None, **kwargs):
        super().__init__(autocast=False, **kwargs)
        if scale <= 0:
            raise ValueError(f"`scale` must be positive. Received: scale={scale}")
        if base is not None and base <= 1:
            raise ValueError(f"`base` must be above 1 or None. Received: base={base}")
        self.scale = scale
        self.base = base

    def call(self, inputs):
        x = log1p(self.scale * ops.cast(inputs, "float32"))
        if self.base is not None:
            x = x / math.log(self.base)
        return ops.cast(x, self.compute_dtype)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "scale": self.scale, "base": self.base}
