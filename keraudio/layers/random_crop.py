"""Random crop in time."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keraudio")
class RandomCrop(keras.layers.Layer):
    """Takes a random stretch of each waveform while training; at inference the whole waveform passes.

    Every place where the stretch fits is equally likely, and each example draws its own. A waveform shorter than
    `length` is padded with zeros at its end, while training. There is no probability: a batch has one length.

    Args:
        length: int > 0, samples of the stretch.
        seed: int, makes the sequence of places repeatable. Defaults to None, a fresh one.

    Raises:
        ValueError: an argument is out of its range.

    Input shape:
        `(batch, samples)` or `(batch, samples, channels)`.

    Output shape:
        `(batch, length)` or `(batch, length, channels)` while training, as the input at inference, float32. What the
        layer foretells serves both: None samples, or `length` where the input has as many.

    Example:
        >>> import numpy as np
        >>> layer = RandomCrop(8, seed=1)
        >>> layer(np.ones((2, 20), "float32"), training=True).shape
        (2, 8)
        >>> layer(np.ones((2, 20), "float32")).shape
        (2, 20)
    """

    def __init__(self, length: int, *, seed: int | None = None, **kwargs):
        super().__init__(autocast=False, **kwargs)
        if length < 1:
            raise ValueError(f"`length` must be at least 1. Received: length={length}")
        self.length = length
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs, training=False):
        x = ops.cast(inputs, "float32")
        if not training:
            return x
        batch, samples = ops.shape(x)[0], ops.shape(x)[1]
        single = [1] * (len(x.shape) - 2)
        places = ops.maximum(samples - self.length, 0) + 1
        chance = keras.random.uniform((batch, 1, *single), dtype="float32", seed=self.seed_generator)
        start = ops.cast(ops.floor(chance * ops.cast(places, "float32")), "int32")
        # A float32 just below the number of places may round up to it.
        start = ops.minimum(start, places - 1)
        position = start + ops.reshape(ops.arange(self.length, dtype="int32"), (1, -1, *single))
        stretch = ops.take_along_axis(x, ops.minimum(position, samples - 1), axis=1)
        return ops.where(position < samples, stretch, 0.0)

    def compute_output_shape(self, input_shape):
        samples = self.length if input_shape[1] == self.length else None
        return (input_shape[0], samples, *input_shape[2:])

    def compute_output_spec(self, inputs, training=False):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype="float32")

    def get_config(self):
        return {**super().get_config(), "length": self.length, "seed": self.seed}
