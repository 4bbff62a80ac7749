"""Random shift in time."""

import keras
from keras import ops

from keraudio.layers.waveform_augmentation import WaveformAugmentation


@keras.saving.register_keras_serializable(package="keraudio")
class RandomShift(WaveformAugmentation):
    """Rotates each waveform in time by a random share of its length, what leaves at one end coming in at the other.

    Args:
        max_fraction: largest shift either way, as a share of the waveform, 0 to 0.5. Defaults to 0.5: any rotation.
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
        >>> RandomShift(seed=1)(np.ones((2, 8), "float32"), training=True).shape
        (2, 8)
    """

    def __init__(self, max_fraction: float = 0.5, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= max_fraction <= 0.5:
            raise ValueError(f"`max_fraction` must be between 0 and 0.5. Received: max_fraction={max_fraction}")
        self.max_fraction = max_fraction

    def augment(self, waveforms):
        samples = ops.shape(waveforms)[1]
        share = self.uniform(waveforms, -self.max_fraction, self.max_fraction)
        shift = ops.cast(ops.floor(share * ops.cast(samples, "float32")), "int32")
        positions = ops.reshape(ops.arange(samples, dtype="int32"), (1, -1, *[1] * (len(waveforms.shape) - 2)))
        return ops.take_along_axis(waveforms, ops.mod(positions - shift, samples), axis=1)

    def get_config(self):
        return {**super().get_config(), "max_fraction": self.max_fraction}
