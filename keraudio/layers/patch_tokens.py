"""Patches of a spectrogram as tokens with learned positions, behind a class and a distillation token."""

from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="keraudio")
class PatchTokens(keras.layers.Layer):
    """Embeds square patches, sets a class and a distillation token before them, and adds a learned position to each.

    The input layer of AST (Gong, Chung & Glass, "AST: Audio Spectrogram Transformer", 2021, section 2) and, where
    patches do not overlap, of DeiT. Frames and bins that fill no patch any more are left out. The patches of a frame
    stand next to each other, lowest bins first.

    Args:
        width: int > 0, numbers in a token.
        patch: int > 0, frames and bins that a patch covers. Defaults to 16.
        stride: int > 0, or `(frames, bins)`, from one patch to the next. Defaults to `patch`.
        dropout: share of the tokens' numbers that is dropped in training. Defaults to 0.
        initializer: of all weights but the bias. Defaults to None, a truncated normal distribution of deviation 0.02,
            as in DeiT's code.

    Raises:
        ValueError: an argument is out of its range, or the input is smaller than a patch or of unknown size.

    Input shape:
        `(batch, frames, bins, channels)`, frames and bins known.

    Output shape:
        `(batch, 2 + patches, width)`.

    Example:
        >>> import numpy as np
        >>> PatchTokens(192)(np.zeros((2, 1024, 128, 1), "float32")).shape
        (2, 514, 192)
    """

    def __init__(
        self,
        width: int,
        patch: int = 16,
        *,
        stride: int | tuple[int, int] | None = None,
        dropout: float = 0.0,
        initializer: str | dict | keras.initializers.Initializer | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        strides = (stride, stride) if isinstance(stride, int) else (patch, patch) if stride is None else tuple(stride)
        if width < 1 or patch < 1:
            raise ValueError(f"`width` and `patch` must be at least 1. Received: width={width}, patch={patch}")
        if len(strides) != 2 or min(strides) < 1:
            raise ValueError(f"`stride` must be a number or (frames, bins), at least 1. Received: stride={stride}")
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` must be at least 0 and below 1. Received: dropout={dropout}")
        self.width = width
        self.patch = patch
        self.strides = strides
        if initializer is None:
            initializer = keras.initializers.TruncatedNormal(stddev=0.02)
        self.initializer = keras.initializers.get(initializer)
        self.projection = _PatchProjection(
            width,
            patch,
            strides,
            data_format="channels_last",
            kernel_initializer=self.initializer,
            dtype=self.dtype_policy,
            name="projection",
        )
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")

    def grid(self, input_shape: Any) -> tuple[int, int]:
        """Patches over time and over frequency.

        Raises:
            ValueError: the input is smaller than a patch, or of unknown size.
        """
        sizes = tuple(input_shape[1:3])
        if len(input_shape) != 4 or None in sizes or min(sizes) < self.patch:
            raise ValueError(
                f"The input must be (batch, frames, bins, channels) with at least {self.patch} frames and bins, "
                f"their numbers known. Received: input_shape={tuple(input_shape)}"
            )
        frames, bins = (1 + (size - self.patch) // stride for size, stride in zip(sizes, self.strides, strict=True))
        return frames, bins

    def build(self, input_shape):
        frames, bins = self.grid(input_shape)
        self.projection.build(input_shape)

        def weight(name: str, tokens: int) -> keras.Variable:
            # A copy: one initializer gives its numbers once.
            initializer = self.initializer.clone()
            return self.add_weight(name=name, shape=(1, tokens, self.width), initializer=initializer)

        self.class_token = weight("class_token", 1)
        self.distillation_token = weight("distillation_token", 1)
        self.positions = weight("positions", 2 + frames * bins)

    def call(self, inputs, training=False):
        patches = self.projection(inputs)
        batch = ops.shape(patches)[0]
        patches = ops.reshape(patches, (batch, self.positions.shape[1] - 2, self.width))
        tokens = [
            ops.tile(ops.convert_to_tensor(t), (batch, 1, 1)) for t in (self.class_token, self.distillation_token)
        ]
        x = ops.concatenate([*tokens, patches], axis=1) + self.positions
        return self.dropout(x, training=training)

    def compute_output_shape(self, input_shape):
        frames, bins = self.grid(input_shape)
        return (input_shape[0], 2 + frames * bins, self.width)

    def get_config(self):
        return {
            **super().get_config(),
            "width": self.width,
            "patch": self.patch,
            "stride": list(self.strides),
            "dropout": self.dropout.rate,
            "initializer": keras.initializers.serialize(self.initializer),
        }


class _PatchProjection(keras.layers.Conv2D):
    """A convolution as the product of its patches, gathered, and its kernel.

    In bfloat16 oneDNN, by which TensorFlow and PyTorch convolve on a CPU, takes wrong numbers, also NaN, for strided
    kernels of this size: into a single bin, and of 4 or 8 channels.
    """

    def convolution_op(self, inputs, kernel):
        frames, bins = self.compute_output_shape(inputs.shape)[1:3]
        patches = inputs
        for axis, count in ((1, frames), (3, bins)):
            size, stride = self.kernel_size[axis // 2], self.strides[axis // 2]
            patches = ops.take(patches, stride * np.arange(count)[:, None] + np.arange(size), axis=axis)
        # (batch, frames, of a patch, bins, of a patch, channels) before.
        patches = ops.transpose(patches, (0, 1, 3, 2, 4, 5))
        rows = ops.reshape(patches, (-1, frames, bins, int(np.prod(kernel.shape[:3]))))
        return ops.matmul(rows, ops.reshape(kernel, (-1, self.filters)))
