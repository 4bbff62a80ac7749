"""Random delay: an echo, or a later beginning."""

import keras
import numpy as np
from keras import ops

from keraudio.layers.waveform_augmentation import WaveformAugmentation


@keras.saving.register_keras_serializable(package="keraudio")
class RandomDelay(WaveformAugmentation):
    """Mixes each waveform with a delayed, attenuated copy of itself, while training.

    The result is `(1 - mix) * x[n] + mix * decay * x[n - delay]`, with zeros before the beginning; what the delay moves
    beyond the end is lost. Each example draws its own delay, every one of those allowed being equally likely.

    The defaults are adaptive STFT's augmentation, an echo averaged with the waveform. `mix=1.0, decay=1.0, step=None`
    delays the waveform itself: leading zeros, as Piczak (2015) augments ESC-50 by up to 22,049 samples.

    Args:
        sample_rate: float > 0, sample rate of the waveform in Hz.
        min_delay: shortest delay in seconds. Defaults to 0.2.
        max_delay: longest delay in seconds, included. Defaults to 0.45.
        step: seconds between successive allowed delays, counted from `min_delay`, or None for any whole sample.
            Defaults to 0.05.
        decay: factor of the copy, 0 to 1. Defaults to 0.5.
        mix: share of the copy in the result, 0 to 1: 0.5 is the average, 1 the copy alone. Defaults to 0.5.
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
        >>> RandomDelay(8000, seed=1)(np.ones((2, 8000), "float32"), training=True).shape
        (2, 8000)
    """

    def __init__(
        self,
        sample_rate: float,
        min_delay: float = 0.2,
        max_delay: float = 0.45,
        *,
        step: float | None = 0.05,
        decay: float = 0.5,
        mix: float = 0.5,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if sample_rate <= 0:
            raise ValueError(f"`sample_rate` must be positive. Received: sample_rate={sample_rate}")
        if not 0 <= min_delay <= max_delay:
            raise ValueError(
                "`min_delay` and `max_delay` must satisfy 0 <= min_delay <= max_delay. "
                f"Received: min_delay={min_delay}, max_delay={max_delay}"
            )
        if step is not None and step <= 0:
            raise ValueError(f"`step` must be positive or None. Received: step={step}")
        for name, share in {"decay": decay, "mix": mix}.items():
            if not 0 <= share <= 1:
                raise ValueError(f"`{name}` must be between 0 and 1. Received: {name}={share}")
        self.sample_rate = sample_rate
        self.min_delay = min_delay
        self.max_delay = max_delay
        self.step = step
        self.decay = decay
        self.mix = mix

    def delays(self) -> np.ndarray:
        """The allowed delays in samples, int32."""
        step = 1 / self.sample_rate if self.step is None else self.step
        # A range that is a whole number of steps must not lose the last one to rounding: 0.25 / 0.05 is below 5.
        count = 1 + int((self.max_delay - self.min_delay) / step + 1e-6)
        return np.round((self.min_delay + step * np.arange(count)) * self.sample_rate).astype("int32")

    def augment(self, waveforms):
        delays = self.delays()
        choice = ops.cast(ops.floor(self.uniform(waveforms, 0.0, float(len(delays)))), "int32")
        # A float32 just below the number of choices may round up to it.
        delay = ops.take(ops.convert_to_tensor(delays), ops.minimum(choice, len(delays) - 1))
        positions = ops.arange(ops.shape(waveforms)[1], dtype="int32")
        source = ops.reshape(positions, (1, -1, *[1] * (len(waveforms.shape) - 2))) - delay
        copy = ops.take_along_axis(waveforms, ops.maximum(source, 0), axis=1)
        return (1.0 - self.mix) * waveforms + self.mix * self.decay * ops.where(source >= 0, copy, 0.0)

    def get_config(self):
        return {
            **super().get_config(),
            "sample_rate": self.sample_rate,
            "min_delay": self.min_delay,
            "max_delay": self.max_delay,
            "step": self.step,
            "decay": self.decay,
            "mix": self.mix,
        }
