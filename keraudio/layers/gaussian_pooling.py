"""Gaussian low-pass pooling with a learned width a channel (Zeghidour et al. 2021, LEAF)."""

from functools import partial

import keras
from keras import ops

from keraudio.layers.block_convolution import convolved_length, pad_for_outputs, shifted_filters

# Parts that a filter is cut into, at most: each is multiplied with the whole signal.
_PARTS = 8


@keras.saving.register_keras_serializable(package="keraudio")
class GaussianPooling(keras.layers.Layer):
    """Smooths each channel by its own Gaussian, whose width is learned, and keeps one sample in `strides`.

    The Gaussian's peak is 1, as in LEAF, so its sum grows with its width. A width is the standard deviation as a share
    of half the kernel; after each training step it is put back between `2 / kernel_size` and 0.5. Computed in float32
    whatever the dtype policy, and returned as float32.

    Args:
        kernel_size: int >= 4, samples that the Gaussian covers. Defaults to 401 (25 ms at 16 kHz).
        strides: int > 0, samples between successive outputs. Defaults to 160 (10 ms at 16 kHz).
        width: float, `2 / kernel_size` <= `width` <= 0.5, initial width. Defaults to 0.4, close to a Hann window.

    Raises:
        ValueError: an argument is out of its range.

    Input shape:
        `(batch, samples, channels)`.

    Output shape:
        `(batch, ceil(samples / strides), channels)`, padded with zeros as Keras' `"same"`.

    Example:
        >>> import numpy as np
        >>> GaussianPooling()(np.ones((2, 16000, 40), "float32")).shape
        (2, 100, 40)
    """

    def __init__(self, kernel_size: int = 401, strides: int = 160, *, width: float = 0.4, **kwargs):
        super().__init__(autocast=False, **kwargs)
        if kernel_size < 4:
            raise ValueError(f"`kernel_size` must be at least 4. Received: kernel_size={kernel_size}")
        if strides < 1:
            raise ValueError(f"`strides` must be at least 1. Received: strides={strides}")
        if not 2 / kernel_size <= width <= 0.5:
            raise ValueError(
                f"`width` must be between 2 / kernel_size and 0.5. Received: width={width}, kernel_size={kernel_size}"
            )
        self.kernel_size = kernel_size
        self.strides = strides
        self.width = width

    def build(self, input_shape):
        self.widths = self.add_weight(
            name="widths",
            shape=(input_shape[2],),
            dtype="float32",
            autocast=False,
            initializer=keras.initializers.Constant(self.width),
            constraint=partial(ops.clip, x_min=2 / self.kernel_size, x_max=0.5),
        )

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        channels = x.shape[2]
        # As many outputs a block as cut the filter into a few parts of the block's length, which then need no frames:
        # a depthwise convolution's gradient takes 400 times as long on JAX.
        block = -(-self.kernel_size // (_PARTS * self.strides))
        length = block * self.strides
        filters = shifted_filters(self._gaussians(), self.strides, block)
        parts = -(-filters.shape[0] // length)
        filters = ops.pad(filters, [[0, parts * length - filters.shape[0]], [0, 0], [0, 0]])
        filters = ops.reshape(filters, (parts, length, block, channels))
        x, outputs = pad_for_outputs(x, self.kernel_size, self.strides, "same", block)
        x = ops.pad(x, [[0, 0], [0, parts * length - (self.kernel_size + (block - 1) * self.strides)], [0, 0]])
        x = ops.reshape(x, (ops.shape(x)[0], -1, length, channels))
        products = ops.einsum("btic,piqc->btpqc", x, filters)
        blocks = ops.shape(x)[1] - parts + 1
        y = sum(products[:, part : part + blocks, part] for part in range(parts))
        return ops.reshape(y, (ops.shape(y)[0], -1, channels))[:, :outputs]

    def _gaussians(self):
        """The filters, `(kernel_size, channels)`."""
        half = 0.5 * (self.kernel_size - 1)
        times = (ops.arange(self.kernel_size, dtype="float32")[:, None] - half) / half
        return ops.exp(-0.5 * ops.square(times / ops.convert_to_tensor(self.widths)))

    def compute_output_shape(self, input_shape):
        outputs = convolved_length(input_shape[1], self.kernel_size, self.strides, "same")
        return (input_shape[0], outputs, input_shape[2])

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype="float32")

    def get_config(self):
        return {
            **super().get_config(),
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "width": self.width,
        }
