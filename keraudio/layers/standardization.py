"""Mean and deviation of each example taken out, and given beside it, so that they can be put back."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keraudio")
class Standardization(keras.layers.Layer):
    """Each example less its mean, divided by its deviation, with both beside it.

    The deviation is that of a sample (divided by the values less one), and 1e-5 is added before the division, as
    Hybrid Demucs does (Défossez 2021). Float32 whatever the policy, and so are its results: a waveform and a spectrum.

    Input shape:
        `(batch, ...)` of at least two values each.

    Output shape:
        A tuple: the input's shape, and twice `(batch, 1, ...)` of as many axes.

    Example:
        >>> import numpy as np
        >>> x, mean, deviation = Standardization()(np.array([[1.0, 3.0]], "float32"))
        >>> float(mean[0, 0]), round(float(deviation[0, 0]), 4)
        (2.0, 1.4142)
    """

    def __init__(self, **kwargs):
        super().__init__(autocast=False, **kwargs)

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        axes = tuple(range(1, len(x.shape)))
        count = math.prod(x.shape[1:]) if None not in x.shape[1:] else ops.cast(ops.size(x[0]), "float32")
        mean = ops.mean(x, axis=axes, keepdims=True)
        square = ops.sum(ops.square(x - mean), axis=axes, keepdims=True) / (count - 1)
        # The root's slope at 0, of silence, is infinite.
        deviation = ops.sqrt(ops.maximum(square, 1e-20))
        return (x - mean) / (deviation + 1e-5), mean, deviation

    def compute_output_shape(self, input_shape):
        ones = (input_shape[0], *[1] * (len(input_shape) - 1))
        return tuple(input_shape), ones, ones

    def compute_output_spec(self, inputs):
        return tuple(keras.KerasTensor(shape, dtype="float32") for shape in self.compute_output_shape(inputs.shape))
