"""MusiCNN, a CNN whose filters are shaped after timbre and rhythm, and the VGG that it was compared with."""

from collections.abc import Sequence

import keras
from keras import layers

from keraudio.layers import PeakConv

# Of TensorFlow 1's `batch_normalization`, with which the published weights were trained; also Keras' own.
_EPSILON = 0.001
# Size and strides over (frames, bins) of the VGG's pools, as the authors' code has them.
VGG_POOLS = (((4, 1), (2, 2)), ((2, 2), (2, 2)), ((2, 2), (2, 2)), ((2, 2), (2, 2)), ((4, 4), (4, 4)))


def musicnn(
    input_shape: Sequence[int | None],
    *,
    timbral_filters: int = 204,
    timbral_bins: Sequence[float] = (0.4, 0.7),
    temporal_filters: int = 51,
    temporal_frames: Sequence[int] = (128, 64, 32),
    mid_filters: int = 64,
    dimensions: int = 200,
    dropout: float = 0.5,
    name: str = "musicnn",
) -> keras.Model:
    """MusiCNN (Pons & Serra, "musicnn: pre-trained convolutional neural networks for music audio tagging", 2019).

    Timbral filters see 7 frames of a share of the bins, temporal ones many frames of one bin; both keep each frame's
    greatest response over the bins. Three convolutions of 7 frames with residual sums follow. The results of all levels
    are joined, and pass on their maximum and mean over time.

    Its levels have names, for features: `"timbral"`, `"temporal"`, `"mid_1"`, `"mid_2"`, `"mid_3"` (one row a frame),
    `"pool"` and `"penultimate"`.

    Args:
        input_shape: `(frames, bins)`; frames may be None.
        timbral_filters: of each timbral shape. Defaults to 204.
        timbral_bins: share of the bins that each timbral shape covers, 0 to 1. Defaults to (0.4, 0.7).
        temporal_filters: of each temporal shape. Defaults to 51.
        temporal_frames: frames that each temporal shape covers. Defaults to (128, 64, 32).
        mid_filters: of the three later convolutions. Defaults to 64.
        dimensions: of the embedding. Defaults to 200.
        dropout: share of the pooled values that is dropped in training. Defaults to 0.5.
        name: of the model.

    Returns:
        A functional model from `(batch, frames, bins)` to `(batch, dimensions)`.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> musicnn((187, 96)).output_shape
        (None, 200)
    """
    if len(input_shape) != 2 or input_shape[1] is None:
        raise ValueError(f"`input_shape` must be (frames, bins), bins known. Received: {tuple(input_shape)}")
    if not timbral_bins or not all(0 < share <= 1 for share in timbral_bins):
        raise ValueError(f"`timbral_bins` must be above 0 and at most 1. Received: timbral_bins={tuple(timbral_bins)}")
    if not temporal_frames or min(temporal_frames) < 1:
        raise ValueError(f"`temporal_frames` must be at least 1. Received: temporal_frames={tuple(temporal_frames)}")
    features, x = _normalized_input(input_shape)
    x = layers.Reshape((-1, input_shape[1]), name="drop_channel")(x)
    timbral = [
        PeakConv(timbral_filters, (7, max(1, int(share * input_shape[1]))), epsilon=_EPSILON, name=f"timbral_{i}")(x)
        for i, share in enumerate(timbral_bins, 1)
    ]
    temporal = [
        PeakConv(temporal_filters, (frames, 1), epsilon=_EPSILON, name=f"temporal_{i}")(x)
        for i, frames in enumerate(temporal_frames, 1)
    ]
    front = layers.Concatenate(name="front")([_joined(timbral, "timbral"), _joined(temporal, "temporal")])
    levels = [front]
    for level in (1, 2, 3):
        x = layers.Conv1D(mid_filters, 7, padding="same", activation="relu", name=f"mid_{level}_conv")(levels[-1])
        norm = f"mid_{level}" if level == 1 else f"mid_{level}_norm"
        x = layers.BatchNormalization(epsilon=_EPSILON, name=norm)(x)
        if level > 1:
            x = layers.Add(name=f"mid_{level}")([x, levels[-1]])
        levels.append(x)
    x = layers.Concatenate(name="levels")(levels)
    channels = x.shape[-1]
    # Maximum and mean of a channel stand side by side.
    pooled = layers.Concatenate(name="pool_pairs")(
        [
            layers.Reshape((channels, 1), name="pool_max_column")(layers.GlobalMaxPooling1D(name="pool_max")(x)),
            layers.Reshape((channels, 1), name="pool_mean_column")(layers.GlobalAveragePooling1D(name="pool_mean")(x)),
        ]
    )
    x = layers.Reshape((2 * channels,), name="pool")(pooled)
    x = layers.BatchNormalization(epsilon=_EPSILON, name="pool_norm")(x)
    x = layers.Dropout(dropout, name="pool_dropout")(x)
    x = layers.Dense(dimensions, activation="relu", name="dense")(x)
    x = layers.BatchNormalization(epsilon=_EPSILON, name="penultimate")(x)
    return keras.Model(features, x, name=name)


def musicnn_vgg(
    input_shape: Sequence[int | None],
    *,
    filters: int = 128,
    pools: Sequence[Sequence[Sequence[int]]] = VGG_POOLS,
    dropout: float = 0.25,
    name: str = "musicnn_vgg",
) -> keras.Model:
    """The VGG of five 3 x 3 convolutions that was published beside MusiCNN (Pons & Serra 2019; Choi et al. 2016).

    Its levels have names, for features: `"pool_1"` to `"pool_5"`.

    Args:
        input_shape: `(frames, bins)`, both known, enough of them for all pools.
        filters: of every convolution. Defaults to 128.
        pools: size and strides over (frames, bins) of the pool after each convolution. Defaults to the authors'.
        dropout: share that is dropped in training after each pool but the last. Defaults to 0.25.
        name: of the model.

    Returns:
        A functional model from `(batch, frames, bins)` to `(batch, dimensions)`, the last pool laid out flat.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> musicnn_vgg((187, 96)).output_shape
        (None, 256)
    """
    if len(input_shape) != 2 or input_shape[0] is None:
        raise ValueError(f"`input_shape` must be (frames, bins), both known. Received: {tuple(input_shape)}")
    features, x = _normalized_input(input_shape)
    for level, (size, strides) in enumerate(pools, 1):
        if level > 1:
            x = layers.Dropout(dropout, name=f"dropout_{level - 1}")(x)
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv_{level}")(x)
        x = layers.BatchNormalization(epsilon=_EPSILON, name=f"norm_{level}")(x)
        if any(length < least for length, least in zip(x.shape[1:3], size, strict=True)):
            raise ValueError(
                f"`input_shape` must leave at least {tuple(size)} of (frames, bins) for pool {level}. "
                f"Received: {tuple(input_shape)}, which leaves {tuple(x.shape[1:3])}"
            )
        x = layers.MaxPooling2D(tuple(size), tuple(strides), name=f"pool_{level}")(x)
    return keras.Model(features, layers.Flatten(name="embedding")(x), name=name)


def _normalized_input(input_shape: Sequence[int | None]):
    """The features, and as one channel `(batch, frames, bins, 1)`, normalized."""
    features = keras.Input(tuple(input_shape), name="features")
    x = layers.Reshape((-1, input_shape[1], 1), name="add_channel")(features)
    return features, layers.BatchNormalization(epsilon=_EPSILON, name="input_norm")(x)


def _joined(parts: list, name: str):
    # One part alone has the level's name too.
    return layers.Concatenate(name=name)(parts) if len(parts) > 1 else layers.Identity(name=name)(parts[0])
