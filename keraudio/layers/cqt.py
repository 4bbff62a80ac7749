"""Constant-Q transform with librosa's conventions."""

import keras
from keras import ops

from keraudio.layers.constant_q import C1, WINDOWS, filter_lengths, octave_filters, padding
from keraudio.layers.decimation import REACH, halve_rate
from keraudio.layers.framing import frame_signal, pad_signal, sample_count
from keraudio.layers.stft import power_of_square


@keras.saving.register_keras_serializable(package="keraudio")
class CQT(keras.layers.Layer):
    """Constant-Q (or variable-Q) transform of a waveform, as magnitude, power or real and imaginary parts.

    The filters are those of `librosa.cqt` at the waveform's own rate, and the result is theirs to 2e-5 of the peak. Low
    octaves are computed at lower rates (Schörkhuber and Klapuri 2010), with the samples of these filters that fall
    there, so any hop will do. librosa makes its filters anew in whole samples of the lower rates, which moves its
    result by 1 % of the peak or more; where it stays at the waveform's rate, as with an odd hop, the two agree to 1e-4.
    Computed in float32 whatever the dtype policy, and returned as float32.

    Args:
        sample_rate: int > 0, sample rate of the waveform in Hz.
        hop_length: int > 0, samples between successive frames. Defaults to 512.
        fmin: float > 0, frequency of the lowest bin in Hz. Defaults to 32.7, the note C1.
        n_bins: int > 0, number of bins. Defaults to 84, 7 octaves.
        bins_per_octave: int > 0. Defaults to 12.
        filter_scale: float > 0, length of the filters; below 1 they tell times better and frequencies worse.
            Defaults to 1.
        gamma: float >= 0, bandwidth in Hz added to each filter's (variable Q), or None for bandwidths that are a
            constant share of the ear's, as in `librosa.vqt`. Defaults to 0.
        window: `"hann"` or `"blackman"`, periodic. Defaults to `"hann"`.
        norm: 1 or 2, each filter's norm, or None for windows of peak 1. Defaults to 1.
        scale: if True, filters are multiplied by the root of their length, else by their length. Defaults to True.
        pad_mode: `"constant"` (zeros) or `"reflect"`: what stands beyond the ends. Defaults to `"constant"`.
        power: exponent of the magnitude: 1 for magnitude, 2 for power; None for real and imaginary parts, as two
            channels at the end. Defaults to 1.

    Raises:
        ValueError: an argument is out of its range, or the highest filter reaches beyond half the sample rate or
            has less than 2 samples.

    Input shape:
        `(batch, samples)` or `(batch, samples, channels)`.

    Output shape:
        `(batch, frames, n_bins)`, with `channels` after it where the input has them, and 2 after that where `power` is
        None. Frame `t` is centred at sample `t * hop_length`, and `frames` is `1 + samples // hop_length`.

    Example:
        >>> import numpy as np
        >>> CQT(22050)(np.zeros((2, 22050), "float32")).shape
        (2, 44, 84)
    """

    def __init__(
        self,
        sample_rate: int,
        hop_length: int = 512,
        *,
        fmin: float = C1,
        n_bins: int = 84,
        bins_per_octave: int = 12,
        filter_scale: float = 1.0,
        gamma: float | None = 0.0,
        window: str = "hann",
        norm: int | None = 1,
        scale: bool = True,
        pad_mode: str = "constant",
        power: float | None = 1.0,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        counts = {"hop_length": hop_length, "n_bins": n_bins, "bins_per_octave": bins_per_octave}
        for name, count in counts.items():
            if count < 1:
                raise ValueError(f"`{name}` must be at least 1. Received: {name}={count}")
        for name, value in (("sample_rate", sample_rate), ("fmin", fmin), ("filter_scale", filter_scale)):
            if value <= 0:
                raise ValueError(f"`{name}` must be positive. Received: {name}={value}")
        if gamma is not None and gamma < 0:
            raise ValueError(f"`gamma` must be at least 0 or None. Received: gamma={gamma}")
        if window not in WINDOWS:
            raise ValueError(f"`window` must be one of {', '.join(WINDOWS)}. Received: window={window!r}")
        if norm not in (1, 2, None):
            raise ValueError(f"`norm` must be 1, 2 or None. Received: norm={norm!r}")
        if pad_mode not in ("constant", "reflect"):
            raise ValueError(f"`pad_mode` must be 'constant' or 'reflect'. Received: pad_mode={pad_mode!r}")
        if power is not None and power <= 0:
            raise ValueError(f"`power` must be positive or None. Received: power={power}")
        self.sample_rate = sample_rate
        self.hop_length = hop_length
        self.fmin = fmin
        self.n_bins = n_bins
        self.bins_per_octave = bins_per_octave
        self.filter_scale = filter_scale
        self.gamma = gamma
        self.window = window
        self.norm = norm
        self.scale = scale
        self.pad_mode = pad_mode
        self.power = power
        frequencies, lengths, ends = filter_lengths(
            sample_rate,
            fmin=fmin,
            n_bins=n_bins,
            bins_per_octave=bins_per_octave,
            filter_scale=filter_scale,
            gamma=gamma,
            window=window,
        )
        if ends[-1] > sample_rate / 2 or lengths[-1] < 2:
            raise ValueError(
                "The highest filter must end below half the sample rate and have at least 2 samples. "
                f"Received: fmin={fmin}, n_bins={n_bins}, filter_scale={filter_scale}, sample_rate={sample_rate}: "
                f"it ends at {ends[-1]:.0f} Hz and has {lengths[-1]:.0f} samples"
            )
        self._octaves = []
        for end in range(n_bins, 0, -bins_per_octave):
            bins = slice(max(0, end - bins_per_octave), end)
            self._octaves.append(
                octave_filters(
                    frequencies[bins] / sample_rate, lengths[bins], hop_length, window=window, norm=norm, scale=scale
                )
            )
        self._padding = padding(self._octaves)

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        multichannel = len(x.shape) == 3
        if multichannel:
            x = ops.transpose(x, (0, 2, 1))
        frames = 1 + sample_count(x) // self.hop_length
        x = pad_signal(x, self._padding, self.pad_mode)
        leading = ops.shape(x)[:-1]
        halvings, origin = 0, self._padding
        octaves = []
        for octave in self._octaves:
            while halvings < octave.halvings:
                x = halve_rate(x)
                halvings, origin = halvings + 1, origin // 2 - REACH
            width, columns = octave.filters.shape
            count = 1 + (frames - 1) // octave.frames
            rows = frame_signal(x[..., origin - octave.before :], width, octave.hop, count)
            response = ops.matmul(rows, ops.convert_to_tensor(octave.filters))
            response = ops.reshape(response, (*leading, -1, 2, columns // (2 * octave.frames)))
            octaves.append(response[..., :frames, :, :])
        parts = ops.concatenate(octaves[::-1], axis=-1)
        if self.power is None:
            spectrum = ops.swapaxes(parts, -1, -2)
        else:
            spectrum = power_of_square(ops.sum(parts * parts, axis=-2), self.power)
        if multichannel:
            spectrum = ops.moveaxis(spectrum, 1, 3)
        return spectrum

    def compute_output_shape(self, input_shape):
        frames = None if input_shape[1] is None else 1 + input_shape[1] // self.hop_length
        parts = (2,) if self.power is None else ()
        return (input_shape[0], frames, self.n_bins, *input_shape[2:], *parts)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype="float32")

    def get_config(self):
        return {
            **super().get_config(),
            "sample_rate": self.sample_rate,
            "hop_length": self.hop_length,
            "fmin": self.fmin,
            "n_bins": self.n_bins,
            "bins_per_octave": self.bins_per_octave,
            "filter_scale": self.filter_scale,
            "gamma": self.gamma,
            "window": self.window,
            "norm": self.norm,
            "scale": self.scale,
            "pad_mode": self.pad_mode,
            "power": self.power,
        }
