"""Constant-Q spectrogram of a waveform, compressed."""

from typing import Any

import keras
import numpy as np

from keraudio.layers import CQT, Decibels, LogCompression
from keraudio.layers.constant_q import C1, filter_lengths


def cqt(
    sample_rate: int,
    *,
    hop_length: int = 512,
    fmin: float = C1,
    n_bins: int | None = None,
    bins_per_octave: int = 12,
    filter_scale: float = 1.0,
    gamma: float | None = 0.0,
    window: str = "hann",
    norm: int | None = 1,
    scale: bool = True,
    pad_mode: str = "constant",
    power: float = 1.0,
    compression: str = "decibels",
    log_scale: float = 10.0,
    top_db: float | None = 80.0,
    samples: int | None = None,
    name: str = "cqt",
) -> keras.Model:
    """A front end that gives the constant-Q spectrogram in decibels, or its logarithm.

    Args:
        sample_rate: of the waveform, in Hz.
        hop_length: samples between successive frames. Defaults to 512.
        fmin: frequency of the lowest bin in Hz. Defaults to 32.7, the note C1.
        n_bins: number of bins. Defaults to 7 octaves, or as many bins as end below half the sample rate.
        bins_per_octave: bins in an octave. Defaults to 12.
        filter_scale: length of the filters. Defaults to 1.
        gamma: bandwidth added to each filter's in Hz, or None for the ear's (see `CQT`). Defaults to 0.
        window: `"hann"` or `"blackman"`. Defaults to `"hann"`.
        norm: of the filters, 1, 2 or None. Defaults to 1.
        scale: filters times the root of their length. Defaults to True.
        pad_mode: `"constant"` or `"reflect"`. Defaults to `"constant"`.
        power: exponent of the magnitude, 1 or 2. Defaults to 1.
        compression: `"decibels"` or `"log"`, which is `log(1 + log_scale * x)`. Defaults to `"decibels"`.
        log_scale: of `"log"`. Defaults to 10.
        top_db: range of `"decibels"` below a clip's own maximum, in dB. Defaults to 80.
        samples: length of the input. Defaults to None, any length.
        name: of the model.

    Returns:
        A functional model from `(batch, samples)` to `(batch, frames, n_bins)`.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> cqt(22050, samples=22050).output_shape
        (None, 44, 84)
    """
    if compression not in ("decibels", "log"):
        raise ValueError(f"`compression` must be 'decibels' or 'log'. Received: compression={compression!r}")
    filters: dict[str, Any] = {
        "fmin": fmin,
        "bins_per_octave": bins_per_octave,
        "filter_scale": filter_scale,
        "gamma": gamma,
        "window": window,
    }
    if n_bins is None:
        ends = filter_lengths(sample_rate, n_bins=7 * bins_per_octave, **filters)[-1]
        n_bins = max(1, int(np.sum(ends <= sample_rate / 2)))
    waveform = keras.Input((samples,), name="waveform")
    spectrogram = CQT(
        sample_rate,
        hop_length,
        n_bins=n_bins,
        **filters,
        norm=norm,
        scale=scale,
        pad_mode=pad_mode,
        power=power,
        name="cqt",
    )(waveform)
    if compression == "decibels":
        features = Decibels(power, top_db=top_db, name="decibels")(spectrogram)
    else:
        features = LogCompression(log_scale, name="log")(spectrogram)
    return keras.Model(waveform, features, name=name)
