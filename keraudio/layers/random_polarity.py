"""Random polarity."""

import keras

from keraudio.layers.waveform_augmentation import WaveformAugmentation


@keras.saving.register_keras_serializable(package="keraudio")
class RandomPolarity(WaveformAugmentation):
    """Flips the sign of waveforms, all channels together, while training.

    Args:
        probability: share of the examples that are flipped, 0 to 1. Defaults to 0.5.
        seed: int or None.

    Raises:
        ValueError: an argument is out of its range.

    Input shape:
        `(batch, samples)` or `(batch, samples, channels)`.

    Output shape:
        As the input, float32.

    Example:
        >>> import numpy as np
        >>> RandomPolarity(seed=1)(np.ones((2, 8), "float32"), training=True).shape
        (2, 8)
    """

    def __init__(self, *, probability: float = 0.5, **kwargs):
        super().__init__(probability=probability, **kwargs)

    def augment(self, waveforms):
        return -waveforms
