"""Masks over time and frequency (Park et al. 2019, SpecAugment, section 2)."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keraudio")
class SpecAugment(keras.layers.Layer):
    """Covers random stretches of frames and bands of bins with the example's mean, while training.

    Each mask's width is drawn uniformly from 0 to its bound, its place uniformly among those where it fits.

    Args:
        time_masks: int >= 0, masks over frames. Defaults to 2.
        time_width: widest time mask, as a share of the frames, 0 to 1. Defaults to 0.1.
        frequency_masks: int >= 0, masks over bins. Defaults to 2.
        frequency_width: widest frequency mask, as a share of the bins, 0 to 1. Defaults to 0.15.
        probability: share of the examples that are masked, 0 to 1. Defaults to 1.
        seed: int, makes the sequence of masks repeatable. Defaults to None, a fresh one.

    Raises:
        ValueError: an argument is out of its range.

    Input shape:
        `(batch, frames, bins)` or `(batch, frames, bins, channels)`.

    Output shape:
        As the input.

    Example:
        >>> import numpy as np
        >>> SpecAugment(seed=1)(np.ones((2, 50, 64), "float32"), training=True).shape
        (2, 50, 64)
    """

    def __init__(
        self,
        *,
        time_masks: int = 2,
        time_width: float = 0.1,
        frequency_masks: int = 2,
        frequency_width: float = 0.15,
        probability: float = 1.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        for name, value in (("time_masks", time_masks), ("frequency_masks", frequency_masks)):
            if value < 0:
                raise ValueError(f"`{name}` must be at least 0. Received: {name}={value}")
        shares = {"time_width": time_width, "frequency_width": frequency_width, "probability": probability}
        for name, share in shares.items():
            if not 0 <= share <= 1:
                raise ValueError(f"`{name}` must be between 0 and 1. Received: {name}={share}")
        self.time_masks = time_masks
        self.time_width = time_width
        self.frequency_masks = frequency_masks
        self.frequency_width = frequency_width
        self.probability = probability
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def _uniform(self, shape):
        return keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)

    def _covered(self, batch, length, masks: int, width: float):
        """Booleans `(batch, length)`, True under any of the masks."""
        size = ops.cast(length, "float32")
        widths = ops.floor(self._uniform((batch, masks)) * (width * size + 1.0))
        starts = ops.floor(self._uniform((batch, masks)) * (size - widths + 1.0))
        positions = ops.cast(ops.arange(length), "float32")[None, None, :]
        inside = ops.logical_and(positions >= starts[..., None], positions < (starts + widths)[..., None])
        return ops.any(inside, axis=1)

    def call(self, inputs, training=False):
        if not training or self.probability == 0 or self.time_masks + self.frequency_masks == 0:
            return inputs
        batch, frames, bins = ops.shape(inputs)[0], ops.shape(inputs)[1], ops.shape(inputs)[2]
        covered = ops.zeros((batch, 1, 1), dtype="bool")
        if self.time_masks:
            time = self._covered(batch, frames, self.time_masks, self.time_width)
            covered = ops.logical_or(covered, time[:, :, None])
        if self.frequency_masks:
            frequency = self._covered(batch, bins, self.frequency_masks, self.frequency_width)
            covered = ops.logical_or(covered, frequency[:, None, :])
        if self.probability < 1:
            covered = ops.logical_and(covered, self._uniform((batch, 1, 1)) < self.probability)
        if len(inputs.shape) == 4:
            covered = covered[..., None]
        fill = ops.mean(inputs, axis=(1, 2), keepdims=True)
        return ops.where(covered, fill, inputs)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "time_masks": self.time_masks,
            "time_width": self.time_width,
            "frequency_masks": self.frequency_masks,
            "frequency_width": self.frequency_width,
            "probability": self.probability,
            "seed": self.seed,
        }
