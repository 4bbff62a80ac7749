"""GAFX-R: a residual network over a waveform folded into rows (Bu et al., section 3.1.2)."""

from collections.abc import Sequence

import keras
from keras import layers

from keraudio.frontends.folded_resnet import STAGES, check_rows, folded_resnet


def gafx_r(
    sample_rate: int,
    *,
    row: int = 200,
    stages: Sequence[int] = STAGES,
    width: float = 1.0,
    samples: int | None = None,
    name: str = "gafx_r",
) -> keras.Model:
    """Each 200 samples a frame, which a ResNet of 18 layers shrinks to 4 columns, and their mean.

    Of 661,600 samples, 30 s at 22,050 Hz, it makes (3308, 128), with 12,269,248 trained parameters; see
    `keraudio.frontends.folded_resnet`.

    Args:
        sample_rate: of the waveform, in Hz; the paper's is 22050.
        row: samples of a frame. Defaults to 200.
        stages: channels of the stages of two blocks each. Defaults to (64, 128, 256, 512, 128).
        width: by which every number of channels is multiplied. Defaults to 1.
        samples: length of the input; a last row that is not full is filled with zeros. Defaults to None, any length.
        name: of the model.

    Returns:
        A functional model from `(batch, samples)` to `(batch, frames, channels)`.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> gafx_r(22050, samples=661600).output_shape
        (None, 3308, 128)
    """
    check_rows(sample_rate, row, stages, width)
    waveform = keras.Input((samples,), name="waveform")
    x = folded_resnet(waveform, row=row, stages=stages, width=width, groups=None)
    columns, channels = x.shape[2:]
    x = layers.AveragePooling2D((1, columns), data_format="channels_last", name="mean")(x)
    return keras.Model(waveform, layers.Reshape((-1, channels), name="features")(x), name=name)
