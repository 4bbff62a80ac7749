"""Mel spectrogram with per-channel energy normalization."""

from collections.abc import Sequence

import keras

from keraudio.layers import PCEN, MelSpectrogram
from keraudio.layers.pcen import smoothing_of_seconds


def pcen_mel(
    sample_rate: int,
    *,
    n_fft: int = 1024,
    hop_length: int = 512,
    win_length: int | None = None,
    window: str = "hann",
    center: bool = True,
    pad_mode: str = "constant",
    power: float = 1.0,
    n_mels: int = 128,
    fmin: float = 0.0,
    fmax: float | None = None,
    htk: bool = False,
    norm: str | None = "slaney",
    scale: float = 2.0**31,
    gain: float = 0.98,
    bias: float = 2.0,
    exponent: float = 0.5,
    time_constant: float = 0.4,
    eps: float = 1e-6,
    initial: str = "one",
    learnable: bool | Sequence[str] = False,
    samples: int | None = None,
    name: str = "pcen_mel",
) -> keras.Model:
    """A front end that gives the mel spectrogram after per-channel energy normalization, as librosa computes it.

    Args:
        sample_rate: of the waveform, in Hz.
        n_fft: samples a frame is transformed over. Defaults to 1024.
        hop_length: samples between successive frames. Defaults to 512.
        win_length: samples that the window covers. Defaults to `n_fft`.
        window: name of the window. Defaults to `"hann"`.
        center: frames centred at multiples of `hop_length`. Defaults to True.
        pad_mode: `"constant"` or `"reflect"`. Defaults to `"constant"`.
        power: exponent of the magnitude, 1 or 2. Defaults to 1, as in librosa's example.
        n_mels: number of mel bands. Defaults to 128.
        fmin: lowest frequency in Hz. Defaults to 0.
        fmax: highest frequency in Hz. Defaults to half the sample rate.
        htk: HTK's mel scale instead of Slaney's. Defaults to False.
        norm: `"slaney"` or None. Defaults to `"slaney"`.
        scale: float > 0, factor before the normalization, whose defaults are meant for 32-bit integers. Defaults to
            2 ** 31, as in librosa's example.
        gain: how far the past of a band divides its level out, 0 to 1. Defaults to 0.98.
        bias: added to the divided level. Defaults to 2.
        exponent: of the compression. Defaults to 0.5.
        time_constant: float > 0, length of the past in seconds. Defaults to 0.4.
        eps: least level that is divided out. Defaults to 1e-6.
        initial: `"one"` or `"first"`, the past before the clip (see `PCEN`). Defaults to `"one"`.
        learnable: True, or names of the learned parameters of the normalization (see `PCEN`). Defaults to False.
        samples: length of the input. Defaults to None, any length.
        name: of the model.

    Returns:
        A functional model from `(batch, samples)` to `(batch, frames, n_mels)`.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> pcen_mel(22050, n_mels=64, samples=22050).output_shape
        (None, 44, 64)
    """
    for argument, value in (("scale", scale), ("time_constant", time_constant)):
        if value <= 0:
            raise ValueError(f"`{argument}` must be positive. Received: {argument}={value}")
    waveform = keras.Input((samples,), name="waveform")
    mel = MelSpectrogram(
        sample_rate,
        n_fft,
        hop_length,
        win_length=win_length,
        window=window,
        center=center,
        pad_mode=pad_mode,
        power=power,
        n_mels=n_mels,
        fmin=fmin,
        fmax=fmax,
        htk=htk,
        norm=norm,
        name="mel",
    )(waveform)
    if scale != 1:
        mel = keras.layers.Rescaling(scale, dtype="float32", name="scale")(mel)
    features = PCEN(
        smoothing_of_seconds(time_constant, sample_rate, hop_length),
        gain=gain,
        bias=bias,
        power=exponent,
        eps=eps,
        initial=initial,
        learnable=learnable,
        name="pcen",
    )(mel)
    return keras.Model(waveform, features, name=name)
