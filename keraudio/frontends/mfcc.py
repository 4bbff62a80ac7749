"""Mel-frequency cepstral coefficients of a waveform."""

import keras

from keraudio.layers import MFCC, Decibels, Delta, MelSpectrogram


def mfcc(
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
    mel_norm: str | None = "slaney",
    top_db: float | None = 80.0,
    n_mfcc: int = 20,
    dct_type: int = 2,
    norm: str | None = "ortho",
    lifter: float = 0.0,
    deltas: int = 0,
    delta_width: int = 9,
    samples: int | None = None,
    name: str = "mfcc",
) -> keras.Model:
    """A front end that gives cepstral coefficients, as `librosa.feature.mfcc`, and their derivatives.

    Everything is computed in float32; only the result is rounded to the dtype policy, so that its derivatives are not
    those of rounding.

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
        mel_norm: of the bands, `"slaney"` or None. Defaults to `"slaney"`.
        top_db: range below a clip's own maximum, in dB. Defaults to 80.
        n_mfcc: number of coefficients. Defaults to 20.
        dct_type: 1, 2 or 3, of the cosine transform. Defaults to 2.
        norm: of the cosine transform, `"ortho"` or None. Defaults to `"ortho"`.
        lifter: above 0, lifts the higher coefficients (see `MFCC`). Defaults to 0.
        deltas: 0, 1 or 2: the derivatives along the frames up to this order are further channels. Defaults to 0.
        delta_width: frames that a derivative is fitted to. Defaults to 9.
        samples: length of the input. Defaults to None, any length.
        name: of the model.

    Returns:
        A functional model from `(batch, samples)` to `(batch, frames, n_mfcc)`, or with `deltas` to
        `(batch, frames, n_mfcc, 1 + deltas)`.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> mfcc(22050, n_mfcc=13, deltas=2, samples=22050).output_shape
        (None, 44, 13, 3)
    """
    if deltas not in (0, 1, 2):
        raise ValueError(f"`deltas` must be 0, 1 or 2. Received: deltas={deltas}")
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
        norm=mel_norm,
        name="mel",
    )(waveform)
    decibels = Decibels(power, top_db=top_db, dtype="float32", name="decibels")(mel)
    coefficients = MFCC(
        n_mfcc, dct_type=dct_type, norm=norm, lifter=lifter, dtype="float32" if deltas else None, name="mfcc"
    )(decibels)
    if not deltas:
        return keras.Model(waveform, coefficients, name=name)
    channels = [coefficients]
    for order in range(1, deltas + 1):
        channels.append(Delta(delta_width, order, dtype="float32", name=f"delta_{order}")(coefficients))
    channels = [
        keras.layers.Reshape((-1, n_mfcc, 1), name=f"channel_{order}")(channel)
        for order, channel in enumerate(channels)
    ]
    return keras.Model(waveform, keras.layers.Concatenate(name="channels")(channels), name=name)
