"""PiczakCNN: two convolutions that see nearly all bands at once, and two wide dense layers (Piczak 2015)."""

from collections.abc import Sequence

import keras
from keras import layers

from keraudio.layers import BandConv, Delta

# Bands over which the first convolution moves, beside the one where it begins; of 60 bands it sees 57.
_MOVES = 3
_FRAMES, _LATER_FRAMES = 6, 3
_POOL_BINS, _POOL_FRAMES = 4, 3
# Of Chainer, in which batch normalization was added to it. Keras' 0.99 lags an epoch of 80 steps behind the weights.
_MOMENTUM = 0.9


def piczak(
    input_shape: Sequence[int | None],
    *,
    filters: int = 80,
    units: int = 5000,
    dropout: float = 0.5,
    batch_norm: bool = False,
    deltas: bool = False,
    name: str = "piczak",
) -> keras.Model:
    """The network of Piczak 2015, in which Tax et al. 2017 exchange the spectrogram for learned convolutions.

    A convolution of 6 frames and all bands but three (57 of 60), dropout, the maximum of 3 frames and of the 4 places
    in frequency, every third frame; a convolution of 3 frames, the maximum of 3 frames, every third; two dense layers.
    Rectifiers behind all four, dropout behind all but the second convolution, nothing padded, Glorot's initialization.

    Args:
        input_shape: `(frames, bins)` or `(frames, bins, channels)`; at least 20 frames and 4 bins.
        filters: of both convolutions. Defaults to 80.
        units: of both dense layers. Defaults to 5000.
        dropout: rate. Defaults to 0.5.
        batch_norm: each channel of the input is brought to mean 0 and variance 1, as deltas are a twelfth of the
            features; both convolutions are normalized before their rectifiers (after Tokozume, Ushiku & Harada 2018);
            and dropout stays with the dense layers, as before a normalization it would widen what the moving variance
            gathers in training beyond what comes at inference. Defaults to False.
        deltas: the features' deltas over 9 frames, as librosa's, are further channels. Defaults to False.
        name: of the model.

    Returns:
        A functional model from features to `(batch, units)`.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> piczak((101, 60), units=100).output_shape
        (None, 100)
    """
    shape = [size for size in input_shape if size is not None]
    if len(shape) not in (2, 3) or len(shape) != len(input_shape):
        raise ValueError(
            f"`input_shape` must be (frames, bins) or (frames, bins, channels). Received: {tuple(input_shape)}"
        )
    least = _FRAMES - 1 + _POOL_FRAMES * (_LATER_FRAMES - 1 + _POOL_FRAMES)
    if shape[0] < least or shape[1] <= _MOVES:
        raise ValueError(f"There must be at least {least} frames and {_MOVES + 1} bins. Received: {tuple(shape)}")
    if min(filters, units) < 1:
        raise ValueError(f"`filters` and `units` must be at least 1. Received: filters={filters}, units={units}")
    if not 0 <= dropout < 1:
        raise ValueError(f"`dropout` must be at least 0 and below 1. Received: dropout={dropout}")

    features = keras.Input(shape, name="features")
    x = features if len(shape) == 3 else layers.Reshape((*shape, 1), name="channel")(features)
    if deltas:
        x = layers.Concatenate(name="with_deltas")([x, Delta(name="deltas")(x)])
    if batch_norm:
        # Learns nothing: the convolution behind it can.
        x = layers.BatchNormalization(momentum=_MOMENTUM, center=False, scale=False, name="normalization_0")(x)

    def rectified(x, number: int):
        if batch_norm:
            x = layers.BatchNormalization(momentum=_MOMENTUM, name=f"normalization_{number}")(x)
        return layers.ReLU(name=f"rectified_{number}")(x)

    options = {"data_format": "channels_last"}
    x = BandConv(filters, (_FRAMES, shape[1] - _MOVES), name="conv_1")(x)
    x = rectified(x, 1)
    if not batch_norm:
        x = layers.Dropout(dropout, name="dropout_1")(x)
    x = layers.MaxPooling2D((_POOL_FRAMES, _POOL_BINS), strides=(_POOL_FRAMES, 1), name="pool_1", **options)(x)
    x = layers.Conv2D(filters, (_LATER_FRAMES, 1), name="conv_2", **options)(x)
    x = layers.MaxPooling2D((_POOL_FRAMES, 1), name="pool_2", **options)(rectified(x, 2))
    x = layers.Flatten(name="flatten")(x)
    for number in (3, 4):
        x = layers.Dense(units, activation="relu", name=f"dense_{number - 2}")(x)
        x = layers.Dropout(dropout, name=f"dropout_{number}")(x)
    return keras.Model(features, x, name=name)
