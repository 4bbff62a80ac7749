"""Complex spectra of separated sources as one picture (Bu et al., GAFX, section 3.1.1)."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keraudio")
class SourceMagnitudes(keras.layers.Layer):
    """Magnitude of the channels' mean, mean of neighbouring bins, and the sources stacked. Float32 whatever the policy.

    Args:
        sources: int >= 1, how many.
        bands: int >= 1 that divides the bins.
        stack: `"frames"`, source behind source in time, or `"channels"`. Defaults to `"frames"`.

    Raises:
        ValueError: an argument is out of its range, or does not divide what it should.

    Input shape:
        `(batch, frames, bins, sources * channels * 2)`: of each source, of each channel, real and imaginary part.

    Output shape:
        `(batch, sources * frames, bands)`, or `(batch, frames, bands, sources)`.

    Example:
        >>> import numpy as np
        >>> SourceMagnitudes(4, 128)(np.zeros((1, 469, 2048, 16), "float32")).shape
        (1, 1876, 128)
    """

    def __init__(self, sources: int, bands: int, *, stack: str = "frames", **kwargs):
        super().__init__(autocast=False, **kwargs)
        if sources < 1 or bands < 1:
            raise ValueError(f"`sources` and `bands` must be at least 1. Received: {sources} and {bands}")
        if stack not in ("frames", "channels"):
            raise ValueError(f"`stack` must be 'frames' or 'channels'. Received: stack={stack!r}")
        self.sources = sources
        self.bands = bands
        self.stack = stack

    def build(self, input_shape):
        bins, channels = input_shape[2:]
        if bins % self.bands or channels % (2 * self.sources):
            raise ValueError(
                "`bands` must divide the bins, and twice the sources the channels. "
                f"Received: bands={self.bands} of {bins} bins, sources={self.sources} of {channels} channels"
            )

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        frames, bins, channels = x.shape[1:]
        parts = ops.reshape(x, (-1, frames, bins, self.sources, channels // (2 * self.sources), 2))
        square = ops.sum(ops.square(ops.mean(parts, axis=4)), axis=-1)
        # The root's slope at 0 is infinite.
        magnitude = ops.sqrt(ops.maximum(square, 1e-20))
        x = ops.mean(ops.reshape(magnitude, (-1, frames, self.bands, bins // self.bands, self.sources)), axis=3)
        if self.stack == "channels":
            return x
        return ops.reshape(ops.transpose(x, (0, 3, 1, 2)), (-1, self.sources * frames, self.bands))

    def compute_output_shape(self, input_shape):
        batch, frames = input_shape[:2]
        if self.stack == "channels":
            return (batch, frames, self.bands, self.sources)
        return (batch, self.sources * frames, self.bands)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype="float32")

    def get_config(self):
        return {**super().get_config(), "sources": self.sources, "bands": self.bands, "stack": self.stack}
