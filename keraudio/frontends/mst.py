"""Front end of three convolutions that can learn a mel spectrogram (Tax et al. 2017)."""

from collections.abc import Sequence

import keras
from keras import layers

from keraudio.layers import PeakNormalization

# Of the authors' code, whose normalization does not scale.
_MOMENTUM, _EPSILON = 0.999, 1e-3


def mst(
    sample_rate: int,
    *,
    filters: Sequence[int] = (512, 256, 60),
    kernel_sizes: Sequence[int] = (1024, 3, 3),
    strides: int = 512,
    dropout: float = 0.0,
    batch_norm: bool = False,
    peak: bool = True,
    samples: int | None = None,
    name: str = "mst",
) -> keras.Model:
    """The mel spectrogram transform: three convolutions over the waveform, ReLU, ReLU and tanh (table 1).

    All pad with zeros as Keras' `"same"`, so that 51,200 samples give 100 frames; frame t of the first hears samples
    from `512 t - 256` to `512 t + 768`, a spectrogram's centred frame those from `512 t - 512` to `512 t + 512`. Where
    512 does not divide the samples, there is one frame more for the rest, and all begin up to 255 samples earlier.
    Kernels are drawn by Glorot's rule, biases are zero. The first convolution is computed in float32 whatever the dtype
    policy, since bfloat16 keeps 8 bits of a waveform; the result follows the policy.

    Args:
        sample_rate: of the waveform, in Hz; the model takes any, and its filters learn theirs.
        filters: of each convolution. Defaults to 512, 256 and 60.
        kernel_sizes: samples that the first covers, and frames that the others do. Defaults to 1024, 3 and 3.
        strides: samples between successive frames. Defaults to 512.
        dropout: rate after each activation, for a start from random weights (section 2.3.1). Defaults to 0.
        batch_norm: normalization before each activation, as in the authors' code and not in the paper. Defaults to
            False.
        peak: divide each waveform by its greatest absolute value first (section 2.2.1). Defaults to True.
        samples: length of the input. Defaults to None, any length.
        name: of the model.

    Returns:
        A functional model from `(batch, samples)` to `(batch, frames, bins)`, within -1 and 1.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> mst(22050, samples=51200).output_shape
        (None, 100, 60)
    """
    if sample_rate <= 0:
        raise ValueError(f"`sample_rate` must be positive. Received: sample_rate={sample_rate}")
    if len(filters) != 3 or len(kernel_sizes) != 3 or min(*filters, *kernel_sizes) < 1:
        raise ValueError(
            "`filters` and `kernel_sizes` must be three numbers of at least 1. "
            f"Received: filters={tuple(filters)}, kernel_sizes={tuple(kernel_sizes)}"
        )
    if not 1 <= strides <= kernel_sizes[0]:
        raise ValueError(
            "`strides` must be between 1 and the first of `kernel_sizes`. "
            f"Received: strides={strides}, kernel_sizes={tuple(kernel_sizes)}"
        )
    if not 0 <= dropout < 1:
        raise ValueError(f"`dropout` must be at least 0 and below 1. Received: dropout={dropout}")
    waveform = keras.Input((samples,), name="waveform")
    x = PeakNormalization(dtype="float32", name="peak")(waveform) if peak else waveform
    x = layers.Reshape((-1, 1), dtype="float32", name="channel")(x)
    for number, (width, size) in enumerate(zip(filters, kernel_sizes, strict=True), 1):
        first = {"strides": strides, "dtype": "float32"} if number == 1 else {}
        x = layers.Conv1D(width, size, padding="same", name=f"conv_{number}", **first)(x)
        if batch_norm:
            x = layers.BatchNormalization(
                momentum=_MOMENTUM, epsilon=_EPSILON, scale=False, name=f"normalization_{number}"
            )(x)
        x = layers.Activation("tanh" if number == 3 else "relu", name=f"activation_{number}")(x)
        if dropout:
            x = layers.Dropout(dropout, name=f"dropout_{number}")(x)
    return keras.Model(waveform, x, name=name)
