"""The first stage of SincNet (Ravanelli and Bengio 2018)."""

import keras

from keraudio.layers import SincConv


def sincnet(
    sample_rate: int,
    *,
    filters: int = 80,
    kernel_size: int = 251,
    hop_length: int | None = None,
    pool_size: int | None = None,
    min_low_hz: float = 50.0,
    min_band_hz: float = 50.0,
    learnable: bool = True,
    samples: int | None = None,
    name: str = "sincnet",
) -> keras.Model:
    """A front end of learned band-passes, their largest magnitudes, normalized over the bands of each frame.

    SincNet pools by 3 samples and goes on with convolutions over time (`hop_length=3`); here the largest magnitude of
    10 ms is taken, so that a backbone may follow that takes spectrograms, as in the code of LEAF's comparison
    (Zeghidour et al. 2021), where it is of 25 ms every 10. SincNet normalizes over the fixed length of its
    input, which is unknown here: as there, each frame is normalized over its bands. Pooling and normalization are
    computed in float32; the result follows the dtype policy.

    Args:
        sample_rate: of the waveform, in Hz.
        filters: number of filters. Defaults to 80.
        kernel_size: samples that a filter covers, odd. Defaults to 251.
        hop_length: samples between successive frames. Defaults to 10 ms.
        pool_size: samples that a frame is the largest of. Defaults to `hop_length`.
        min_low_hz: least lower edge of a band in Hz. Defaults to 50.
        min_band_hz: least bandwidth in Hz. Defaults to 50.
        learnable: the bands are trained (the normalization always is). Defaults to True.
        samples: length of the input. Defaults to None, any length.
        name: of the model.

    Returns:
        A functional model from `(batch, samples)` to `(batch, ceil(samples / hop_length), filters)`.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> sincnet(16000, samples=16000).output_shape
        (None, 100, 80)
    """
    hop_length = max(1, sample_rate // 100) if hop_length is None else hop_length
    pool_size = hop_length if pool_size is None else pool_size
    for argument, value in (("hop_length", hop_length), ("pool_size", pool_size)):
        if value < 1:
            raise ValueError(f"`{argument}` must be at least 1. Received: {argument}={value}")
    waveform = keras.Input((samples,), name="waveform")
    bands = SincConv(
        sample_rate,
        filters,
        kernel_size=kernel_size,
        min_low_hz=min_low_hz,
        min_band_hz=min_band_hz,
        trainable=learnable,
        name="sinc",
    )(waveform)
    frames = keras.layers.MaxPooling1D(pool_size, hop_length, padding="same", dtype="float32", name="pooling")(
        keras.ops.abs(bands)
    )
    frames = keras.layers.LayerNormalization(epsilon=1e-6, dtype="float32", name="normalization")(frames)
    features = keras.layers.LeakyReLU(0.2, name="activation")(frames)
    return keras.Model(waveform, features, name=name)
