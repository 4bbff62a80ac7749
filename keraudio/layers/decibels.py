"""Decibels of a spectrogram, each example by itself."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keraudio")
class Decibels(keras.layers.Layer):
    """Decibels of a spectrogram, as `librosa.power_to_db` and `amplitude_to_db`, but per example of the batch.

    A clip's result never depends on its neighbours: both `ref="max"` and `top_db` look at one example. Computed in
    float32; the result follows the dtype policy.

    Args:
        power: exponent the input has: 2 for a power, 1 for a magnitude spectrogram. Defaults to 2.
        ref: float > 0 in the input's unit, the level of 0 dB, or `"max"`, each example's own maximum. Defaults to 1.
        amin: float > 0, power below which the input is taken as `amin`; as in librosa, a power even where
            the input is a magnitude (`1e-10` is a magnitude of `1e-5`). Defaults to 1e-10.
        top_db: range kept below each example's own maximum, in dB, or None for all. Defaults to 80.

    Raises:
        ValueError: an argument is out of its range.

    Input shape:
        `(batch, ...)`, values >= 0.

    Output shape:
        As the input.

    Example:
        >>> import numpy as np
        >>> Decibels()(np.array([[1.0, 0.1]])).shape
        (1, 2)
    """

    def __init__(
        self,
        power: float = 2.0,
        *,
        ref: float | str = 1.0,
        amin: float = 1e-10,
        top_db: float | None = 80.0,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        if power <= 0:
            raise ValueError(f"`power` must be positive. Received: power={power}")
        if (ref != "max") if isinstance(ref, str) else ref <= 0:
            raise ValueError(f"`ref` must be positive or 'max'. Received: ref={ref!r}")
        if amin <= 0:
            raise ValueError(f"`amin` must be positive. Received: amin={amin}")
        if top_db is not None and top_db < 0:
            raise ValueError(f"`top_db` must be at least 0 or None. Received: top_db={top_db}")
        self.power = power
        self.ref = ref
        self.amin = amin
        self.top_db = top_db

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        # The floor is taken in the input's own unit: squaring a magnitude first would underflow float32.
        x = ops.maximum(x, self.amin ** (self.power / 2))
        axes = tuple(range(1, len(x.shape)))
        levels = ops.log(x) * (20.0 / (self.power * math.log(10.0)))
        peak = ops.max(levels, axis=axes, keepdims=True)
        if self.ref == "max":
            levels, peak = levels - peak, ops.zeros_like(peak)
        elif not isinstance(self.ref, str) and self.ref != 1:
            reference = (20.0 / self.power) * math.log10(self.ref)
            levels, peak = levels - reference, peak - reference
        if self.top_db is not None:
            levels = ops.maximum(levels, peak - self.top_db)
        return ops.cast(levels, self.compute_dtype)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "power": self.power,
            "ref": self.ref,
            "amin": self.amin,
            "top_db": self.top_db,
        }
