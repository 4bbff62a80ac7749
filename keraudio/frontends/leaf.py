"""LEAF, the learnable front end (Zeghidour et al. 2021)."""

import keras

from keraudio.layers import PCEN, GaborFilterbank, GaussianPooling


def leaf(
    sample_rate: int,
    *,
    filters: int = 40,
    kernel_size: int | None = None,
    hop_length: int | None = None,
    fmin: float = 60.0,
    fmax: float | None = None,
    floor: float = 1e-5,
    learnable: bool = True,
    samples: int | None = None,
    name: str = "leaf",
) -> keras.Model:
    """A front end of Gabor filters, Gaussian pooling and per-channel energy normalization: 7 learned numbers a filter.

    Args:
        sample_rate: of the waveform, in Hz.
        filters: number of filters. Defaults to 40.
        kernel_size: samples that a filter and the pooling cover. Defaults to 25 ms and a sample.
        hop_length: samples between successive frames. Defaults to 10 ms.
        fmin: lowest edge of the mel filters that it begins as, in Hz. Defaults to 60.
        fmax: highest edge of the mel filters in Hz. Defaults to 0.4875 of the sample rate (7800 Hz at 16 kHz).
        floor: least energy that is told from silence. Defaults to 1e-5, as in the authors' code.
        learnable: filters, pooling and normalization are trained. Defaults to True.
        samples: length of the input. Defaults to None, any length.
        name: of the model.

    Returns:
        A functional model from `(batch, samples)` to `(batch, ceil(samples / hop_length), filters)`.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> model = leaf(16000, filters=64, samples=16000)
        >>> model.output_shape, model.count_params()
        ((None, 100, 64), 448)
    """
    if floor <= 0:
        raise ValueError(f"`floor` must be positive. Received: floor={floor}")
    kernel_size = sample_rate * 25 // 1000 + 1 if kernel_size is None else kernel_size
    hop_length = sample_rate * 10 // 1000 if hop_length is None else hop_length
    waveform = keras.Input((samples,), name="waveform")
    energy = GaborFilterbank(
        sample_rate,
        filters,
        kernel_size=kernel_size,
        fmin=fmin,
        fmax=fmax,
        trainable=learnable,
        name="gabor",
    )(waveform)
    frames = GaussianPooling(kernel_size, hop_length, trainable=learnable, name="pooling")(energy)
    features = PCEN(
        0.04,
        gain=0.96,
        bias=2.0,
        power=0.5,
        eps=1e-12,
        initial="first",
        learnable=True,
        trainable=learnable,
        name="pcen",
    )(keras.ops.maximum(frames, floor))
    return keras.Model(waveform, features, name=name)
