"""Bidirectional LSTM over overlapping stretches, as Hybrid Demucs has it (Défossez 2021, section 3.3)."""

import keras
from keras import ops

from keraudio.layers.cutting import cut, pad_axis
from keraudio.layers.own_gradient import own_gradient

_STEPS_A_TURN = 8


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
        self.kernels, self.recurrent_kernels, self.biases = [], [], []
        for number in range(self.layers):
            inputs = units if number == 0 else 2 * units
            add = self.add_weight
            # The first axis is the direction; gates are input, forget, cell and output.
            self.kernels.append(add(name=f"kernel_{number}", shape=(2, inputs, 4 * units), **options))
            recurrent = add(name=f"recurrent_kernel_{number}", shape=(2, units, 4 * units), **options)
            self.recurrent_kernels.append(recurrent)
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
        rows = ops.reshape(ops.transpose(x, (1, 0, 2, 3)), (frames, -1, channels))
        if self.max_steps is None or frames <= self.max_steps:
            y = self._read(rows)
        else:
            y = self._read_in_stretches(rows)
        y = ops.transpose(ops.reshape(y, (frames, -1, bins, channels)), (1, 0, 2, 3))
        return ops.cast(x + y, self.compute_dtype)

    def _read_in_stretches(self, x):
        """As `_read`, for more frames than a stretch has."""
        frames, channels = x.shape[0], x.shape[2]
        assert self.max_steps is not None
        width, stride = self.max_steps, self.max_steps // 2
        count = -(-frames // stride)
        x = pad_axis(x, 0, 0, (count - 1) * stride + width - frames)
        stretches = ops.stack([x[n * stride : n * stride + width] for n in range(count)], axis=1)
        read = ops.reshape(self._read(ops.reshape(stretches, (width, -1, channels))), (width, count, -1, channels))
        edge = stride // 2
        parts = [read[edge if n else 0 : width - edge if n < count - 1 else width, n] for n in range(count)]
        return ops.concatenate(parts, axis=0)[:frames]

    def _read(self, x):
        """What the LSTMs and the dense layer make of `(frames, rows, channels)`."""
        for kernel, recurrent, biases in zip(self.kernels, self.recurrent_kernels, self.biases, strict=True):
            frames, inputs = x.shape[0], x.shape[2]
            both = ops.reshape(ops.stack([x, ops.flip(x, axis=0)]), (2, -1, inputs))
            gates = ops.matmul(both, kernel) + ops.expand_dims(biases[0] + biases[1], 1)
            gates = ops.reshape(gates, (2, frames, -1, kernel.shape[2]))
            forwards, backwards = ops.unstack(_lstm(gates, recurrent), 2)
            x = ops.concatenate([forwards, ops.flip(backwards, axis=0)], axis=-1)
        return ops.matmul(x, self.dense_kernel) + self.dense_bias

    def compute_output_shape(self, input_shape):
        return input_shape

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "layers": self.layers, "max_steps": self.max_steps}


@own_gradient
def _lstm(gates, kernel):
    """Hidden states of both directions, which take their steps at once.

    The gradient of the recurrent kernel is one product over all frames. Left to the backends it would be a sum of
    matrices that each step adds to, which took a tenth of a training step of Hybrid Demucs on TensorFlow.

    Args:
        gates: `(2, frames, rows, 4 * units)`, what input and biases give.
        kernel: `(2, units, 4 * units)`.

    Returns:
        `(2, frames, rows, units)`.
    """
    units, width = kernel.shape[1:]

    def step(gates, hidden, cell):
        enter, forget, value, leave = _activated(gates + ops.matmul(hidden, kernel))
        cell = forget * cell + enter * value
        hidden = leave * ops.tanh(cell)
        return ops.concatenate([hidden, cell], axis=-1), (hidden, cell)

    hidden, cell = ops.split(_steps(step, gates, units), 2, axis=-1)

    def gradient(slopes):
        earlier_hidden, earlier_cell = _earlier(hidden), _earlier(cell)
        rows = ops.reshape(earlier_hidden, (2, -1, units))
        recurrent = ops.reshape(ops.matmul(rows, kernel), (2, gates.shape[1], -1, width))
        enter, forget, value, leave = _activated(gates + recurrent)
        out = ops.tanh(cell)
        # Of the cell state along the output, and of both along the four gates.
        of_cell = leave * (1 - out * out)
        of_gates = [value * enter * (1 - enter), earlier_cell * forget * (1 - forget)]
        of_gates += [enter * (1 - value * value), out * leave * (1 - leave)]
        turned = ops.transpose(kernel, (0, 2, 1))

        def step_back(known, later_hidden, later_cell):
            slopes, of_cell, of_gates, forget = ops.split(known, [units, 2 * units, 6 * units], axis=-1)
            of_hidden = slopes + later_hidden
            of_cell = of_hidden * of_cell + later_cell
            gates = ops.concatenate([of_cell, of_cell, of_cell, of_hidden], axis=-1) * of_gates
            return gates, (ops.matmul(gates, turned), of_cell * forget)

        known = ops.concatenate([slopes, of_cell, *of_gates, forget], axis=-1)
        slopes = _steps(step_back, known, units, backwards=True)
        return slopes, ops.matmul(ops.transpose(rows, (0, 2, 1)), ops.reshape(slopes, (2, -1, width)))

    return hidden, gradient


def _steps(step, inputs, units: int, *, backwards: bool = False):
    """What a step gives at each frame of `(2, frames, rows, width)`; its two states begin with zeros.

    Several steps are one turn of the loop, which saves up to a tenth of its time on TensorFlow.
    """
    frames, width = inputs.shape[1], inputs.shape[3]
    steps = min(_STEPS_A_TURN, frames)
    turns = -(-frames // steps)
    start = ops.zeros_like(inputs[:, 0, :, :units])
    inputs = pad_axis(inputs, 1, 0, turns * steps - frames)
    # For the loop the two directions are its batch.
    loop = keras.layers.RNN(
        _Turn(step, units, backwards), return_sequences=True, go_backwards=backwards, dtype="float32"
    )
    outputs = loop(ops.reshape(inputs, (2, turns, steps, -1, width)), initial_state=[start, start])
    outputs = ops.flip(outputs, axis=1) if backwards else outputs
    return cut(ops.reshape(outputs, (2, turns * steps, -1, outputs.shape[-1])), 1, 0, frames)


class _Turn(keras.Layer):
    """Some steps behind one another, or from the last one on: a cell of Keras' loop."""

    def __init__(self, step, units: int, backwards: bool):
        super().__init__(dtype="float32")
        self.step = step
        self.backwards = backwards
        self.state_size = [units, units]

    def call(self, inputs, states):
        frames, outputs = ops.unstack(inputs, axis=1), []
        for frame in reversed(frames) if self.backwards else frames:
            output, states = self.step(frame, *states)
            outputs.append(output)
        return ops.stack(outputs[::-1] if self.backwards else outputs, axis=1), list(states)


def _activated(gates):
    """Input, forget, cell and output gate."""
    enter, forget, value, leave = ops.split(gates, 4, axis=-1)
    return ops.sigmoid(enter), ops.sigmoid(forget), ops.tanh(value), ops.sigmoid(leave)


def _earlier(states):
    """The frame before each; zeros before the first."""
    return ops.concatenate([ops.zeros_like(states[:, :1]), states[:, :-1]], axis=1)


def _uniform(units: int) -> keras.initializers.Initializer:
    """As PyTorch draws an LSTM's and a dense layer's weights."""
    return keras.initializers.RandomUniform(-(units**-0.5), units**-0.5)
