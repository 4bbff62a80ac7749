"""The convolutions that GAFX-R and GAFX-A share: a ResNet over a waveform folded into rows (Bu et al., table 2)."""

from collections.abc import Sequence
from typing import Any

from keras import layers

from keraudio.layers import WaveformRows

STAGES = (64, 128, 256, 512, 128)
_STEM = 64
# Of PyTorch, in whose terms the paper's sizes are.
_MOMENTUM, _EPSILON = 0.9, 1e-5


def folded_resnet(waveform: Any, *, row: int, stages: Sequence[int], width: float, groups: int | None) -> Any:
    """Features `(batch, frames, columns, channels)` of a waveform `(batch, samples)`.

    Strides are along a row's samples alone: a stem of 7 x 7 and a maximum of 3 x 3 with stride 2, stages of two basic
    blocks with strides 1, 2, 2, 2, 2, shortcuts of 1 x 1 (He et al. 2016). Of 200 columns 4 are left.

    Args:
        waveform: `(batch, samples)`.
        row: samples of a frame.
        stages: channels of each stage, the paper's are `STAGES`.
        width: by which every number of channels is multiplied.
        groups: of group normalization; None for batch normalization.
    """
    stem, *widths = (max(1, round(width * channels)) for channels in (_STEM, *stages))
    x = WaveformRows(row, name="rows")(waveform)
    x = _convolved(x, stem, 7, 2, "stem")
    x = layers.ReLU(name="stem_relu")(_normalized(x, groups, "stem_norm"))
    # Nothing is below the zeros around it.
    x = layers.ZeroPadding2D(1, data_format="channels_last", name="stem_pool_padded")(x)
    x = layers.MaxPooling2D(3, strides=(1, 2), data_format="channels_last", name="stem_pool")(x)
    for stage, channels in enumerate(widths, 1):
        for block in (1, 2):
            stride = 2 if stage > 1 and block == 1 else 1
            x = _block(x, channels, stride, groups, f"stage_{stage}_block_{block}")
    return x


def check_rows(sample_rate: int, row: int, stages: Sequence[int], width: float) -> None:
    """Raises `ValueError` unless a front end of these can be built."""
    if sample_rate <= 0:
        raise ValueError(f"`sample_rate` must be positive. Received: sample_rate={sample_rate}")
    if row < 1:
        raise ValueError(f"`row` must be at least 1. Received: row={row}")
    if not stages or min(stages) < 1:
        raise ValueError(f"`stages` must be channels of at least one stage. Received: stages={tuple(stages)}")
    if width <= 0:
        raise ValueError(f"`width` must be positive. Received: width={width}")


def _block(x: Any, channels: int, stride: int, groups: int | None, name: str) -> Any:
    shortcut = x
    if stride > 1 or x.shape[-1] != channels:
        shortcut = _normalized(_convolved(x, channels, 1, stride, f"{name}_shortcut"), groups, f"{name}_shortcut_norm")
    x = layers.ReLU(name=f"{name}_relu_1")(
        _normalized(_convolved(x, channels, 3, stride, f"{name}_conv_1"), groups, f"{name}_norm_1")
    )
    x = _normalized(_convolved(x, channels, 3, 1, f"{name}_conv_2"), groups, f"{name}_norm_2")
    return layers.ReLU(name=f"{name}_relu_2")(layers.Add(name=f"{name}_sum")([x, shortcut]))


def _convolved(x: Any, channels: int, size: int, stride: int, name: str) -> Any:
    """As PyTorch pads: alike at both ends, whatever the stride."""
    if size > 1:
        x = layers.ZeroPadding2D(size // 2, data_format="channels_last", name=f"{name}_padded")(x)
    elif stride > 1:
        # Columns are skipped beforehand: with a stride of its own and few channels, oneDNN's gradient of a 1 x 1
        # convolution writes beyond its memory (its issue 6035), which ends the process.
        x = layers.MaxPooling2D(1, (1, stride), data_format="channels_last", name=f"{name}_strided")(x)
        stride = 1
    return layers.Conv2D(
        channels,
        size,
        strides=(1, stride),
        use_bias=False,
        kernel_initializer="he_normal",
        data_format="channels_last",
        name=name,
    )(x)


def _normalized(x: Any, groups: int | None, name: str) -> Any:
    if groups is None:
        return layers.BatchNormalization(momentum=_MOMENTUM, epsilon=_EPSILON, name=name)(x)
    # No more groups than divide the channels.
    count = max(number for number in range(1, groups + 1) if x.shape[-1] % number == 0)
    return layers.GroupNormalization(count, epsilon=_EPSILON, name=name)(x)
