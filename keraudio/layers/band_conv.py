"""Convolution over frames and bins by kernels that see nearly every bin, as PiczakCNN's first."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keraudio")
class BandConv(keras.layers.Conv2D):
    """`Conv2D` for kernels nearly as tall as the band: its weights and results, at the speed of a matrix product.

    A kernel with few places in frequency is laid out once for each of them, with zeros around, so that one convolution
    over frames alone gives all places. It multiplies by few zeros more, and both of its gradients are products of the
    same kind; that with respect to the features takes a two-dimensional convolution of one channel many times as long.

    Args:
        filters: int > 0, number of filters.
        kernel_size: `(frames, bins)` that a filter covers, each > 0.
        kwargs: as of `Conv2D`, but that nothing is padded, dilated, skipped or grouped, and channels come last.

    Raises:
        ValueError: an argument is out of its range, or the input has fewer bins than a filter.

    Input shape:
        `(batch, frames, bins, channels)`.

    Output shape:
        `(batch, frames - kernel frames + 1, bins - kernel bins + 1, filters)`.

    Example:
        >>> import numpy as np
        >>> layer = BandConv(80, (6, 57))
        >>> layer(np.zeros((2, 101, 60, 1), "float32")).shape
        (2, 96, 4, 80)
    """

    def __init__(self, filters: int, kernel_size: tuple[int, int], **kwargs: Any):
        super().__init__(filters, kernel_size, **{"data_format": "channels_last"} | kwargs)
        plain = {"strides": (1, 1), "dilation_rate": (1, 1), "padding": "valid", "groups": 1}
        plain["data_format"] = "channels_last"
        given = {key: getattr(self, key) for key in plain}
        if given != plain:
            raise ValueError(f"A kernel over the band takes {plain}. Received: {given}")

    def build(self, input_shape):
        bins = input_shape[2]
        if bins is None or bins < self.kernel_size[1]:
            raise ValueError(f"The input must have at least {self.kernel_size[1]} bins. Received: {tuple(input_shape)}")
        super().build(input_shape)

    def convolution_op(self, inputs, kernel):
        frames = ops.shape(inputs)[1]
        bins, channels = inputs.shape[2:]
        places = bins - self.kernel_size[1] + 1
        placed = [ops.pad(kernel, [[0, 0], [place, places - 1 - place], [0, 0], [0, 0]]) for place in range(places)]
        kernel = ops.reshape(ops.stack(placed, axis=3), (self.kernel_size[0], bins * channels, places * self.filters))
        rows = ops.reshape(inputs, (-1, frames, bins * channels))
        outputs = ops.conv(rows, kernel, padding="valid", data_format="channels_last")
        return ops.reshape(outputs, (-1, frames - self.kernel_size[0] + 1, places, self.filters))
