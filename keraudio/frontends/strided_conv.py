"""Frame-level learned front end: one strided convolution (Kim et al. 2019, SampleCNN, section 3.2)."""

import keras


def strided_conv(
    sample_rate: int,
    *,
    filters: int = 128,
    kernel_size: int = 729,
    strides: int = 243,
    norm_momentum: float = 0.99,
    samples: int | None = None,
    name: str = "strided_conv",
) -> keras.Model:
    """A front end of one strided convolution, batch normalization and a rectifier, in place of a mel spectrogram.

    Where filters overlap (`kernel_size > strides`) the waveform is padded as Keras' `"same"`, so that 59,049 samples
    give 243 frames at strides of 243, as in table 2; else nothing is padded. The convolution is computed in float32
    whatever the dtype policy, since bfloat16 keeps 8 bits of a waveform; the result follows the policy.

    Args:
        sample_rate: of the waveform, in Hz; the model takes any, and its filters learn theirs.
        filters: number of filters. Defaults to 128.
        kernel_size: samples that a filter covers. Defaults to 729.
        strides: samples between successive frames, at most `kernel_size`. Defaults to 243.
        norm_momentum: of batch normalization's moving statistics, 0 to 1. Defaults to 0.99.
        samples: length of the input, at least `kernel_size` where filters do not overlap. Defaults to None, any length.
        name: of the model.

    Returns:
        A functional model from `(batch, samples)` to `(batch, frames, filters)`.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> strided_conv(22050, samples=59049).output_shape
        (None, 243, 128)
    """
    if sample_rate <= 0:
        raise ValueError(f"`sample_rate` must be positive. Received: sample_rate={sample_rate}")
    if filters < 1:
        raise ValueError(f"`filters` must be at least 1. Received: filters={filters}")
    if not 0 <= norm_momentum < 1:
        raise ValueError(f"`norm_momentum` must be at least 0 and below 1. Received: norm_momentum={norm_momentum}")
    if not 1 <= strides <= kernel_size:
        raise ValueError(
            f"`strides` must be between 1 and `kernel_size`. Received: strides={strides}, kernel_size={kernel_size}"
        )
    if kernel_size == strides and samples is not None and samples < kernel_size:
        raise ValueError(
            f"`samples` must be at least `kernel_size`. Received: samples={samples}, kernel_size={kernel_size}"
        )
    waveform = keras.Input((samples,), name="waveform")
    x = keras.layers.Reshape((-1, 1), dtype="float32", name="channel")(waveform)
    x = keras.layers.Conv1D(
        filters,
        kernel_size,
        strides=strides,
        padding="same" if kernel_size > strides else "valid",
        kernel_initializer="he_uniform",
        dtype="float32",
        name="conv",
    )(x)
    x = keras.layers.BatchNormalization(momentum=norm_momentum, epsilon=1e-5, name="normalization")(x)
    features = keras.layers.ReLU(name="activation")(x)
    return keras.Model(waveform, features, name=name)
