"""GAFX-U: the spectrograms of the sources that Hybrid Demucs separates, as features (Bu et al., section 3.1.1)."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from keraudio.frontends.hdemucs import demucs_sizes, separate
from keraudio.layers import AlignedSTFT, LogCompression, RunningNormalization, SourceMagnitudes


def gafx_u(
    sample_rate: int,
    *,
    sources: int = 4,
    bands: int = 128,
    stack: str = "frames",
    log: bool = True,
    sizes: Mapping[str, Any] | None = None,
    samples: int | None = None,
    name: str = "gafx_u",
) -> keras.Model:
    """Magnitudes of what Hybrid Demucs separates, source behind source, in bands of as many bins each.

    The waveform stands for both channels. The transform of the temporal branch's output is added to what the spectral
    branch says, which is all but the transform of what is separated (a spectrum that no waveform has stays as it is).
    The mean of both channels and its magnitude give `(sources, frames, n_fft / 2)`. Sources are stacked along time, as
    the shape `(4 * 469, 2048)` of the paper says ("along frequency", says its text), and the mean of 16 bins each gives
    the (1876, 128) of 30 s at 16 kHz. Its "512 FFT" cannot have 2048 bins: frames are Hybrid Demucs' own, of 4096
    samples.

    `log(1 + x)` and normalization by running statistics follow, without which a network would see spectra that differ
    by powers of ten; neither is in the paper.

    Args:
        sample_rate: of the waveform, in Hz; pretrained weights are of 44100, the paper feeds them 16000.
        sources: how many. Defaults to 4.
        bands: number of bands; it divides the bins. Defaults to 128.
        stack: `"frames"`, source behind source in time, or `"channels"`, which keeps them aligned. Defaults to
            `"frames"`.
        log: the logarithm and normalization. Defaults to True.
        sizes: of Hybrid Demucs, what differs from `keraudio.frontends.hdemucs.HDemucsSizes`. Defaults to nothing.
        samples: length of the input; it must be given, as the layers pad to whole strides.
        name: of the model.

    Returns:
        A functional model from `(batch, samples)` to `(batch, sources * frames, bands)`, or `(batch, frames, bands,
        sources)`.

    Raises:
        ValueError: an argument is out of its range, or `samples` is not given.

    Example:
        >>> sizes = {"channels": 8, "n_fft": 256, "depth": 4, "dconv_starts": 3, "norm_starts": 3}
        >>> gafx_u(16000, bands=32, sizes=sizes, samples=4000).output_shape
        (None, 252, 32)
    """
    if sample_rate <= 0:
        raise ValueError(f"`sample_rate` must be positive. Received: sample_rate={sample_rate}")
    if samples is None:
        raise ValueError("`samples` must be given. Received: samples=None")
    waveform = keras.Input((samples,), name="waveform")
    mono = layers.Reshape((samples, 1), dtype="float32", name="channel")(waveform)
    stereo = layers.Concatenate(dtype="float32", name="stereo")([mono, mono])
    chosen = demucs_sizes(sizes)
    spectrum, waveforms = separate(stereo, sources, chosen)
    x = layers.Add(dtype="float32", name="sources")([spectrum, AlignedSTFT(chosen.n_fft, name="time_stft")(waveforms)])
    x = SourceMagnitudes(sources, bands, stack=stack, name="magnitudes")(x)
    if log:
        x = LogCompression(1.0, dtype="float32", name="log")(x)
        x = RunningNormalization(axis="all", name="normalization")(x)
    return keras.Model(waveform, x, name=name)
