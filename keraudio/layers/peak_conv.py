"""Convolution over frames and bins that keeps each frame's greatest response, as in MusiCNN's front end."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keraudio")
class PeakConv(keras.layers.Layer):
    """Convolution, ReLU and batch normalization, and of each frame and filter the maximum over the bins.

    Frames are padded as Keras' `"same"` does, bins not at all, so a filter sounds wherever in frequency its shape lies
    (Pons, Lidy & Serra, "Experimenting with musically motivated convolutional neural networks", 2016, section 3).

    At inference the maximum is taken first: ReLU and the normalization keep or, where its `gamma` is negative, turn
    round the order of responses, so the result is the same and all but one pass over the responses are saved.

    Args:
        filters: int > 0, number of filters.
        kernel_size: `(frames, bins)` that a filter covers, each > 0.
        epsilon: float > 0, of the normalization. Defaults to 0.001.
        kernel_initializer: of the filters. Defaults to `"glorot_uniform"`.

    Raises:
        ValueError: an argument is out of its range, or the input has fewer bins than a filter.

    Input shape:
        `(batch, frames, bins)`.

    Output shape:
        `(batch, frames, filters)`.

    Example:
        >>> import numpy as np
        >>> layer = PeakConv(16, (7, 38))
        >>> layer(np.zeros((2, 187, 96), "float32")).shape
        (2, 187, 16)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: tuple[int, int],
        *,
        epsilon: float = 0.001,
        kernel_initializer: str | keras.initializers.Initializer = "glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if filters < 1:
            raise ValueError(f"`filters` must be at least 1. Received: filters={filters}")
        if len(kernel_size) != 2 or min(kernel_size) < 1:
            raise ValueError(f"`kernel_size` must be (frames, bins) of at least 1. Received: {tuple(kernel_size)}")
        if epsilon <= 0:
            raise ValueError(f"`epsilon` must be positive. Received: epsilon={epsilon}")
        self.filters = filters
        self.kernel_size = tuple(kernel_size)
        self.conv = keras.layers.Conv2D(
            filters, self.kernel_size, kernel_initializer=kernel_initializer, dtype=self.dtype_policy, name="conv"
        )
        self.norm = keras.layers.BatchNormalization(epsilon=epsilon, dtype=self.dtype_policy, name="norm")

    def build(self, input_shape):
        bins = input_shape[2]
        if bins is None or bins < self.kernel_size[1]:
            raise ValueError(f"The input must have at least {self.kernel_size[1]} bins. Received: {tuple(input_shape)}")
        self.conv.build((None, None, bins, 1))
        self.norm.build((None, None, None, self.filters))

    def call(self, inputs, training=False):
        before = (self.kernel_size[0] - 1) // 2
        x = ops.pad(inputs, [[0, 0], [before, self.kernel_size[0] - 1 - before], [0, 0]])
        x = ops.expand_dims(x, -1)
        if training and self.norm.trainable:
            responses = self.norm(ops.relu(self.conv(x)), training=True)
            return ops.max(responses, axis=2)
        # Filters whose order is turned round are negated before and after, so that one maximum serves all.
        sign = ops.cast(ops.where(self.norm.gamma < 0, -1.0, 1.0), self.compute_dtype)
        responses = ops.conv(x, self.conv.kernel * sign, padding="valid", data_format="channels_last")
        peaks = ops.max(responses, axis=2, keepdims=True) * sign
        return ops.squeeze(self.norm(ops.relu(peaks + self.conv.bias), training=False), 2)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:2], self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": list(self.kernel_size),
            "epsilon": self.norm.epsilon,
            "kernel_initializer": keras.initializers.serialize(self.conv.kernel_initializer),
        }
