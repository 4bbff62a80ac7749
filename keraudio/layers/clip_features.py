"""A clip's features: those of several windows of it, joined."""

import keras
import numpy as np
from keras import ops

REDUCTIONS = ("mean", "max")


@keras.saving.register_keras_serializable(package="keraudio")
class ClipFeatures(keras.layers.Layer):
    """Applies a model to windows that are spread evenly over a clip, and takes their mean or maximum.

    The first window begins where the clip does, the last one ends where it ends, and between them they lie at equal
    distances, as few as cover the clip (Lee et al. 2018, section 4.1: the network is slid over a song, and what it
    gives is summarized). Windows of zeros alone, such as those with which a short clip is filled up, do not count,
    unless all are.

    Args:
        model: a functional model from `(batch, window)` to `(batch, features)`, `window` known.
        reduction: `"mean"` or `"max"` over the windows. Defaults to `"mean"`.

    Raises:
        ValueError: an argument is out of its range, or the clip is shorter than a window.

    Input shape:
        `(batch, samples)`, `samples` known and at least a window.

    Output shape:
        `(batch, features)`.

    Example:
        >>> import numpy as np
        >>> from keraudio.frontends import log_mel
        >>> front_end = log_mel(8000, n_mels=16, samples=8000)
        >>> loudness = keras.layers.GlobalAveragePooling1D()(front_end.output)
        >>> layer = ClipFeatures(keras.Model(front_end.input, loudness))
        >>> layer(np.zeros((2, 20000), "float32")).shape
        (2, 16)
    """

    def __init__(self, model: keras.Model | dict, *, reduction: str = "mean", **kwargs):
        super().__init__(**kwargs)
        if reduction not in REDUCTIONS:
            raise ValueError(f"`reduction` must be 'mean' or 'max'. Received: reduction={reduction!r}")
        self.model = keras.saving.deserialize_keras_object(model) if isinstance(model, dict) else model
        shapes = self.model.input_shape, self.model.output_shape
        if any(len(shape) != 2 or shape[1] is None for shape in shapes):
            raise ValueError(
                "`model` must go from (batch, window) to (batch, features), both known. "
                f"Received: {shapes[0]} to {shapes[1]}"
            )
        self.reduction = reduction

    def build(self, input_shape):
        samples, window = input_shape[1], self.model.input_shape[1]
        if samples is None or samples < window:
            raise ValueError(f"The clip must have at least {window} samples. Received: {tuple(input_shape)}")
        self.starts = window_places(samples, window)

    def call(self, inputs, training=False):
        window = self.model.input_shape[1]
        windows = ops.stack([inputs[:, start : start + window] for start in self.starts], axis=1)
        # A frozen model keeps its dropout off, too.
        training = training and self.model.trainable
        features = self.model(ops.reshape(windows, (-1, window)), training=training)
        features = ops.reshape(features, (-1, len(self.starts), features.shape[-1]))
        sounds = ops.any(windows != 0, axis=-1, keepdims=True)
        counts = ops.logical_or(sounds, ops.logical_not(ops.any(sounds, axis=1, keepdims=True)))
        if self.reduction == "max":
            return ops.max(ops.where(counts, features, -np.inf), axis=1)
        shares = ops.cast(counts, features.dtype)
        return ops.sum(features * shares, axis=1) / ops.sum(shares, axis=1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.model.output_shape[1])

    def get_config(self):
        return {
            **super().get_config(),
            "model": keras.saving.serialize_keras_object(self.model),
            "reduction": self.reduction,
        }


def window_places(samples: int, window: int) -> list[int]:
    """Where the windows of a clip of `samples` begin, as few as cover it."""
    count = -(-samples // window)
    return [int(place) for place in np.linspace(0, samples - window, count).round()]
