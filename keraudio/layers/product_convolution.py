"""Convolutions as matrix products, for what Hybrid Demucs has deep inside (Défossez 2021, section 3.1).

Where a kernel has far more numbers than its input, moving the kernel is what costs time: PyTorch copies Keras' order of
axes into its own at each call. A matrix of what each position sees, times the kernel as it lies, copies the small side.
Transposed convolutions are better products everywhere: on two cores their gradients take JAX 30 to 90 times as long by
its own way, TensorFlow twice as long.
"""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keraudio")
class ProductConv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D`, computed as one matrix product where its outputs have fewer positions than filters.

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
        outputs = self.compute_output_shape(inputs.shape)[1:3]
        if None in outputs or outputs[0] * outputs[1] >= self.filters:
            return super().convolution_op(inputs, kernel)
        axes = list(zip(inputs.shape[1:3], self.kernel_size, self.strides, self.dilation_rate, strict=True))
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
    """`keras.layers.Conv2DTranspose`, computed as one matrix product whose overlapping parts are added up.

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
        kernel = ops.transpose(ops.reshape(self.kernel, (-1, channels)))
        y = ops.matmul(ops.reshape(inputs, (-1, channels)), kernel)
        y = ops.reshape(y, (-1, frames, bins, *self.kernel_size, self.filters))
        y = ops.transpose(y, (0, 1, 3, 2, 4, 5))
        y = _added_up(_added_up(y, 1, self.strides[0]), 2, self.strides[1])
        y = y + self.bias if self.use_bias else y
        return y if self.activation is None else self.activation(y)


def _channels_last(options: dict[str, Any]) -> dict[str, Any]:
    if options.get("data_format") not in (None, "channels_last"):
        raise ValueError(f'`data_format` must be "channels_last". Received: {options["data_format"]!r}')
    return {**options, "data_format": "channels_last"}


def _missing(length: int, size: int, stride: int, dilation: int, *, outputs: int) -> int:
    return max(0, (outputs - 1) * stride + (size - 1) * dilation + 1 - length)


def _added_up(y, axis: int, stride: int):
    """Axes `axis` (steps) and `axis + 1` (outputs of a step) become one, each step's `stride` behind the last's."""
    shape = list(y.shape)
    steps, size = shape[axis : axis + 2]
    if missing := -size % stride:
        y = ops.pad(y, [[0, missing] if number == axis + 1 else [0, 0] for number in range(len(shape))])
    parts = ops.split(y, (size + missing) // stride, axis=axis + 1)
    total, before = parts[0], (slice(None),) * axis
    for shift, part in enumerate(parts[1:], start=1):
        both = total[(*before, slice(shift, None))] + part[(*before, slice(steps - 1))]
        ends = total[(*before, slice(shift))], part[(*before, slice(steps - 1, None))]
        total = ops.concatenate([ends[0], both, ends[1]], axis=axis)
    joined = [-1 if number == 0 else length for number, length in enumerate(shape[:axis])]
    total = ops.reshape(total, (*joined, total.shape[axis] * stride, *shape[axis + 2 :]))
    return total[(*before, slice((steps - 1) * stride + size))]
