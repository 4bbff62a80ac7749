"""Cutting a stretch out of an axis and padding one, for tensors that gradients go through."""

import keras
from keras import ops


def cut(x, axis: int, start: int, length: int):
    """`x[start : start + length]` along an axis whose length is known.

    A split, whose gradient is a concatenation: those of TensorFlow's strided slices took a quarter of a training step
    of Hybrid Demucs on a CPU. The stretch lies within the axis and is not empty.
    """
    if start == 0 and length == x.shape[axis]:
        return x
    ends = [start, start + length]
    parts = ops.split(x, [end for end in ends if 0 < end < x.shape[axis]], axis=axis)
    return parts[1 if start else 0]


def pad_axis(x, axis: int, before: int, behind: int):
    """Zeros in front of and behind what an axis has."""
    if before == behind == 0:
        return x
    return ops.pad(x, [[before, behind] if place == axis else [0, 0] for place in range(len(x.shape))])


@keras.saving.register_keras_serializable(package="keraudio")
class AxisCropping(keras.layers.Layer):
    """A stretch of one axis; the rest is left out.

    Args:
        axis: int >= 1, which.
        start: int >= 0, its first place.
        length: int >= 1, places that stay.

    Raises:
        ValueError: an argument is out of its range, or the axis's length is unknown or too short.

    Input shape:
        `(batch, ...)`.

    Output shape:
        As the input, but for the axis's `length`.

    Example:
        >>> import numpy as np
        >>> np.asarray(AxisCropping(1, start=2, length=3)(np.arange(10.0)[None])).tolist()
        [[2.0, 3.0, 4.0]]
    """

    def __init__(self, axis: int, *, start: int = 0, length: int, **kwargs):
        super().__init__(**kwargs)
        if axis < 1 or start < 0 or length < 1:
            raise ValueError(
                "`axis` and `length` must be at least 1, `start` at least 0. "
                f"Received: axis={axis}, start={start}, length={length}"
            )
        self.axis = axis
        self.start = start
        self.length = length

    def build(self, input_shape):
        places = input_shape[self.axis] if self.axis < len(input_shape) else None
        if places is None or places < self.start + self.length:
            raise ValueError(
                f"Axis {self.axis} must have {self.start + self.length} places or more. "
                f"Received: input_shape={tuple(input_shape)}"
            )

    def call(self, inputs):
        return cut(inputs, self.axis, self.start, self.length)

    def compute_output_shape(self, input_shape):
        return (*input_shape[: self.axis], self.length, *input_shape[self.axis + 1 :])

    def get_config(self):
        return {**super().get_config(), "axis": self.axis, "start": self.start, "length": self.length}
