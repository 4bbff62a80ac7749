"""Convolutions as matrix products, for what Hybrid Demucs has deep inside (Défossez 2021, section 3.1).

Where a kernel has far more numbers than its input, moving the kernel is what costs time: PyTorch copies Keras' order of
axes into its own at each call. A matrix of what each position sees, times the kernel as it lies, copies the small side.
Transposed convolutions are better products everywhere: on two cores their gradients take JAX 30 to 90 times as long by
its own way, TensorFlow twice as long. Dilated convolutions along time are undilated ones of folded frames, which
TensorFlow would make of them by copying everything twice.
"""

from typing import Any

import keras
from keras import ops

from keraudio.layers.cutting import cut


@keras.saving.register_keras_serializable(package="keraudio")
class ProductConv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D`, computed as one matrix product where its outputs have fewer positions than filters.

    Dilated frames that a kernel sees - one bin wide, an odd number of them, padded to the same length - are first made
    neighbours: the frames in between become further bins.

    Weights, arguments and results are those of `Conv2D`, within float32's rounding.

    Args:
        filters: int, of the output.
        kernel_size: int or two, of time and frequency.
        **options: of `Conv2D`, but for `groups` and `data_format`.

    Raises:
        ValueError: groups or channels that come first are asked for.

    Input shape:
        `(batch, frames, bins, channels)`.

    Output shape:
        `(batch, frames, bins, filters)`, strided and padded as in `Conv2D`.

    Example:
        >>> import numpy as np
        >>> ProductConv2D(64, (3, 1), padding="same")(np.zeros((2, 10, 1, 32), "float32")).shape
        (2, 10, 1, 64)
    """

    def __init__(self, filters: int, kernel_size: Any, **options: Any):
        super().__init__(filters, kernel_size, **_channels_last(options))
        if self.groups != 1:
            raise ValueError(f"`groups` must be 1. Received: groups={self.groups}")

    def convolution_op(self, inputs, kernel):
        dilation, (size, width) = self.dilation_rate[0], self.kernel_size
        plain = width == 1 and size % 2 == 1 and self.padding == "same" and self.strides == (1, 1)
        if dilation == 1 or not plain or None in inputs.shape[1:3]:
            return self._convolved(inputs, kernel, self.dilation_rate, self.compute_output_shape(inputs.shape)[1:3])
        frames, bins, channels = inputs.shape[1:]
        folded = (-(-frames // dilation), dilation * bins)
        missing = folded[0] * dilation - frames
        x = ops.reshape(ops.pad(inputs, [[0, 0], [0, missing], [0, 0], [0, 0]]), (-1, *folded, channels))
        x = self._convolved(x, kernel, (1, 1), folded)
        return cut(ops.reshape(x, (-1, frames + missing, bins, self.filters)), 1, 0, frames)

    def _convolved(self, inputs, kernel, dilations: tuple[int, int], outputs: Any):
        if None in outputs or outputs[0] * outputs[1] >= self.filters:
            return ops.conv(inputs, kernel, list(self.strides), self.padding, self.data_format, dilations)
        axes = list(zip(inputs.shape[1:3], self.kernel_size, self.strides, dilations, strict=True))
        x = inputs
        if self.padding == "same":
            missing = [_missing(*axis, outputs=count) for axis, count in zip(axes, outputs, strict=True)]
            x = ops.pad(x, [[0, 0], *([one // 2, one - one // 2] for one in missing), [0, 0]])
        # For each number of the kernel what all outputs see of it, along time and along frequency.
        frames, bins = (
            [slice(i * dilation, i * dilation + (count - 1) * stride + 1, stride) for i in range(size)]
            for (_, size, stride, dilation), count in zip(axes, outputs, strict=True)
        )
        seen = [x[:, frame, bin_] for frame in frames for bin_ in bins]
        rows = ops.reshape(ops.concatenate(seen, axis=-1), (-1, len(seen) * x.shape[-1]))
        return ops.reshape(ops.matmul(rows, ops.reshape(kernel, (-1, self.filters))), (-1, *outputs, self.filters))


@keras.saving.register_keras_serializable(package="keraudio")
class ProductConv2DTranspose(keras.layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose`, computed as one matrix product: of the steps that a stride's outputs see.

    Weights, arguments and results are those of `Conv2DTranspose` with `padding="valid"`, within float32's rounding.

    Args:
        filters: int, of the output.
        kernel_size: int or two, of time and frequency, no smaller than the strides.
        **options: of `Conv2DTranspose`, but for `padding`, `output_padding`, `dilation_rate` and `data_format`.

    Raises:
        ValueError: another padding or order of axes, a dilation or strides beyond the kernel are asked for.

    Input shape:
        `(batch, frames, bins, channels)`.

    Output shape:
        `(batch, (frames - 1) * stride + size, (bins - 1) * stride + size, filters)`.

    Example:
        >>> import numpy as np
        >>> ProductConv2DTranspose(8, (4, 1), strides=(2, 1))(np.zeros((2, 10, 1, 32), "float32")).shape
        (2, 22, 1, 8)
    """

    def __init__(self, filters: int, kernel_size: Any, **options: Any):
        super().__init__(filters, kernel_size, **_channels_last(options))
        plain = self.padding == "valid" and self.output_padding is None and self.dilation_rate == (1, 1)
        if not plain or any(size < stride for size, stride in zip(self.kernel_size, self.strides, strict=True)):
            raise ValueError(
                '`padding` must be "valid", without dilation, and `strides` no larger than `kernel_size`. Received: '
                f"padding={self.padding!r}, output_padding={self.output_padding}, dilation_rate={self.dilation_rate}, "
                f"strides={self.strides}, kernel_size={self.kernel_size}"
            )

    def call(self, inputs):
        if None in inputs.shape[1:3]:
            return super().call(inputs)
        frames, bins, channels = inputs.shape[1:]
        (high, wide), (down, across) = self.kernel_size, self.strides
        # Blocks of a stride's outputs, each of which sees this many steps of the input.
        rows, columns = -(-high // down), -(-wide // across)
        kernel = ops.pad(self.kernel, [[0, rows * down - high], [0, columns * across - wide], [0, 0], [0, 0]])
        kernel = ops.reshape(kernel, (rows, down, columns, across, self.filters, channels))
        kernel = ops.reshape(ops.transpose(kernel, (0, 2, 5, 1, 3, 4)), (rows * columns * channels, -1))
        shifted = [
            ops.pad(inputs, [[0, 0], [row, rows - 1 - row], [column, columns - 1 - column], [0, 0]])
            for row in range(rows)
            for column in range(columns)
        ]
        y = ops.matmul(ops.reshape(ops.concatenate(shifted, axis=-1), (-1, rows * columns * channels)), kernel)
        blocks = frames + rows - 1, bins + columns - 1
        if down > 1 and blocks[1] > 1:
            y = ops.reshape(y, (-1, *blocks, down, across, self.filters))
            y = ops.transpose(y, (0, 1, 3, 2, 4, 5))
        y = ops.reshape(y, (-1, blocks[0] * down, blocks[1] * across, self.filters))
        y = cut(y, 1, 0, (frames - 1) * down + high)
        y = cut(y, 2, 0, (bins - 1) * across + wide)
        y = y + self.bias if self.use_bias else y
        return y if self.activation is None else self.activation(y)


def _channels_last(options: dict[str, Any]) -> dict[str, Any]:
    if options.get("data_format") not in (None, "channels_last"):
        raise ValueError(f'`data_format` must be "channels_last". Received: {options["data_format"]!r}')
    return {**options, "data_format": "channels_last"}


def _missing(length: int, size: int, stride: int, dilation: int, *, outputs: int) -> int:
    return max(0, (outputs - 1) * stride + (size - 1) * dilation + 1 - length)
