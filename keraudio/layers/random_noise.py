"""Random white noise, relative to the waveform's own level."""

import keras
from keras import ops

from keraudio.layers.waveform_augmentation import WaveformAugmentation


@keras.saving.register_keras_serializable(package="keraudio")
class RandomNoise(WaveformAugmentation):
    """Adds Gaussian noise whose standard deviation is a random share of the waveform's own, while training.

    Args:
        min_ratio: lowest standard deviation of the noise over that of the waveform. Defaults to 0.001 (adaptive STFT's
            augmentation).
        max_ratio: highest such ratio. Defaults to 0.01.
        probability: share of the examples that are changed, 0 to 1. Defaults to 1.
        seed: int or None.

    Raises:
        ValueError: an argument is out of its range.

    Input shape:
        `(batch, samples)` or `(batch, samples, channels)`.

    Output shape:
        As the input, float32.

    Example:
        >>> import numpy as np
        >>> RandomNoise(seed=1)(np.ones((2, 8), "float32"), training=True).shape
        (2, 8)
    """

    def __init__(self, min_ratio: float = 0.001, max_ratio: float = 0.01, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= min_ratio <= max_ratio:
            raise ValueError(
                "`min_ratio` and `max_ratio` must satisfy 0 <= min_ratio <= max_ratio. "
                f"Received: min_ratio={min_ratio}, max_ratio={max_ratio}"
            )
        self.min_ratio = min_ratio
        self.max_ratio = max_ratio

    def augment(self, waveforms):
        level = ops.std(waveforms, axis=tuple(range(1, len(waveforms.shape))), keepdims=True)
        ratio = self.uniform(waveforms, self.min_ratio, self.max_ratio)
        noise = keras.random.normal(ops.shape(waveforms), dtype="float32", seed=self.seed_generator)
        # The level is a scale, not something to learn through; its slope at silence would be NaN.
        return waveforms + ops.stop_gradient(level * ratio) * noise

    def get_config(self):
        return {**super().get_config(), "min_ratio": self.min_ratio, "max_ratio": self.max_ratio}
