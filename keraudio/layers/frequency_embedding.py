"""A learned vector for each bin, added to what convolutions along frequency give (Défossez 2021, section 3.1)."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keraudio")
class FrequencyEmbedding(keras.layers.Layer):
    """Adds a vector to each bin, so that a convolution along frequency may tell high from low (Isik et al. 2020).

    Weights begin as sums of normal numbers over the bins, divided by the root of how many they are: neighbours are
    alike. They are kept divided by `boost` and multiplied by it, which makes their learning rate as much greater.

    Args:
        scale: what the vectors are multiplied by. Defaults to 0.2.
        boost: see above. Defaults to 10.

    Input shape:
        `(batch, frames, bins, channels)`.

    Output shape:
        As the input.

    Example:
        >>> import numpy as np
        >>> FrequencyEmbedding()(np.zeros((2, 30, 5, 8), "float32")).shape
        (2, 30, 5, 8)
    """

    def __init__(self, scale: float = 0.2, *, boost: float = 10.0, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale
        self.boost = boost

    def build(self, input_shape):
        bins, channels = input_shape[2:]

        def smooth(shape, dtype=None):
            walk = ops.cumsum(keras.random.normal(shape, dtype="float32"), axis=0)
            steps = ops.reshape(ops.arange(1, bins + 1, dtype="float32"), (-1, 1))
            return ops.cast(walk / ops.sqrt(steps) / self.boost, dtype)

        self.embedding = self.add_weight(name="embedding", shape=(bins, channels), initializer=smooth)

    def call(self, inputs):
        return inputs + self.embedding * (self.scale * self.boost)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "scale": self.scale, "boost": self.boost}
