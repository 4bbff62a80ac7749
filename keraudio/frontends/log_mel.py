"""Log-mel spectrogram of a waveform."""

import keras

from keraudio.layers import (
    Decibels,
    LogCompression,
    MelSpectrogram,
    PeakNormalization,
    RangeNormalization,
    RunningNormalization,
)


def log_mel(
    sample_rate: int,
    *,
    n_fft: int = 1024,
    hop_length: int = 512,
    win_length: int | None = None,
    window: str = "hann",
    center: bool = True,
    pad_mode: str = "constant",
    power: float = 2.0,
    n_mels: int = 128,
    fmin: float = 0.0,
    fmax: float | None = None,
    htk: bool = False,
    norm: str | None = "slaney",
    learnable: bool = False,
    compression: str = "decibels",
    scale: float = 10.0,
    base: float | None = None,
    top_db: float | None = 80.0,
    normalize: bool = False,
    rescale: bool = False,
    peak: bool = False,
    frames: int | None = None,
    samples: int | None = None,
    name: str = "log_mel",
) -> keras.Model:
    """A front end that gives the log-mel spectrogram, as librosa computes it.

    Args:
        sample_rate: of the waveform, in Hz.
        n_fft: samples a frame is transformed over. Defaults to 1024.
        hop_length: samples between successive frames. Defaults to 512.
        win_length: samples that the window covers. Defaults to `n_fft`.
        window: name of the window. Defaults to `"hann"`.
        center: frames centred at multiples of `hop_length`. Defaults to True.
        pad_mode: `"constant"` or `"reflect"`. Defaults to `"constant"`.
        power: exponent of the magnitude, 1 or 2. Defaults to 2.
        n_mels: number of mel bands. Defaults to 128.
        fmin: lowest frequency in Hz. Defaults to 0.
        fmax: highest frequency in Hz. Defaults to half the sample rate.
        htk: HTK's mel scale instead of Slaney's. Defaults to False.
        norm: `"slaney"` or None. Defaults to `"slaney"`.
        learnable: the mel matrix is trained, kept at 0 or above. Defaults to False.
        compression: `"decibels"` or `"log"`, which is `log(1 + scale * x)`. Defaults to `"decibels"`.
        scale: of `"log"`. Defaults to 10.
        base: of the logarithm of `"log"`. Defaults to None, the natural one.
        top_db: range of `"decibels"` below a clip's own maximum, in dB. Defaults to 80.
        normalize: subtract the mean of all values in the training data and divide by their deviation, as gathered while
            training (`keraudio.layers.RunningNormalization`). Defaults to False.
        rescale: map the least and the greatest value of the training data, as gathered while training, to -1 and 1
            (`keraudio.layers.RangeNormalization`). Defaults to False.
        peak: divide each waveform by its greatest absolute value first (`keraudio.layers.PeakNormalization`). Defaults
            to False.
        frames: keep so many of the first frames. Centred frames of a window of n hops are n + 1. Defaults to None, all.
        samples: length of the input. Defaults to None, any length.
        name: of the model.

    Returns:
        A functional model from `(batch, samples)` to `(batch, frames, n_mels)`.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> log_mel(22050, n_mels=64, samples=22050).output_shape
        (None, 44, 64)
    """
    if compression not in ("decibels", "log"):
        raise ValueError(f"`compression` must be 'decibels' or 'log'. Received: compression={compression!r}")
    waveform = keras.Input((samples,), name="waveform")
    sound = PeakNormalization(name="peak")(waveform) if peak else waveform
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
        learnable=learnable,
        name="mel",
    )(sound)
    if compression == "decibels":
        features = Decibels(power, top_db=top_db, name="decibels")(mel)
    else:
        features = LogCompression(scale, base=base, name="log")(mel)
    if frames is not None:
        given = features.shape[1]
        if given is None or not 1 <= frames <= given:
            raise ValueError(
                f"`frames` must be 1 to the number of frames, which `samples` decides. Received: frames={frames}, "
                f"samples={samples}, which gives {given}"
            )
        features = keras.layers.Cropping1D((0, given - frames), name="first_frames")(features)
    if normalize:
        features = RunningNormalization(axis="all", name="normalization")(features)
    if rescale:
        features = RangeNormalization(name="range")(features)
    return keras.Model(waveform, features, name=name)
