"""Mixup of waveforms and their labels (Zhang et al. 2018)."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keraudio")
class Mixup(keras.layers.Layer):
    """Adds to each waveform another of the batch, and mixes their labels in the same proportion, while training.

    The partner of an example is its mirror in the batch, so the batch must come shuffled. The example's share is
    drawn from Beta(alpha, alpha) and the larger part is kept by the example itself.

    Args:
        alpha: float > 0, concentration of the Beta distribution; small values mix little. Defaults to 0.2.
        probability: share of the examples that are mixed, 0 to 1. Defaults to 1.
        seed: int, makes the sequence of shares repeatable. Defaults to None, a fresh one.

    Raises:
        ValueError: an argument is out of its range.

    Input shape:
        A dict: `"waveforms"` `(batch, samples)` or `(batch, samples, channels)`, `"labels"` `(batch, labels)`,
        one-hot or multi-hot.

    Output shape:
        A dict of the same shapes, float32.

    Example:
        >>> import numpy as np
        >>> batch = {"waveforms": np.ones((2, 8), "float32"), "labels": np.eye(2, dtype="float32")}
        >>> {name: value.shape for name, value in Mixup(seed=1)(batch, training=True).items()}
        {'waveforms': (2, 8), 'labels': (2, 2)}
    """

    def __init__(self, alpha: float = 0.2, *, probability: float = 1.0, seed: int | None = None, **kwargs):
        super().__init__(autocast=False, **kwargs)
        if alpha <= 0:
            raise ValueError(f"`alpha` must be positive. Received: alpha={alpha}")
        if not 0 <= probability <= 1:
            raise ValueError(f"`probability` must be between 0 and 1. Received: probability={probability}")
        self.alpha = alpha
        self.probability = probability
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs, training=False):
        waveforms = ops.cast(inputs["waveforms"], "float32")
        labels = ops.cast(inputs["labels"], "float32")
        if training:
            batch = ops.shape(waveforms)[0]
            share = self._larger_share(batch)
            if self.probability < 1:
                chance = keras.random.uniform((batch,), dtype="float32", seed=self.seed_generator)
                share = ops.where(chance < self.probability, share, 1.0)
            waveforms = mix_mirrored(waveforms, share)
            labels = mix_mirrored(labels, share)
        return {"waveforms": waveforms, "labels": labels}

    def _larger_share(self, batch):
        """The larger part of each of `batch` draws from Beta(alpha, alpha).

        From two uniform numbers (Devroye 1996, "Random variate generation in one line of code", the symmetric beta):
        TensorFlow's gamma, which `keras.random.beta` needs, does not compile under XLA and underflows for small alphas.
        """
        uniform = keras.random.uniform((2, batch), dtype="float32", seed=self.seed_generator)
        ratio = ops.expm1(-ops.log(uniform[0]) / self.alpha) * ops.square(ops.cos(2 * math.pi * uniform[1]))
        return 0.5 + 0.5 * ops.rsqrt(1.0 + 1.0 / ratio)

    def compute_output_shape(self, input_shape):
        return dict(input_shape)

    def compute_output_spec(self, inputs, training=False):
        return {name: keras.KerasTensor(value.shape, dtype="float32") for name, value in inputs.items()}

    def get_config(self):
        return {**super().get_config(), "alpha": self.alpha, "probability": self.probability, "seed": self.seed}


def mix_mirrored(x, share):
    """Each example `share` times, and for the rest its mirror in the batch; `share` is `(batch,)`."""
    share = ops.reshape(share, (-1, *[1] * (len(x.shape) - 1)))
    return share * x + (1.0 - share) * ops.flip(x, axis=0)
