"""Between-class learning: two sounds mixed by what is heard of each (Tokozume, Ushiku & Harada 2018)."""

import keras
import numpy as np
from keras import ops

from keraudio.layers.mixup import mix_mirrored
from keraudio.layers.stft import STFT

# Of the power, 80 dB below that of a full scale which is 1.
_LEAST_POWER = 1e-8
_FRAME_SECONDS = 0.1


@keras.saving.register_keras_serializable(package="keraudio")
class BetweenClass(keras.layers.Layer):
    """Mixes each waveform with another of the batch, and their labels in the proportion in which they are heard.

    A ratio r is drawn for each pair from U(0, 1). With G the sound pressure level of a waveform in decibels - the
    greatest A-weighted power of its frames - the first part is `p = 1 / (1 + 10 ** ((G1 - G2) / 20) * (1 - r) / r)`,
    the mixture `(p x1 + (1 - p) x2) / sqrt(p ** 2 + (1 - p) ** 2)` and its labels `r t1 + (1 - r) t2` (equations 2 and
    3), so that of parts as loud as each other r is p. Only while training.

    The partner of an example is its mirror in the batch, so the batch must come shuffled. The paper pairs different
    classes; here pairs of one class are mixed too, and keep their label.

    Args:
        sample_rate: of the waveforms, in Hz.
        n_fft: samples of a frame. Defaults to the power of two nearest to 0.1 s, at least 256.
        probability: share of the examples that are mixed, 0 to 1. Defaults to 1.
        seed: int, makes the sequence of ratios repeatable. Defaults to None, a fresh one.

    Raises:
        ValueError: an argument is out of its range.

    Input shape:
        A dict: `"waveforms"` `(batch, samples)`, `"labels"` `(batch, labels)`, one-hot or multi-hot.

    Output shape:
        A dict of the same shapes, float32.

    Example:
        >>> batch = {"waveforms": np.ones((2, 800), "float32"), "labels": np.eye(2, dtype="float32")}
        >>> {name: value.shape for name, value in BetweenClass(8000, seed=1)(batch, training=True).items()}
        {'waveforms': (2, 800), 'labels': (2, 2)}
    """

    def __init__(
        self,
        sample_rate: int,
        *,
        n_fft: int | None = None,
        probability: float = 1.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        if sample_rate <= 0:
            raise ValueError(f"`sample_rate` must be positive. Received: sample_rate={sample_rate}")
        if not 0 <= probability <= 1:
            raise ValueError(f"`probability` must be between 0 and 1. Received: probability={probability}")
        if n_fft is None:
            n_fft = max(256, 2 ** round(np.log2(_FRAME_SECONDS * sample_rate)))
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.probability = probability
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.stft = STFT(n_fft, n_fft // 2, power=2.0, name="stft")
        self._weights_of_bins = _a_weights(sample_rate, n_fft)

    def build(self, input_shape):
        self.stft.build(input_shape["waveforms"])

    def level(self, waveforms):
        """Sound pressure levels `(batch,)` of waveforms `(batch, samples)`, in decibels."""
        power = ops.sum(self.stft(waveforms) * ops.convert_to_tensor(self._weights_of_bins), axis=-1)
        return 10.0 / np.log(10.0) * ops.log(ops.maximum(ops.max(power, axis=1), _LEAST_POWER))

    def call(self, inputs, training=False):
        waveforms = ops.cast(inputs["waveforms"], "float32")
        labels = ops.cast(inputs["labels"], "float32")
        if training:
            batch = ops.shape(waveforms)[0]
            # Away from 0 and 1, where one of the two would not be there at all.
            ratio = keras.random.uniform((batch,), 1e-3, 1 - 1e-3, dtype="float32", seed=self.seed_generator)
            level = self.level(ops.stop_gradient(waveforms))
            odds = ops.power(10.0, (level - ops.flip(level, axis=0)) / 20.0) * (1.0 - ratio) / ratio
            part = 1.0 / (1.0 + odds)
            mixed = mix_mirrored(waveforms, part) / ops.sqrt(ops.square(part) + ops.square(1.0 - part))[:, None]
            mixed_labels = mix_mirrored(labels, ratio)
            if self.probability < 1:
                chance = keras.random.uniform((batch,), dtype="float32", seed=self.seed_generator)[:, None]
                mixed = ops.where(chance < self.probability, mixed, waveforms)
                mixed_labels = ops.where(chance < self.probability, mixed_labels, labels)
            waveforms, labels = mixed, mixed_labels
        return {"waveforms": waveforms, "labels": labels}

    def compute_output_shape(self, input_shape):
        return dict(input_shape)

    def compute_output_spec(self, inputs, training=False):
        return {name: keras.KerasTensor(value.shape, dtype="float32") for name, value in inputs.items()}

    def get_config(self):
        return {
            **super().get_config(),
            "sample_rate": self.sample_rate,
            "n_fft": self.n_fft,
            "probability": self.probability,
            "seed": self.seed,
        }


def _a_weights(sample_rate: int, n_fft: int) -> np.ndarray:
    """Power of each bin as the ear weighs it (IEC 61672-1), 1 at 1 kHz, float32 `(bins,)`."""
    squared = np.square(np.arange(n_fft // 2 + 1) * sample_rate / n_fft)
    gain = 12194.0**2 * squared**2
    gain /= (squared + 20.6**2) * np.sqrt((squared + 107.7**2) * (squared + 737.9**2)) * (squared + 12194.0**2)
    return np.square(gain * 10 ** (2.0 / 20)).astype("float32")
