"""Log-mel filterbank features of a waveform, as Kaldi computes them."""

import math

import keras

from keraudio.layers import Decibels, KaldiSpectrogram, MelFilterbank

# float32's smallest step above 1, Kaldi's floor under the logarithm.
_FLOOR = 1.192092955078125e-07


def kaldi_fbank(
    sample_rate: int,
    *,
    frame_seconds: float = 0.025,
    hop_seconds: float = 0.01,
    preemphasis: float = 0.97,
    n_mels: int = 128,
    fmin: float = 20.0,
    fmax: float | None = None,
    frames: int | None = None,
    samples: int | None = None,
    name: str = "kaldi_fbank",
) -> keras.Model:
    """A front end that gives Kaldi's log-mel filterbank features, which AST was trained on.

    The natural logarithm of HTK's mel bands of a power spectrogram (`keraudio.layers.KaldiSpectrogram`). For a window
    of a whole model, as AST's code has it, frames that are missing at the end are zeros in the logarithm, too.

    Args:
        sample_rate: of the waveform, in Hz.
        frame_seconds: length of a frame. Defaults to 0.025.
        hop_seconds: from one frame to the next. Defaults to 0.01.
        preemphasis: between 0 and 1. Defaults to 0.97.
        n_mels: number of mel bands. Defaults to 128.
        fmin: lowest frequency in Hz. Defaults to 20.
        fmax: highest frequency in Hz. Defaults to half the sample rate.
        frames: how many there are: what is missing is zeros, what is too much is left out; needs `samples`. Defaults to
            None, as many as there are.
        samples: length of the input. Defaults to None, any length.
        name: of the model.

    Returns:
        A functional model from `(batch, samples)` to `(batch, frames, n_mels)`.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> kaldi_fbank(16000, frames=1024, samples=160000).output_shape
        (None, 1024, 128)
    """
    if frames is not None and (frames < 1 or samples is None):
        raise ValueError(
            f"`frames` must be at least 1, and needs `samples`. Received: frames={frames}, samples={samples}"
        )
    waveform = keras.Input((samples,), name="waveform")
    x = KaldiSpectrogram(
        round(frame_seconds * sample_rate),
        round(hop_seconds * sample_rate),
        preemphasis=preemphasis,
        name="spectrogram",
    )(waveform)
    x = MelFilterbank(sample_rate, n_mels, fmin=fmin, fmax=fmax, htk=True, norm=None, slopes="mel", name="mel")(x)
    x = Decibels(amin=_FLOOR, top_db=None, name="decibels")(x)
    x = keras.layers.Rescaling(math.log(10) / 10, name="natural_log")(x)
    if frames is not None:
        given = x.shape[1]
        if given > frames:
            x = keras.layers.Cropping1D((0, given - frames), name="first_frames")(x)
        elif given < frames:
            x = keras.layers.ZeroPadding1D((0, frames - given), name="missing_frames")(x)
    return keras.Model(waveform, x, name=name)
