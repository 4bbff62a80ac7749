"""A dense layer whose kernel's gradient turns the narrower side (for Hybrid Demucs, Défossez 2021)."""

import keras
from keras import ops

from keraudio.layers.own_gradient import own_gradient


@keras.saving.register_keras_serializable(package="keraudio")
class ProductDense(keras.layers.Dense):
    """`keras.layers.Dense`, for many rows and few channels.

    The gradient of its kernel is a product over all rows, for which XLA copies one side turned on a CPU: by its own way
    the outputs' side. Here it is the side with fewer channels, which are the inputs where a layer widens.

    Args:
        units: int, of the output.
        **options: of `Dense`.

    Input shape:
        `(batch, ..., channels)`.

    Output shape:
        `(batch, ..., units)`.

    Example:
        >>> import numpy as np
        >>> ProductDense(6)(np.zeros((2, 10, 1, 3), "float32")).shape
        (2, 10, 1, 6)
    """

    def call(self, inputs, training=None):
        del training
        rows = ops.reshape(inputs, (-1, inputs.shape[-1]))
        x = ops.reshape(_product(rows, self.kernel), (*ops.shape(inputs)[:-1], self.units))
        x = x + self.bias if self.use_bias else x
        return x if self.activation is None else self.activation(x)


@own_gradient
def _product(rows, kernel):
    def gradient(slopes):
        narrow = kernel.shape[0] <= kernel.shape[1]
        first, second = (rows, slopes) if narrow else (slopes, rows)
        of_kernel = ops.matmul(ops.transpose(first), second)
        return ops.matmul(slopes, ops.transpose(kernel)), of_kernel if narrow else ops.transpose(of_kernel)

    return ops.matmul(rows, kernel), gradient
