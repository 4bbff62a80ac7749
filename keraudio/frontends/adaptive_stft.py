"""Log-mel spectrogram whose transform is learned."""

import keras

from keraudio.layers import AdaptiveSTFT, LogCompression, MelFilterbank


def adaptive_stft(
    sample_rate: int,
    *,
    n_fft: int = 1024,
    hop_length: int = 512,
    win_length: int | None = None,
    window: str = "hann",
    center: bool = False,
    pad_mode: str = "constant",
    power: float = 1.0,
    learn_window: bool = True,
    kernels: str = "free",
    learn_kernels: bool | None = None,
    rank: int = 8,
    transforms: int = 1,
    mode: str = "magnitude",
    n_mels: int | None = 128,
    fmin: float = 0.0,
    fmax: float | None = None,
    htk: bool = False,
    norm: str | None = "slaney",
    scale: float = 10.0,
    base: float | None = 10.0,
    activation: str | None = None,
    samples: int | None = None,
    name: str = "adaptive_stft",
) -> keras.Model:
    """A front end whose window and DFT kernels are learned (adaptive STFT, "STFT Layer implementation").

    Adaptive STFT, then mel bands, then `log(1 + scale * x)`. The defaults are the authors' code: no padding,
    magnitudes, 128 bands, `log10(1 + 10 x)`. With `kernels="fixed", learn_window=False` it is a plain spectrogram,
    the paper's basic run.

    Args:
        sample_rate: of the waveform, in Hz.
        n_fft: samples a frame is transformed over. Defaults to 1024.
        hop_length: samples between successive frames. Defaults to 512.
        win_length: samples that the window covers. Defaults to `n_fft`.
        window: name of the window at the start. Defaults to `"hann"`.
        center: frames centred at multiples of `hop_length`. Defaults to False.
        pad_mode: `"constant"` or `"reflect"`. Defaults to `"constant"`.
        power: exponent of the magnitude. Defaults to 1.
        learn_window: the window is trained. Defaults to True.
        kernels: `"free"`, `"low_rank"` or `"fixed"`, see `keraudio.layers.AdaptiveSTFT`. Defaults to `"free"`.
        learn_kernels: the kernels are trained. Defaults to True where there are any.
        rank: of the low-rank change. Defaults to 8.
        transforms: transforms side by side, as channels. Defaults to 1.
        mode: `"magnitude"`, or `"real"` for the authors' reading. Defaults to `"magnitude"`.
        n_mels: number of mel bands; None leaves the transform's own bins. Defaults to 128.
        fmin: lowest frequency in Hz. Defaults to 0.
        fmax: highest frequency in Hz. Defaults to half the sample rate.
        htk: HTK's mel scale instead of Slaney's. Defaults to False.
        norm: `"slaney"` or None. Defaults to `"slaney"`.
        scale: of the logarithm. Defaults to 10.
        base: of the logarithm; None for the natural one. Defaults to 10.
        activation: name of a function of Keras behind the logarithm, such as `"leaky_relu"` (the paper's future work,
            section 0.10). Defaults to None.
        samples: length of the input. Defaults to None, any length.
        name: of the model.

    Returns:
        A functional model from `(batch, samples)` to `(batch, frames, bands)`, with `transforms` after it where there
        is more than one.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> adaptive_stft(22050, transforms=3, samples=56317).output_shape
        (None, 108, 128, 3)
    """
    waveform = keras.Input((samples,), name="waveform")
    features = AdaptiveSTFT(
        n_fft,
        hop_length,
        win_length=win_length,
        window=window,
        center=center,
        pad_mode=pad_mode,
        power=power,
        learn_window=learn_window,
        kernels=kernels,
        learn_kernels=learn_kernels,
        rank=rank,
        transforms=transforms,
        mode=mode,
        name="stft",
    )(waveform)
    if n_mels is not None:
        features = MelFilterbank(
            sample_rate, n_mels, fmin=fmin, fmax=fmax, htk=htk, norm=norm, n_fft=n_fft, name="mel"
        )(features)
    features = LogCompression(scale, base=base, name="log")(features)
    if activation is not None:
        features = keras.layers.Activation(activation, name="activation")(features)
    return keras.Model(waveform, features, name=name)
