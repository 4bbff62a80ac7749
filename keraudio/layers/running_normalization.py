"""Normalization by a mean and variance gathered while training."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keraudio")
class RunningNormalization(keras.layers.Layer):
    """Brings features to mean 0 and deviation 1 over the training data, gathered batch by batch while training.

    Training and inference subtract and divide by the same running statistics, so at inference no example depends on
    another. A training batch enters them first and is normalized after; gradients do not pass through them. A layer
    that was never trained gives what it takes. With `trainable` off the statistics stay as they are.

    The first values count alike, wherever their batches end: for `1 / (1 - momentum)` batches of one size the
    statistics are those of all values so far. Computed in float32; the result follows the dtype policy.

    Args:
        momentum: float in [0, 1], the least share of the statistics that is kept when a batch enters; 1 counts all
            values alike for ever. Defaults to 0.99.
        epsilon: float > 0, the least variance that is divided by: a bin that hardly moved in training must not be
            blown up at inference. Defaults to 1e-3.
        axis: `"bins"`, a mean and variance for each bin (and channel), or `"all"`, one of each. Defaults to `"bins"`.

    Raises:
        ValueError: an argument is out of its range, or each bin is asked for where the input has none.

    Input shape:
        `(batch, frames, bins)` or `(batch, frames, bins, channels)`; with `"all"` a waveform `(batch, samples)`, too.

    Output shape:
        As the input.

    Example:
        >>> import numpy as np
        >>> RunningNormalization()(np.array([[[1.0], [3.0]]]), training=True).tolist()
        [[[-1.0], [1.0]]]
    """

    def __init__(self, momentum: float = 0.99, *, epsilon: float = 1e-3, axis: str = "bins", **kwargs):
        super().__init__(autocast=False, **kwargs)
        if not 0 <= momentum <= 1:
            raise ValueError(f"`momentum` must be between 0 and 1. Received: momentum={momentum}")
        if epsilon <= 0:
            raise ValueError(f"`epsilon` must be positive. Received: epsilon={epsilon}")
        if axis not in ("bins", "all"):
            raise ValueError(f"`axis` must be 'bins' or 'all'. Received: axis={axis!r}")
        self.momentum = momentum
        self.epsilon = epsilon
        self.axis = axis

    def build(self, input_shape):
        if self.axis == "bins" and len(input_shape) < 3:
            raise ValueError(f"The input must have bins. Received: input_shape={tuple(input_shape)}")
        shape = tuple(input_shape[2:]) if self.axis == "bins" else ()
        options = {"dtype": "float32", "autocast": False, "trainable": False}
        self.mean = self.add_weight(name="mean", shape=shape, initializer="zeros", **options)
        self.variance = self.add_weight(name="variance", shape=shape, initializer="ones", **options)
        self.count = self.add_weight(name="count", shape=(), initializer="zeros", **options)

    def call(self, inputs, training=False):
        x = ops.cast(inputs, "float32")
        if training and self.trainable:
            mean, variance = self._take_in(ops.stop_gradient(x))
        else:
            mean, variance = ops.convert_to_tensor(self.mean), ops.convert_to_tensor(self.variance)
        x = (x - mean) * ops.rsqrt(ops.maximum(variance, self.epsilon))
        return ops.cast(x, self.compute_dtype)

    def _take_in(self, x):
        """Adds a batch to the statistics and returns them."""
        axes = (0, 1) if self.axis == "bins" else tuple(range(len(x.shape)))
        values = ops.cast(ops.size(x), "float32") / math.prod(self.mean.shape)
        count = self.count + values
        share = ops.maximum(values / count, 1.0 - self.momentum)
        # Relative to the running mean, decibels far from 0 keep their digits.
        x = x - self.mean
        step = ops.mean(x, axis=axes)
        batch_variance = ops.mean(ops.square(x - step), axis=axes)
        mean = self.mean + share * step
        # The variance of two sets together: their own, and that of their means.
        variance = (1.0 - share) * (self.variance + share * ops.square(step)) + share * batch_variance
        self.mean.assign(mean)
        self.variance.assign(variance)
        self.count.assign(count)
        return mean, variance

    def compute_output_spec(self, inputs, training=False):
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "axis": self.axis,
        }
