"""A waveform folded into rows."""

import keras
from keras import ops

from keraudio.layers.framing import frame_signal


@keras.saving.register_keras_serializable(package="keraudio")
class WaveformRows(keras.layers.Layer):
    """Successive stretches of a waveform as the rows of a picture, the last filled with zeros. Always float32.

    Args:
        row: int >= 1, samples of a row.

    Raises:
        ValueError: `row` is out of its range.

    Input shape:
        `(batch, samples)`.

    Output shape:
        `(batch, ceil(samples / row), row, 1)`.

    Example:
        >>> import numpy as np
        >>> WaveformRows(200)(np.zeros((1, 661600), "float32")).shape
        (1, 3308, 200, 1)
    """

    def __init__(self, row: int, **kwargs):
        super().__init__(autocast=False, **kwargs)
        if row < 1:
            raise ValueError(f"`row` must be at least 1. Received: row={row}")
        self.row = row

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        samples = x.shape[1] if x.shape[1] is not None else ops.shape(x)[1]
        return frame_signal(x, self.row, self.row, (samples + self.row - 1) // self.row)[..., None]

    def compute_output_shape(self, input_shape):
        samples = input_shape[1]
        return (input_shape[0], None if samples is None else -(-samples // self.row), self.row, 1)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype="float32")

    def get_config(self):
        return {**super().get_config(), "row": self.row}
