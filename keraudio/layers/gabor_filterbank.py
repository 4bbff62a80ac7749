"""Complex Gabor filters of learned frequency and width (Zeghidour et al. 2021, LEAF)."""

import math
from functools import partial

import keras
import numpy as np
from keras import ops

from keraudio.layers.block_convolution import convolve
from keraudio.layers.mel_filterbank import hz_to_mel, mel_to_hz

_HALF_WIDTH = math.sqrt(2 * math.log(2))
"""Half the full width at half maximum of a Gaussian, in standard deviations."""


@keras.saving.register_keras_serializable(package="keraudio")
class GaborFilterbank(keras.layers.Layer):
    """Band-pass filters of a waveform: Gaussians times complex sinusoids, whose frequency and width are learned.

    They begin as a mel filterbank: a filter's frequency is where the mel filter peaks, and its response is as wide at
    half maximum as the root of the mel filter. `centers`, in radians a sample, stay within 0 and pi; `widths`, the
    Gaussians' standard deviations in samples, within those whose responses at half maximum are as wide as the sample
    rate over `kernel_size` and a quarter of it: after each training step both are put back into their range. Computed
    in float32 whatever the dtype policy, and returned as float32.

    Args:
        sample_rate: int > 0, sample rate of the waveform in Hz.
        filters: int > 0, number of filters. Defaults to 40.
        kernel_size: int >= 4, samples that a filter covers. Defaults to 401 (25 ms at 16 kHz).
        fmin: lowest edge of the mel filters in Hz. Defaults to 60.
        fmax: highest edge of the mel filters in Hz. Defaults to 0.4875 of the sample rate (7800 Hz at 16 kHz).
        power: 2 for the squared modulus; None for real and imaginary parts, as two channels at the end. Defaults to 2.

    Raises:
        ValueError: an argument is out of its range.

    Input shape:
        `(batch, samples)`.

    Output shape:
        `(batch, samples, filters)`, with 2 after it where `power` is None; padded with zeros as Keras' `"same"`.

    Example:
        >>> import numpy as np
        >>> GaborFilterbank(16000)(np.zeros((2, 1600), "float32")).shape
        (2, 1600, 40)
    """

    def __init__(
        self,
        sample_rate: int,
        filters: int = 40,
        *,
        kernel_size: int = 401,
        fmin: float = 60.0,
        fmax: float | None = None,
        power: int | None = 2,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        fmax = 0.4875 * sample_rate if fmax is None else fmax
        if sample_rate <= 0:
            raise ValueError(f"`sample_rate` must be positive. Received: sample_rate={sample_rate}")
        if filters < 1:
            raise ValueError(f"`filters` must be at least 1. Received: filters={filters}")
        if kernel_size < 4:
            raise ValueError(f"`kernel_size` must be at least 4. Received: kernel_size={kernel_size}")
        if not 0 <= fmin < fmax <= sample_rate / 2:
            raise ValueError(
                "`fmin` and `fmax` must satisfy 0 <= fmin < fmax <= sample_rate / 2. "
                f"Received: fmin={fmin}, fmax={fmax}, sample_rate={sample_rate}"
            )
        if power not in (2, None):
            raise ValueError(f"`power` must be 2 or None. Received: power={power}")
        self.sample_rate = sample_rate
        self.filters = filters
        self.kernel_size = kernel_size
        self.fmin = fmin
        self.fmax = fmax
        self.power = power

    def build(self, input_shape):
        centers, widths = mel_gabors(self.sample_rate, self.filters, fmin=self.fmin, fmax=self.fmax)
        self.centers = self._parameter("centers", centers, 0.0, math.pi)
        # As in LEAF: responses between 1 / kernel_size and 1/4 of the sample rate at half maximum.
        least, most = 4 * _HALF_WIDTH / math.pi, self.kernel_size * _HALF_WIDTH / math.pi
        self.widths = self._parameter("widths", widths, least, most)

    def _parameter(self, name: str, values: np.ndarray, least: float, most: float):
        return self.add_weight(
            name=name,
            shape=(self.filters,),
            dtype="float32",
            autocast=False,
            initializer=lambda shape, dtype=None: ops.convert_to_tensor(np.clip(values, least, most).astype("float32")),
            constraint=partial(ops.clip, x_min=least, x_max=most),
        )

    def call(self, inputs):
        y = convolve(ops.cast(inputs, "float32"), self._kernels())
        real, imag = y[..., : self.filters], y[..., self.filters :]
        return ops.stack([real, imag], axis=-1) if self.power is None else real * real + imag * imag

    def _kernels(self):
        """Real parts, then imaginary parts, `(kernel_size, 2 * filters)`."""
        times = ops.arange(self.kernel_size, dtype="float32")[:, None] - float(self.kernel_size // 2)
        widths = ops.convert_to_tensor(self.widths)
        envelopes = ops.exp(-0.5 * ops.square(times / widths)) / (math.sqrt(2 * math.pi) * widths)
        phases = times * ops.convert_to_tensor(self.centers)
        return ops.concatenate([envelopes * ops.cos(phases), envelopes * ops.sin(phases)], axis=1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:2], self.filters, *((2,) if self.power is None else ()))

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype="float32")

    def get_config(self):
        return {
            **super().get_config(),
            "sample_rate": self.sample_rate,
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "fmin": self.fmin,
            "fmax": self.fmax,
            "power": self.power,
        }


def mel_gabors(sample_rate: float, filters: int, *, fmin: float, fmax: float) -> tuple[np.ndarray, np.ndarray]:
    """Centre frequencies (radians a sample) and standard deviations (samples) of Gabors like HTK's mel filters.

    A triangle's root is at half its maximum where the triangle is at a quarter: 3/4 of the triangle's base apart. LEAF
    counts the bins of a 512-point spectrum instead, which is the same but for its rounding to bins.
    """
    low, high = hz_to_mel(np.array([fmin, fmax]), htk=True)
    edges = mel_to_hz(np.linspace(low, high, filters + 2), htk=True)
    full_widths = 0.75 * (edges[2:] - edges[:-2])
    return 2 * np.pi * edges[1:-1] / sample_rate, _HALF_WIDTH * sample_rate / (np.pi * full_widths)
