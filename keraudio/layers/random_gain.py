"""Random loudness."""

import keras
from keras import ops

from keraudio.layers.waveform_augmentation import WaveformAugmentation


@keras.saving.register_keras_serializable(package="keraudio")
class RandomGain(WaveformAugmentation):
    """Multiplies each waveform by a gain drawn uniformly in dB, while training.

    Args:
        min_db: lowest gain in dB. Defaults to -20 (adaptive STFT's augmentation).
        max_db: highest gain in dB. Defaults to -1.
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
        >>> RandomGain(-6.0, 0.0, seed=1)(np.ones((2, 8), "float32"), training=True).shape
        (2, 8)
    """

    def __init__(self, min_db: float = -20.0, max_db: float = -1.0, **kwargs):
        super().__init__(**kwargs)
        if min_db > max_db:
            raise ValueError(f"`min_db` must not exceed `max_db`. Received: min_db={min_db}, max_db={max_db}")
        self.min_db = min_db
        self.max_db = max_db

    def augment(self, waveforms):
        return waveforms * ops.power(10.0, self.uniform(waveforms, self.min_db, self.max_db) / 20.0)

    def get_config(self):
        return {**super().get_config(), "min_db": self.min_db, "max_db": self.max_db}
