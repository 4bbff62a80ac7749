"""ResNet over features, from keras-hub."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import layers

from keraudio.errors import KeraudioError

# Blocks a stage of the published depths (He et al. 2016, table 1); 18 and 34 use basic blocks, the others bottlenecks.
_DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def resnet(
    input_shape: Sequence[int | None],
    *,
    depth: int = 18,
    filters: Sequence[int] = (64, 128, 256, 512),
    channels: int = 1,
    dropout: float = 0.0,
    name: str = "resnet",
) -> keras.Model:
    """A backbone around `keras_hub.models.ResNetBackbone` (7 x 7 stem, stride 2), then global average pooling.

    Args:
        input_shape: `(frames, bins)` or `(frames, bins, channels)`; frames may be None.
        depth: 18, 34, 50, 101 or 152. Defaults to 18.
        filters: channels of the four stages, the first 64. Defaults to (64, 128, 256, 512).
        channels: as which features without channels are repeated; 3 where an image is expected. Defaults to 1.
        dropout: rate after each 3 x 3 convolution, before its normalization, as adaptive STFT's classifier has it.
            Defaults to 0.
        name: of the model.

    Returns:
        A functional model from `(batch, *input_shape)` to `(batch, dimensions)`.

    Raises:
        ValueError: an argument is out of its range.
        KeraudioError: keras-hub is not installed.

    Example:
        >>> resnet((None, 64), filters=(64, 64, 64, 64)).output_shape
        (None, 64)
    """
    if depth not in _DEPTHS:
        raise ValueError(f"`depth` must be one of {', '.join(map(str, _DEPTHS))}. Received: depth={depth}")
    if len(filters) != 4 or filters[0] != 64:
        # keras-hub fixes the first.
        raise ValueError(
            f"`filters` must be four numbers, one a stage, the first 64. Received: filters={tuple(filters)}"
        )
    if channels < 1 or (len(input_shape) == 3 and channels > 1):
        raise ValueError(
            "`channels` must be at least 1, and 1 for features that have channels. "
            f"Received: channels={channels}, input_shape={tuple(input_shape)}"
        )
    if not 0 <= dropout < 1:
        raise ValueError(f"`dropout` must be at least 0 and below 1. Received: dropout={dropout}")
    # Inside the function: importing keras-hub takes seconds.
    try:
        from keras_hub.models import ResNetBackbone
    except ImportError as error:
        raise KeraudioError("ResNet backbones need keras-hub: pip install 'keraudio[hub]'") from error

    features = keras.Input(tuple(input_shape), name="features")
    x = features if len(input_shape) == 3 else layers.Reshape((-1, input_shape[1], 1), name="add_channel")(features)
    if channels > 1:
        x = layers.Concatenate(name="repeat_channel")([x] * channels)
    backbone = ResNetBackbone(
        input_conv_filters=[filters[0]],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=list(filters),
        stackwise_num_blocks=list(_DEPTHS[depth]),
        stackwise_num_strides=[1, 2, 2, 2],
        block_type="basic_block" if depth < 50 else "bottleneck_block",
        image_shape=tuple(x.shape[1:]),
        name="backbone",
    )
    if dropout:
        backbone = keras.models.clone_model(backbone, call_function=_with_dropout(dropout))
    embedding = layers.GlobalAveragePooling2D(name="average_pool")(backbone(x))
    return keras.Model(features, embedding, name=name)


def _with_dropout(rate: float) -> Callable[..., Any]:
    """How a layer is called when its model is built again with dropout."""

    def call(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
        outputs = layer(*args, **kwargs)
        if isinstance(layer, layers.Conv2D) and layer.kernel_size == (3, 3):
            return layers.Dropout(rate, name=f"{layer.name}_dropout")(outputs)
        return outputs

    return call
