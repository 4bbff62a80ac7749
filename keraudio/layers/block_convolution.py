"""Convolution with long filters as products of matrices, block by block of the signal.

One way that is fast everywhere, at 401 taps and 80 channels on two cores, with gradients: the backend's convolution
takes twice as long on torch and on TensorFlow without XLA (on JAX 0.6 times as long), blocks of 2048 samples through
the FFT 1.4 to 2.8 times (with XLA on TensorFlow 0.7 times): there is an inverse transform for every filter. What a
stride leaves out is never computed.
"""

from typing import Any

from keras import ops

from keraudio.layers.framing import frame_signal

# Outputs a block: more cost memory for the matrix and work for its zeros, fewer overlap more of the signal.
_BLOCK = 32


def convolved_length(samples: int | None, taps: int, strides: int, padding: str) -> int | None:
    """Number of outputs, as in Keras, but at least one; None stays None."""
    if samples is None:
        return None
    return -(-samples // strides) if padding == "same" else 1 + max(0, samples - taps) // strides


def pad_for_outputs(x, taps: int, strides: int, padding: str, block: int):
    """`x` `(batch, samples, ...)` padded with zeros for whole blocks of `block` outputs, and the number of outputs.

    `"same"` pads as Keras does: half of what the last output needs stands at each end, the odd sample at the right.
    """
    samples = ops.shape(x)[1]
    outputs: Any
    if isinstance(samples, int):
        outputs = convolved_length(samples, taps, strides, padding)
    elif padding == "same":
        outputs = (samples + strides - 1) // strides
    else:
        outputs = 1 + _at_least_zero(samples - taps) // strides
    left = _at_least_zero((outputs - 1) * strides + taps - samples) // 2 if padding == "same" else 0
    needed = ((outputs + block - 1) // block * block - 1) * strides + taps
    edges = [left, _at_least_zero(needed - samples - left)]
    return ops.pad(x, [[0, 0], edges, *[[0, 0]] * (len(x.shape) - 2)])[:, :needed], outputs


def shifted_filters(filters, strides: int, block: int):
    """Filters `(taps, channels)` once for each output of a block, `(taps + (block - 1) * strides, block, channels)`."""
    taps, channels = filters.shape
    length = taps + (block - 1) * strides
    # Rows that are `strides` longer than they are read again shift by as much each time.
    rows = ops.pad(filters, [[0, block * strides], [0, 0]])
    rows = ops.reshape(ops.tile(rows, (block, 1)), (block * (length + strides), channels))[: block * length]
    return ops.transpose(ops.reshape(rows, (block, length, channels)), (1, 0, 2))


def convolve(x, filters, *, strides: int = 1, padding: str = "same"):
    """`x` `(batch, samples)` with each of `filters` `(taps, channels)`: `(batch, outputs, channels)`.

    As `keras.ops.conv`, the filters are not turned round. A signal shorter than a filter gives one output.
    """
    taps, channels = filters.shape
    block = max(1, _BLOCK // strides)
    x, outputs = pad_for_outputs(x, taps, strides, padding, block)
    frames = frame_signal(x, taps + (block - 1) * strides, block * strides)
    matrix = ops.reshape(shifted_filters(filters, strides, block), (-1, block * channels))
    y = ops.matmul(frames, matrix)
    return ops.reshape(y, (ops.shape(y)[0], -1, channels))[:, :outputs]


def _at_least_zero(number):
    return max(0, number) if isinstance(number, int) else ops.maximum(number, 0)
