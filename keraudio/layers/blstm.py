"""Bidirectional LSTM over overlapping stretches, as Hybrid Demucs has it (Défossez 2021, section 3.3)."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keraudio")
class BLSTM(keras.layers.Layer):
    """LSTMs that read each bin's frames in both directions, a dense layer back to the channels, and the input added.

    Sequences of more than `max_steps` frames are read in stretches of that length which overlap by half; of each
    overlap the earlier half is the earlier stretch's. Gates are those of PyTorch, with its two biases that add up.
    Computed in float32, as sums over many frames lose bfloat16's eight bits; the result follows the dtype policy.

    Args:
        layers: int >= 1, LSTMs one behind another. Defaults to 2.
        max_steps: multiple of 4, frames of a stretch; None for one stretch of any length. Defaults to 200.

    Raises:
        ValueError: an argument is out of its range, or the number of frames is unknown.

    Input shape:
        `(batch, frames, bins, channels)`.

    Output shape:
        As the input.

    Example:
        >>> import numpy as np
        >>> BLSTM()(np.zeros((2, 30, 1, 8), "float32")).shape
        (2, 30, 1, 8)
    """

    def __init__(self, layers: int = 2, *, max_steps: int | None = 200, **kwargs):
        super().__init__(autocast=False, **kwargs)
        if layers < 1:
            raise ValueError(f"`layers` must be at least 1. Received: layers={layers}")
        if max_steps is not None and (max_steps < 4 or max_steps % 4):
            raise ValueError(f"`max_steps` must be a multiple of 4, or None. Received: max_steps={max_steps}")
        self.layers = layers
        self.max_steps = max_steps

    def build(self, input_shape):
        if input_shape[1] is None or input_shape[2] is None:
            raise ValueError(f"Frames and bins must be known. Received: input_shape={tuple(input_shape)}")
        units = input_shape[-1]
        options = {"initializer": _uniform(units), "dtype": "float32", "autocast": False}
        self.kernels, self.readers, self.biases = [], [], []
        for number in range(self.layers):
            inputs = units if number == 0 else 2 * units
            add = self.add_weight
            # The first axis is the direction; gates are input, forget, cell and output.
            self.kernels.append(add(name=f"kernel_{number}", shape=(2, inputs, 4 * units), **options))
            reader = keras.layers.RNN(_Cell(units), return_sequences=True, name=f"reader_{number}", dtype="float32")
            reader.build((None, input_shape[1], 8 * units))
            self.readers.append(reader)
            self.biases.append(
                [
                    add(name=f"bias_{number}", shape=(2, 4 * units), **options),
                    add(name=f"recurrent_bias_{number}", shape=(2, 4 * units), **options),
                ]
            )
        options["initializer"] = _uniform(2 * units)
        self.dense_kernel = self.add_weight(name="dense_kernel", shape=(2 * units, units), **options)
        self.dense_bias = self.add_weight(name="dense_bias", shape=(units,), **options)

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        frames, bins, channels = x.shape[1:]
        rows = ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (-1, frames, channels))
        if self.max_steps is None or frames <= self.max_steps:
            y = self._read(rows)
        else:
            y = self._read_in_stretches(rows)
        y = ops.transpose(ops.reshape(y, (-1, bins, frames, channels)), (0, 2, 1, 3))
        return ops.cast(x + y, self.compute_dtype)

    def _read_in_stretches(self, x):
        """As `_read`, for more frames than a stretch has."""
        frames, channels = x.shape[1:]
        assert self.max_steps is not None
        width, stride = self.max_steps, self.max_steps // 2
        count = -(-frames // stride)
        x = ops.pad(x, [[0, 0], [0, (count - 1) * stride + width - frames], [0, 0]])
        stretches = ops.stack([x[:, n * stride : n * stride + width] for n in range(count)], axis=1)
        read = ops.reshape(self._read(ops.reshape(stretches, (-1, width, channels))), (-1, count, width, channels))
        edge = stride // 2
        parts = [read[:, n, edge if n else 0 : width - edge if n < count - 1 else width] for n in range(count)]
        return ops.concatenate(parts, axis=1)[:, :frames]

    def _read(self, x):
        """What the LSTMs and the dense layer make of rows `(rows, frames, channels)`."""
        for kernel, reader, biases in zip(self.kernels, self.readers, self.biases, strict=True):
            x = _both_directions(x, kernel, biases[0] + biases[1], reader)
        return ops.matmul(x, self.dense_kernel) + self.dense_bias

    def compute_output_shape(self, input_shape):
        return input_shape

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "layers": self.layers, "max_steps": self.max_steps}


def _both_directions(x, kernel, bias, reader):
    """Outputs `(rows, frames, 2 * units)`: forwards, then backwards. Both directions take their steps at once."""
    frames, inputs, width = x.shape[1], x.shape[2], kernel.shape[2]
    both = ops.reshape(ops.stack([x, ops.flip(x, axis=1)], axis=0), (2, -1, inputs))
    gates = ops.reshape(ops.matmul(both, kernel) + bias[:, None], (2, -1, frames, width))
    states = reader(ops.reshape(ops.transpose(gates, (1, 2, 0, 3)), (-1, frames, 2 * width)))
    forwards, backwards = ops.split(states, 2, axis=-1)
    return ops.concatenate([forwards, ops.flip(backwards, axis=1)], axis=-1)


class _Cell(keras.Layer):
    """A step of two LSTMs, of which each has its own half of the gates, of the hidden and of the cell state."""

    def __init__(self, units: int):
        super().__init__(dtype="float32")
        self.units = units
        self.state_size = [2 * units, 2 * units]
        self.output_size = 2 * units

    def build(self, input_shape):
        shape = (2, self.units, 4 * self.units)
        self.recurrent_kernel = self.add_weight(name="recurrent_kernel", shape=shape, initializer=_uniform(self.units))

    def call(self, inputs, states):
        hidden, cell = (ops.reshape(state, (-1, 2, self.units)) for state in states)
        recurrent = ops.matmul(ops.transpose(hidden, (1, 0, 2)), self.recurrent_kernel)
        gates = ops.reshape(inputs, (-1, 2, 4 * self.units)) + ops.transpose(recurrent, (1, 0, 2))
        enter, forget, value, leave = ops.split(gates, 4, axis=-1)
        cell = ops.sigmoid(forget) * cell + ops.sigmoid(enter) * ops.tanh(value)
        hidden = ops.reshape(ops.sigmoid(leave) * ops.tanh(cell), (-1, 2 * self.units))
        return hidden, [hidden, ops.reshape(cell, (-1, 2 * self.units))]


def _uniform(units: int) -> keras.initializers.Initializer:
    """As PyTorch draws an LSTM's and a dense layer's weights."""
    return keras.initializers.RandomUniform(-(units**-0.5), units**-0.5)
