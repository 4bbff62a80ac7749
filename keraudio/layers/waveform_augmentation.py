"""What the random changes of waveforms share: a probability, a seed, and rest at inference."""

import keras
from keras import ops


class WaveformAugmentation(keras.layers.Layer):
    """Base of the layers that change each waveform of a batch by chance while training, and nothing at inference.

    A subclass gives `augment(waveforms)`, the changed waveforms; each example takes its own with `probability`.

    Args:
        probability: share of the examples that are changed, 0 to 1. Defaults to 1.
        seed: int, makes the sequence of changes repeatable. Defaults to None, a fresh one.

    Raises:
        ValueError: `probability` is out of its range.

    Input shape:
        `(batch, samples)` or `(batch, samples, channels)`.

    Output shape:
        As the input, float32.
    """

    def __init__(self, *, probability: float = 1.0, seed: int | None = None, **kwargs):
        super().__init__(autocast=False, **kwargs)
        if not 0 <= probability <= 1:
            raise ValueError(f"`probability` must be between 0 and 1. Received: probability={probability}")
        self.probability = probability
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def augment(self, waveforms):
        raise NotImplementedError

    def uniform(self, waveforms, low: float, high: float):
        """One number an example, uniform in [low, high), shaped to multiply `waveforms`."""
        shape = (ops.shape(waveforms)[0], *[1] * (len(waveforms.shape) - 1))
        return keras.random.uniform(shape, low, high, dtype="float32", seed=self.seed_generator)

    def call(self, inputs, training=False):
        x = ops.cast(inputs, "float32")
        if not training or self.probability == 0:
            return x
        changed = self.augment(x)
        if self.probability == 1:
            return changed
        return ops.where(self.uniform(x, 0.0, 1.0) < self.probability, changed, x)

    def compute_output_shape(self, input_shape):
        return input_shape

    def compute_output_spec(self, inputs, training=False):
        return keras.KerasTensor(inputs.shape, dtype="float32")

    def get_config(self):
        return {**super().get_config(), "probability": self.probability, "seed": self.seed}
