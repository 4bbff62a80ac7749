"""Convolutions as matrix products, for Hybrid Demucs (Défossez 2021, section 3.1).

Where kernels stride by whole parts of themselves, a stretch of a stride's length is a row of a matrix as it lies, and
what an output sees is a few such rows. Where a kernel has far more numbers than its input, moving the kernel is what
costs time: PyTorch copies Keras' order of axes into its own at each call. Products leave the kernel as it lies, and
leave out what would see nothing but padding. Transposed convolutions are better products everywhere: on two cores their
gradients take JAX 30 to 90 times as long by its own way, TensorFlow twice as long. Dilated convolutions along time are
undilated ones of folded frames, which TensorFlow would make of them by copying everything twice.
"""

from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Any

import keras
from keras import ops

from keraudio.backend import on_cpu
from keraudio.layers.cutting import cut, pad_axis
from keraudio.layers.own_gradient import own_gradient


@keras.saving.register_keras_serializable(package="keraudio")
class ProductConv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D`, computed as matrix products where it strides, or has fewer positions than filters.

    For that the kernel must be a whole number of strides long, and stride along the bins, or along the frames of a
    single one. Dilated frames that a kernel sees - one bin wide, an odd number of them, padded to the same length - are
    first made neighbours: the frames in between become further bins. All else is convolved as ever.

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
        folds = width == 1 and size % 2 == 1 and self.padding == "same" and self.strides == (1, 1)
        if None in inputs.shape[1:3] or (self.dilation_rate != (1, 1) and not folds):
            return self._convolved(inputs, kernel, self.dilation_rate)
        if self.dilation_rate == (1, 1):
            return self._multiplied(inputs, kernel, self.compute_output_shape(inputs.shape)[1:3])
        frames, bins, channels = inputs.shape[1:]
        folded = (-(-frames // dilation), dilation * bins)
        missing = folded[0] * dilation - frames
        x = ops.reshape(pad_axis(inputs, 1, 0, missing), (-1, *folded, channels))
        x = self._multiplied(x, kernel, folded)
        return cut(ops.reshape(x, (-1, frames + missing, bins, self.filters)), 1, 0, frames)

    def _convolved(self, inputs, kernel, dilations: tuple[int, int]):
        if inputs.shape[3] == 1 and self.strides != (1, 1):
            # oneDNN, which TensorFlow and PyTorch call, is wrong where a single channel's bins are strided over to one.
            inputs, kernel = pad_axis(inputs, 3, 0, 1), pad_axis(kernel, 2, 0, 1)
        return ops.conv(inputs, kernel, list(self.strides), self.padding, self.data_format, dilations)

    def _multiplied(self, inputs, kernel, outputs: tuple[int, int]):
        """Without dilation: by products where they are better."""
        (down, across), (high, wide), bins = self.strides, self.kernel_size, inputs.shape[2]
        whole = high % down == 0 and wide % across == 0 and (down == 1 or bins == wide == 1)
        if not whole or (self.strides == (1, 1) and outputs[0] * outputs[1] >= self.filters):
            plain = self.strides == (1, 1) and self.padding == "same" and high % 2 == wide % 2 == 1
            if plain and (bins == 1 or (keras.backend.backend() == "jax" and on_cpu())):
                return _same_convolution(inputs, kernel)
            return self._convolved(inputs, kernel, (1, 1))
        same = self.padding == "same"
        along_frames = _Axis(inputs.shape[1], high, down, outputs[0], same)
        along_bins = _Axis(bins, wide, across, outputs[1], same)
        width = down * across * inputs.shape[3]
        x = along_bins.fitted(along_frames.fitted(inputs, 1), 2)
        x = ops.reshape(x, (-1, along_frames.blocks, along_bins.blocks, width))
        steps = [(frame, bin_) for frame in range(along_frames.steps) for bin_ in range(along_bins.steps)]
        groups = [
            (seen, list(of))
            for seen, of in groupby(steps, lambda step: along_frames.sees(step[0]) and along_bins.sees(step[1]))
        ]
        edges = list(accumulate(len(of) * width for _, of in groups))[:-1]
        kernel = ops.reshape(kernel, (len(steps) * width, self.filters))
        parts = ops.split(kernel, edges) if edges else [kernel]
        products = []
        for (seen, of), part in zip(groups, parts, strict=True):
            if seen:
                blocks = [cut(cut(x, 1, frame, outputs[0]), 2, bin_, outputs[1]) for frame, bin_ in of]
                rows = ops.reshape(ops.concatenate(blocks, axis=-1), (-1, len(of) * width))
                products.append(ops.matmul(rows, part))
        return ops.reshape(sum(products[1:], products[0]), (-1, *outputs, self.filters))


@own_gradient
def _same_convolution(inputs, kernel):
    """A convolution without strides, odd and padded to the same length, whose kernel's gradient is products.

    XLA's own, a convolution by all frames, takes a CPU seven times as long as the layer itself; of a single bin
    TensorFlow's takes more than twice as long as products.
    """

    def gradient(slopes):
        turned = ops.transpose(ops.flip(kernel, axis=(0, 1)), (0, 1, 3, 2))
        (high, wide, channels, filters), (frames, bins) = kernel.shape, inputs.shape[1:3]
        x = pad_axis(pad_axis(inputs, 1, high // 2, high // 2), 2, wide // 2, wide // 2)
        seen = [cut(cut(x, 1, frame, frames), 2, bin_, bins) for frame in range(high) for bin_ in range(wide)]
        rows = ops.reshape(slopes, (-1, filters))
        products = [ops.matmul(ops.transpose(ops.reshape(one, (-1, channels))), rows) for one in seen]
        of_inputs = ops.conv(slopes, turned, 1, "same", "channels_last")
        return of_inputs, ops.reshape(ops.stack(products), kernel.shape)

    return ops.conv(inputs, kernel, 1, "same", "channels_last"), gradient


@dataclass(frozen=True)
class _Axis:
    """Frames or bins of a convolution's input, in blocks of a stride; a kernel is so many steps from block to block."""

    length: int
    size: int
    stride: int
    outputs: int
    padded: bool

    @property
    def steps(self) -> int:
        return self.size // self.stride

    @property
    def blocks(self) -> int:
        """Those that any output sees."""
        return self.outputs - 1 + self.steps

    @property
    def before(self) -> int:
        """Padding in front."""
        return (self.blocks * self.stride - self.length) // 2 if self.padded else 0

    def fitted(self, x, axis: int):
        """Padded, or cut, to whole blocks."""
        whole = self.blocks * self.stride
        if not self.padded:
            return cut(x, axis, 0, whole)
        return pad_axis(x, axis, self.before, whole - self.length - self.before)

    def sees(self, step: int) -> bool:
        """Whether some output finds more than padding at a step of the kernel."""
        return (step + self.outputs) * self.stride > self.before and step * self.stride < self.before + self.length


@keras.saving.register_keras_serializable(package="keraudio")
class ProductConv2DTranspose(keras.layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose` along one axis, computed as matrix products: one for each stride of the kernel.

    Weights, arguments and results are those of `Conv2DTranspose` with `padding="valid"`, within float32's rounding.

    Args:
        filters: int, of the output.
        kernel_size: two, of time and frequency, of which one is 1; no smaller than the strides.
        **options: of `Conv2DTranspose`, but for `padding`, `output_padding`, `dilation_rate` and `data_format`.

    Raises:
        ValueError: another padding or order of axes, a dilation, strides beyond the kernel, or a kernel along both
            axes are asked for.

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
        short = any(size < stride for size, stride in zip(self.kernel_size, self.strides, strict=True))
        if not plain or short or 1 not in self.kernel_size:
            raise ValueError(
                '`padding` must be "valid", without dilation, one of `kernel_size` 1, and `strides` no larger than it. '
                f"Received: padding={self.padding!r}, output_padding={self.output_padding}, "
                f"dilation_rate={self.dilation_rate}, strides={self.strides}, kernel_size={self.kernel_size}"
            )

    def call(self, inputs):
        if None in inputs.shape[1:3]:
            return super().call(inputs)
        frames, bins, channels = inputs.shape[1:]
        axis = 2 if self.kernel_size[0] == 1 else 1
        size, stride, places = self.kernel_size[axis - 1], self.strides[axis - 1], inputs.shape[axis]
        steps = -(-size // stride)
        kernel = pad_axis(ops.reshape(self.kernel, (size, self.filters, channels)), 0, 0, steps * stride - size)
        parts = ops.split(ops.reshape(kernel, (steps * stride * self.filters, channels)), steps)
        rows = ops.reshape(inputs, (-1, channels))  # of four axes, TensorFlow adds up float16 in float16
        moved = []
        for step, part in enumerate(parts):
            product = ops.reshape(ops.einsum("rc,oc->ro", rows, part), (-1, frames, bins, stride * self.filters))
            moved.append(pad_axis(product, axis, step, steps - 1 - step))
        y = sum(moved[1:], moved[0])
        length = (places + steps - 1) * stride
        if axis == 1:
            y = ops.reshape(y, (-1, length // stride, bins, stride, self.filters))
            y = ops.transpose(y, (0, 1, 3, 2, 4)) if bins > 1 else y
            y = ops.reshape(y, (-1, length, bins, self.filters))
        else:
            y = ops.reshape(y, (-1, frames, length, self.filters))
        y = cut(y, axis, 0, (places - 1) * stride + size)
        y = y + self.bias if self.use_bias else y
        return y if self.activation is None else self.activation(y)


def _channels_last(options: dict[str, Any]) -> dict[str, Any]:
    if options.get("data_format") not in (None, "channels_last"):
        raise ValueError(f'`data_format` must be "channels_last". Received: {options["data_format"]!r}')
    return {**options, "data_format": "channels_last"}
