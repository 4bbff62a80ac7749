"""A small residual CNN over features, made to train on two CPU cores."""

from collections.abc import Sequence

import keras
from keras import layers


def residual_cnn(
    input_shape: Sequence[int | None],
    *,
    filters: Sequence[int] = (32, 64, 128, 256),
    blocks: Sequence[int] | int = 1,
    stem_strides: Sequence[int] = (1, 1),
    pool: str = "average",
    dropout: float = 0.0,
    norm_momentum: float = 0.99,
    name: str = "residual_cnn",
) -> keras.Model:
    """A backbone of residual stages, each halving frames and bins after the first, then global pooling.

    Features are normalized a bin at a time, then pass a 3 x 3 convolution and, a stage at a time, `blocks` residual
    blocks of two 3 x 3 convolutions with batch normalization (He et al. 2016). Frames may be of any number.

    Args:
        input_shape: `(frames, bins)` or `(frames, bins, channels)`; frames may be None.
        filters: channels of each stage. Defaults to (32, 64, 128, 256).
        blocks: residual blocks in each stage, one number a stage or one for all. Defaults to 1.
        stem_strides: strides of the first convolution over (frames, bins). Defaults to (1, 1).
        pool: `"average"`, `"max"`, or `"average_max"`, which joins both. Defaults to `"average"`.
        dropout: share of each stage's channels that are dropped in training (spatial dropout). Defaults to 0.
        norm_momentum: of the moving statistics of batch normalization, 0 to 1; a training of few steps needs a lower
            one, or validation sees statistics that still come from the start. Defaults to 0.99, Keras' own.
        name: of the model.

    Returns:
        A functional model from `(batch, *input_shape)` to `(batch, dimensions)`.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> residual_cnn((None, 64), filters=(8, 16)).output_shape
        (None, 16)
    """
    depths = [blocks] * len(filters) if isinstance(blocks, int) else list(blocks)
    if len(depths) != len(filters) or min(depths, default=0) < 1:
        raise ValueError(
            "`blocks` must be at least 1 and one number a stage. "
            f"Received: blocks={blocks!r} for {len(filters)} stages (filters={tuple(filters)})"
        )
    if not 0 <= norm_momentum < 1:
        raise ValueError(f"`norm_momentum` must be at least 0 and below 1. Received: norm_momentum={norm_momentum}")
    if pool not in ("average", "max", "average_max"):
        raise ValueError(f"`pool` must be 'average', 'max' or 'average_max'. Received: pool={pool!r}")
    if len(input_shape) not in (2, 3):
        raise ValueError(
            f"`input_shape` must be (frames, bins) or (frames, bins, channels). Received: {tuple(input_shape)}"
        )

    features = keras.Input(tuple(input_shape), name="features")
    x = features if len(input_shape) == 3 else layers.Reshape((-1, input_shape[1], 1), name="add_channel")(features)
    # Statistics a bin (not a channel) put every band of the spectrogram on one scale (PANNs, section III).
    x = layers.BatchNormalization(axis=2, momentum=norm_momentum, name="bin_norm")(x)
    x = layers.Conv2D(
        filters[0],
        3,
        strides=tuple(stem_strides),
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name="stem",
    )(x)
    x = layers.BatchNormalization(momentum=norm_momentum, name="stem_norm")(x)
    x = layers.ReLU(name="stem_relu")(x)
    for stage, (width, depth) in enumerate(zip(filters, depths, strict=True)):
        for block in range(depth):
            stride = 2 if stage > 0 and block == 0 else 1
            x = _residual_block(x, width, stride, norm_momentum, f"stage{stage}_block{block}")
        if dropout:
            x = layers.SpatialDropout2D(dropout, name=f"stage{stage}_dropout")(x)
    pooled = []
    if pool != "max":
        pooled.append(layers.GlobalAveragePooling2D(name="average_pool")(x))
    if pool != "average":
        pooled.append(layers.GlobalMaxPooling2D(name="max_pool")(x))
    embedding = pooled[0] if len(pooled) == 1 else layers.Concatenate(name="pool")(pooled)
    return keras.Model(features, embedding, name=name)


def _residual_block(x, filters: int, stride: int, momentum: float, name: str):
    shortcut = x
    if stride > 1:
        shortcut = layers.AveragePooling2D(stride, padding="same", name=f"{name}_shortcut_pool")(shortcut)
    if shortcut.shape[-1] != filters:
        shortcut = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_shortcut")(shortcut)
        shortcut = layers.BatchNormalization(momentum=momentum, name=f"{name}_shortcut_norm")(shortcut)
    options = {"padding": "same", "use_bias": False, "kernel_initializer": "he_normal"}
    x = layers.Conv2D(filters, 3, strides=stride, name=f"{name}_conv1", **options)(x)
    x = layers.BatchNormalization(momentum=momentum, name=f"{name}_norm1")(x)
    x = layers.ReLU(name=f"{name}_relu1")(x)
    x = layers.Conv2D(filters, 3, name=f"{name}_conv2", **options)(x)
    # Starting each block as the identity makes early training steady (Goyal et al. 2017, section 5.1).
    x = layers.BatchNormalization(momentum=momentum, gamma_initializer="zeros", name=f"{name}_norm2")(x)
    x = layers.Add(name=f"{name}_add")([x, shortcut])
    return layers.ReLU(name=f"{name}_relu2")(x)
