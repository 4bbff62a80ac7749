"""GAFX-A: attention over what GAFX-R's convolutions give, made to train (Bu et al., section 3.1.3)."""

from collections.abc import Sequence

import keras
from keras import layers

from keraudio.frontends.folded_resnet import STAGES, check_rows, folded_resnet
from keraudio.layers import AttentionBlock, ExampleNormalization, SinusoidalPosition

_GROUPS = 32
_EPSILON = 1e-6


def gafx_a(
    sample_rate: int,
    *,
    row: int = 200,
    stages: Sequence[int] = STAGES,
    width: float = 1.0,
    channels: int = 128,
    blocks: int = 2,
    heads: int = 4,
    normalize: bool = True,
    group_norm: bool = True,
    pre_norm: bool = True,
    qk_norm: bool = True,
    layer_scale: bool = True,
    zero_output: bool = True,
    float32_softmax: bool = True,
    samples: int | None = None,
    name: str = "gafx_a",
) -> keras.Model:
    """GAFX-R's convolutions, whose 4 columns a dense layer makes one frame of, and transformer blocks over the frames.

    The paper's loss was NaN and it says neither how the attention was built nor why ("attention layers followed by
    CNN", while the shapes say the other order). Here each ingredient that keeps a deep stack finite is a switch, all
    on: the waveform brought to a root mean square of 1, group normalization in the convolutions, which does not rest on
    a batch of 4, and those of `keraudio.layers.AttentionBlock`. Sinusoidal positions before the blocks, normalization
    behind them. Clip gradients (`training.clip_norm`) and warm up.

    Args:
        sample_rate: of the waveform, in Hz; the paper's is 22050.
        row: samples of a frame. Defaults to 200.
        stages: channels of the stages of two blocks each. Defaults to (64, 128, 256, 512, 128).
        width: by which the convolutions' numbers of channels are multiplied. Defaults to 1.
        channels: of the frames. Defaults to 128.
        blocks: transformer blocks. Defaults to 2.
        heads: of their attention. Defaults to 4.
        normalize: the waveform to a root mean square of 1; what is far below 1e-4 stays faint. Defaults to True.
        group_norm: group instead of batch normalization. Defaults to True.
        pre_norm: see `AttentionBlock`. Defaults to True.
        qk_norm: see there. Defaults to True.
        layer_scale: factors of each branch that begin at 1e-4. Defaults to True.
        zero_output: see there. Defaults to True.
        float32_softmax: see there. Defaults to True.
        samples: length of the input; a last row that is not full is filled with zeros. Defaults to None, any length.
        name: of the model.

    Returns:
        A functional model from `(batch, samples)` to `(batch, frames, channels)`.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> gafx_a(22050, samples=661600).output_shape
        (None, 3308, 128)
    """
    check_rows(sample_rate, row, stages, width)
    if channels < 2 or channels % 2 or blocks < 1:
        raise ValueError(
            "`channels` must be even and at least 2, `blocks` at least 1. "
            f"Received: channels={channels}, blocks={blocks}"
        )
    waveform = keras.Input((samples,), name="waveform")
    x = waveform
    if normalize:
        x = ExampleNormalization(center=False, epsilon=1e-8, dtype="float32", name="loudness")(x)
    x = folded_resnet(x, row=row, stages=stages, width=width, groups=_GROUPS if group_norm else None)
    x = layers.Reshape((-1, x.shape[2] * x.shape[3]), name="columns")(x)
    x = layers.Dense(channels, name="frames")(x)
    x = layers.LayerNormalization(epsilon=_EPSILON, name="frames_norm")(x)
    x = SinusoidalPosition(name="positions")(x)
    for number in range(1, blocks + 1):
        x = AttentionBlock(
            heads,
            pre_norm=pre_norm,
            qk_norm=qk_norm,
            layer_scale=1e-4 if layer_scale else None,
            zero_output=zero_output,
            float32_softmax=float32_softmax,
            name=f"block_{number}",
        )(x)
    return keras.Model(waveform, layers.LayerNormalization(epsilon=_EPSILON, name="features")(x), name=name)
