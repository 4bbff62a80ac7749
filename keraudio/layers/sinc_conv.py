"""Band-pass filters of learned cut-off frequencies (Ravanelli and Bengio 2018, SincNet)."""

import math
from functools import partial

import keras
import numpy as np
from keras import ops

from keraudio.layers.block_convolution import convolve, convolved_length
from keraudio.layers.mel_filterbank import hz_to_mel, mel_to_hz


@keras.saving.register_keras_serializable(package="keraudio")
class SincConv(keras.layers.Layer):
    """Ideal band-pass filters of a waveform, cut to a Hamming window; their lower edges and bandwidths are learned.

    The bands begin side by side and equally wide in mels (HTK), from `min_low_hz` to `min_low_hz + min_band_hz` below
    half the sample rate, as in the authors' code. `lows` and `bands` are shares of the sample rate; after each training
    step they are put back above their least values and below half the sample rate, beyond which a band is cut off. A
    filter's middle tap is 1, as in the authors' code, so that a band's gain is half the sample rate over its width.
    Computed in float32 whatever the dtype policy, and returned as float32.

    Args:
        sample_rate: int > 0, sample rate of the waveform in Hz.
        filters: int > 0, number of filters. Defaults to 80.
        kernel_size: int > 0 and odd, samples that a filter covers. Defaults to 251.
        strides: int > 0, samples between successive outputs. Defaults to 1.
        padding: `"same"` or `"valid"`, as in Keras. Defaults to `"same"`.
        min_low_hz: float >= 0, least lower edge in Hz. Defaults to 50.
        min_band_hz: float > 0, least bandwidth in Hz. Defaults to 50.

    Raises:
        ValueError: an argument is out of its range.

    Input shape:
        `(batch, samples)`.

    Output shape:
        `(batch, outputs, filters)`; `outputs` is `ceil(samples / strides)` where `padding` is `"same"`, else
        `1 + (samples - kernel_size) // strides`, at least 1.

    Example:
        >>> import numpy as np
        >>> layer = SincConv(16000)
        >>> layer(np.zeros((2, 1600), "float32")).shape
        (2, 1600, 80)
        >>> layer.count_params()
        160
    """

    def __init__(
        self,
        sample_rate: int,
        filters: int = 80,
        *,
        kernel_size: int = 251,
        strides: int = 1,
        padding: str = "same",
        min_low_hz: float = 50.0,
        min_band_hz: float = 50.0,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        if sample_rate <= 0:
            raise ValueError(f"`sample_rate` must be positive. Received: sample_rate={sample_rate}")
        if filters < 1:
            raise ValueError(f"`filters` must be at least 1. Received: filters={filters}")
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"`kernel_size` must be positive and odd. Received: kernel_size={kernel_size}")
        if strides < 1:
            raise ValueError(f"`strides` must be at least 1. Received: strides={strides}")
        if padding not in ("same", "valid"):
            raise ValueError(f"`padding` must be 'same' or 'valid'. Received: padding={padding!r}")
        if min_low_hz < 0 or min_band_hz <= 0 or min_low_hz + min_band_hz > sample_rate / 4:
            raise ValueError(
                "`min_low_hz` must be at least 0, `min_band_hz` positive, and their sum at most sample_rate / 4. "
                f"Received: min_low_hz={min_low_hz}, min_band_hz={min_band_hz}, sample_rate={sample_rate}"
            )
        self.sample_rate = sample_rate
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.padding = padding
        self.min_low_hz = min_low_hz
        self.min_band_hz = min_band_hz
        half = kernel_size // 2
        self._times = np.arange(-half, half + 1, dtype="float32")[:, None]
        self._window = np.hamming(kernel_size).astype("float32")[:, None]

    def build(self, input_shape):
        highest = self.sample_rate / 2 - self.min_low_hz - self.min_band_hz
        low, high = hz_to_mel(np.array([self.min_low_hz, highest]), htk=True)
        edges = mel_to_hz(np.linspace(low, high, self.filters + 1), htk=True)
        self.lows = self._parameter("lows", edges[:-1], self.min_low_hz, self.sample_rate / 2 - self.min_band_hz)
        self.bands = self._parameter("bands", np.diff(edges), self.min_band_hz, self.sample_rate / 2)

    def _parameter(self, name: str, hertz: np.ndarray, least: float, most: float):
        """A weight of shares of the sample rate."""
        values = (np.clip(hertz, least, most) / self.sample_rate).astype("float32")
        return self.add_weight(
            name=name,
            shape=(self.filters,),
            dtype="float32",
            autocast=False,
            initializer=lambda shape, dtype=None: ops.convert_to_tensor(values),
            constraint=partial(ops.clip, x_min=least / self.sample_rate, x_max=most / self.sample_rate),
        )

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        return convolve(x, self._kernels(), strides=self.strides, padding=self.padding)

    def _kernels(self):
        """The filters, `(kernel_size, filters)`.

        The difference of two low-passes, written as a product: `(sin(b n) - sin(a n)) / ((b - a) n)` is a cosine at
        the mean of a and b times a sinc of half their difference, and loses no digits where the band is narrow.
        """
        times = ops.convert_to_tensor(self._times)
        low = ops.convert_to_tensor(self.lows)
        high = ops.minimum(low + ops.convert_to_tensor(self.bands), 0.5)
        middle = times == 0
        angles = math.pi * (high - low) * ops.where(middle, 1.0, times)
        envelopes = ops.where(middle, 1.0, ops.sin(angles) / angles)
        return ops.cos(math.pi * (high + low) * times) * envelopes * ops.convert_to_tensor(self._window)

    def compute_output_shape(self, input_shape):
        outputs = convolved_length(input_shape[1], self.kernel_size, self.strides, self.padding)
        return (input_shape[0], outputs, self.filters)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype="float32")

    def get_config(self):
        return {
            **super().get_config(),
            "sample_rate": self.sample_rate,
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "min_low_hz": self.min_low_hz,
            "min_band_hz": self.min_band_hz,
        }
