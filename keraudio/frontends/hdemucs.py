"""Hybrid Demucs: two U-Nets, over the waveform and over its spectrogram, that separate sources (Défossez 2021)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import keras
from keras import layers

from keraudio.layers import (
    AlignedISTFT,
    AlignedSTFT,
    AxisCropping,
    DConv,
    FrequencyEmbedding,
    GatedLinearUnit,
    ProductConv2D,
    ProductConv2DTranspose,
    ProductDense,
    RescaledUniform,
    Standardization,
)

_EPSILON = 1e-5


def hdemucs(
    samples: int,
    *,
    sources: int = 4,
    audio_channels: int = 2,
    sizes: Mapping[str, Any] | None = None,
    name: str = "hdemucs",
) -> keras.Model:
    """Hybrid Demucs, version 3: sources of a recording, each the sum of what the two branches say.

    Both branches standardize their input, example by example, and put mean and deviation back. The spectral branch
    strides along frequency until one bin is left, while the temporal one strides along time to as many frames; there
    they meet, and part again in the decoder. At the default sizes and four sources it has 83,637,832 parameters.
    Kernels are drawn as there, biases are zero.

    Args:
        samples: of the waveform.
        sources: how many. Defaults to 4.
        audio_channels: of the waveform. Defaults to 2.
        sizes: what differs from `HDemucsSizes`. Defaults to nothing.
        name: of the model.

    Returns:
        A functional model from `(batch, samples, audio_channels)` to `(batch, samples, sources * audio_channels)`,
        float32; source by source.

    Raises:
        ValueError: sizes do not fit one another, or the waveform is too short.

    Example:
        >>> sizes = {"channels": 8, "n_fft": 256, "depth": 4, "dconv_starts": 3, "norm_starts": 3}
        >>> hdemucs(4000, sources=2, sizes=sizes).output_shape
        (None, 4000, 4)
    """
    waveform = keras.Input((samples, audio_channels), name="waveform")
    spectrum, waveforms = separate(waveform, sources, demucs_sizes(sizes))
    x = AlignedISTFT(samples, name="istft")(spectrum)
    outputs = layers.Add(dtype="float32", name="sum")([x, waveforms])
    return keras.Model(waveform, outputs, name=name)


@dataclass(frozen=True)
class HDemucsSizes:
    """Sizes of Hybrid Demucs; the defaults are those of its version 3.

    Attributes:
        channels: of the first layer.
        growth: by which each further layer has more.
        depth: layers of the encoder, and of the decoder.
        n_fft: samples of a frame; its half must shrink to one bin by strides of `stride`.
        kernel_size: of strided convolutions.
        stride: of both branches.
        time_stride: along time, once there is one bin.
        context: frames and bins to each side that the decoder's gated convolutions see.
        norm_starts: first layer with group normalization.
        norm_groups: of it.
        dconv_depth: branches in each encoder layer's `DConv`.
        dconv_compress: by which their channels are divided.
        dconv_starts: first layer whose `DConv` has LSTMs and attention.
        max_steps: of the LSTMs.
        heads: of the attention.
        embedding: of the frequencies, what it is multiplied by.
    """

    channels: int = 48
    growth: int = 2
    depth: int = 6
    n_fft: int = 4096
    kernel_size: int = 8
    stride: int = 4
    time_stride: int = 2
    context: int = 1
    norm_starts: int = 4
    norm_groups: int = 4
    dconv_depth: int = 2
    dconv_compress: int = 4
    dconv_starts: int = 4
    max_steps: int | None = 200
    heads: int = 4
    embedding: float = 0.2

    def layers(self) -> list["_LayerSizes"]:
        """From the outermost to the innermost.

        Raises:
            ValueError: they do not fit one another.
        """
        bins, found = self.n_fft // 2, []
        for number in range(self.depth):
            one = _LayerSizes(number, self.channels * self.growth**number, self.kernel_size, self.stride)
            if bins == 1:
                one = replace(one, temporal=True, kernel_size=2 * self.time_stride, stride=self.time_stride)
            elif bins <= self.kernel_size:
                one, bins = replace(one, merges=True, kernel_size=bins), 1
            else:
                bins //= self.stride
            found.append(one)
        spectral = sum(not one.temporal for one in found)
        if bins != 1 or self.stride**spectral != self.n_fft // 4 or self.kernel_size != 2 * self.stride:
            raise ValueError(
                "Bins must shrink to 1 as samples do to frames: `n_fft` = 4 * `stride` ** spectral layers, and "
                f"`kernel_size` = 2 * `stride`. Received: n_fft={self.n_fft}, stride={self.stride}, "
                f"kernel_size={self.kernel_size}, depth={self.depth}"
            )
        return found


@dataclass(frozen=True)
class _LayerSizes:
    """A layer of encoder and decoder: the one that merges has a kernel over all bins; temporal ones come behind it."""

    number: int
    channels: int
    kernel_size: int
    stride: int
    merges: bool = False
    temporal: bool = False


def demucs_sizes(sizes: Mapping[str, Any] | None) -> HDemucsSizes:
    """The default sizes with some changed.

    Raises:
        ValueError: there is no such size.
    """
    known = HDemucsSizes.__dataclass_fields__
    if unknown := [size for size in sizes or {} if size not in known]:
        raise ValueError(f"Sizes of Hybrid Demucs are {', '.join(known)}. Received: {unknown[0]!r}")
    return HDemucsSizes(**(sizes or {}))


def separate(waveform: Any, sources: int, sizes: HDemucsSizes) -> tuple[Any, Any]:
    """What the spectral and the temporal branch say of a waveform; their sum is what `hdemucs` gives.

    Args:
        waveform: `(batch, samples, channels)`.
        sources: how many.
        sizes: of the network.

    Returns:
        `(batch, frames, n_fft // 2, sources * channels * 2)` and `(batch, samples, sources * channels)`.

    Raises:
        ValueError: sizes do not fit one another, or the waveform is too short.
    """
    if sources < 1:
        raise ValueError(f"`sources` must be at least 1. Received: sources={sources}")
    built = sizes.layers()
    samples, channels = waveform.shape[1:]
    spectrum = AlignedSTFT(sizes.n_fft, name="stft")(waveform)
    x, mean, deviation = Standardization(name="standardized")(spectrum)
    time, time_mean, time_deviation = Standardization(name="time_standardized")(waveform)
    time = layers.Reshape((samples, 1, channels), dtype="float32", name="time_bin")(time)

    skips, time_skips, frames, time_frames = [], [], [], []
    for one in built:
        injected = None
        frames.append(x.shape[1])
        if not one.temporal:
            time_frames.append(time.shape[1])
            time = _strided(time, one, sizes, "time_", along_time=True)
            if one.merges:
                injected = time
            else:
                time = _encoded(time, one, sizes, "time_")
                time_skips.append(time)
        x = _strided(x, one, sizes, "", along_time=one.temporal)
        if injected is not None:
            x = layers.Add(name="merged")([x, injected])
        x = _encoded(x, one, sizes, "")
        if one.number == 0 and sizes.embedding:
            x = FrequencyEmbedding(sizes.embedding, name="frequency_embedding")(x)
        skips.append(x)

    out: Any = None
    for one in reversed(built):
        last = one.number == 0
        skip = skips.pop()
        x = skip if out is None else layers.Add(name=f"decoder_{one.number}_skip")([out, skip])
        before = _decoded(x, one, sizes, "", along_time=one.temporal)
        width = 2 * sources * channels if last else built[one.number - 1].channels
        out = _widened(before, width, one, sizes, "", along_time=one.temporal, frames=frames.pop())
        if not one.temporal:
            if one.merges:
                time = before
            else:
                time = layers.Add(name=f"time_decoder_{one.number}_skip")([time, time_skips.pop()])
                time = _decoded(time, one, sizes, "time_", along_time=True)
            width = sources * channels if last else built[one.number - 1].channels
            time = _widened(time, width, one, sizes, "time_", along_time=True, frames=time_frames.pop())

    options = {"dtype": "float32"}
    x = layers.Multiply(name="deviation", **options)([out, deviation])
    x = layers.Add(name="mean", **options)([x, mean])
    time = layers.Reshape((samples, sources * channels), name="time_channels", **options)(time)
    time = layers.Multiply(name="time_deviation", **options)([time, time_deviation])
    return x, layers.Add(name="time_mean", **options)([time, time_mean])


def _convolution(kind: type[keras.Layer], filters: int, size: tuple[int, int], **options: Any) -> keras.Layer:
    return kind(filters, size, data_format="channels_last", kernel_initializer=RescaledUniform(), **options)


def _oriented(size: int, *, along_time: bool) -> tuple[int, int]:
    return (size, 1) if along_time else (1, size)


def _norm(x: Any, one: _LayerSizes, sizes: HDemucsSizes, name: str) -> Any:
    if one.number < sizes.norm_starts:
        return x
    return layers.GroupNormalization(sizes.norm_groups, epsilon=_EPSILON, name=name)(x)


def _strided(x: Any, one: _LayerSizes, sizes: HDemucsSizes, branch: str, *, along_time: bool) -> Any:
    """The convolution that begins an encoder layer: a stride along frequency, or of the temporal branch along time."""
    temporal_branch = branch == "time_"
    # Where the spectral branch takes all its bins at once, the temporal one strides as ever.
    size = sizes.kernel_size if temporal_branch else one.kernel_size
    stride = sizes.stride if temporal_branch else one.stride
    if along_time and (missing := -x.shape[1] % stride):
        padding = ((0, missing), (0, 0))
        x = layers.ZeroPadding2D(padding, data_format="channels_last", name=f"{branch}encoder_{one.number}_padded")(x)
    convolution = _convolution(
        ProductConv2D,
        one.channels,
        _oriented(size, along_time=along_time),
        strides=_oriented(stride, along_time=along_time),
        padding="valid" if one.merges and not temporal_branch else "same",
        name=f"{branch}encoder_{one.number}_conv",
    )
    return convolution(x)


def _encoded(x: Any, one: _LayerSizes, sizes: HDemucsSizes, branch: str) -> Any:
    """The rest of an encoder layer: residual branches and a gated dense layer."""
    name = f"{branch}encoder_{one.number}"
    x = layers.Activation("gelu", name=f"{name}_gelu")(_norm(x, one, sizes, f"{name}_norm_1"))
    deep = one.number >= sizes.dconv_starts
    x = DConv(
        sizes.dconv_depth,
        compress=sizes.dconv_compress,
        lstm=deep,
        attention=deep,
        max_steps=sizes.max_steps,
        heads=sizes.heads,
        kernel_initializer=RescaledUniform(),
        name=f"{name}_dconv",
    )(x)
    x = ProductDense(2 * one.channels, kernel_initializer=RescaledUniform(), name=f"{name}_rewrite")(x)
    return GatedLinearUnit(name=f"{name}_gated")(_norm(x, one, sizes, f"{name}_norm_2"))


def _decoded(x: Any, one: _LayerSizes, sizes: HDemucsSizes, branch: str, *, along_time: bool) -> Any:
    """The gated convolution that begins a decoder layer."""
    name, size = f"{branch}decoder_{one.number}", 1 + 2 * sizes.context
    rewrite = _convolution(
        ProductConv2D,
        2 * one.channels,
        (size, 1 if along_time else size),
        padding="same",
        name=f"{name}_rewrite",
    )
    return GatedLinearUnit(name=f"{name}_gated")(_norm(rewrite(x), one, sizes, f"{name}_norm_1"))


def _widened(
    x: Any, width: int, one: _LayerSizes, sizes: HDemucsSizes, branch: str, *, along_time: bool, frames: int
) -> Any:
    """The transposed convolution that ends a decoder layer, cut to as many frames as its encoder layer took.

    What is cut off has been normalized with the rest, as there.
    """
    name, temporal_branch = f"{branch}decoder_{one.number}", branch == "time_"
    size = sizes.kernel_size if temporal_branch else one.kernel_size
    stride = sizes.stride if temporal_branch else one.stride
    convolution = _convolution(
        ProductConv2DTranspose,
        width,
        _oriented(size, along_time=along_time),
        strides=_oriented(stride, along_time=along_time),
        padding="valid",
        name=f"{name}_conv",
    )
    x = _norm(convolution(x), one, sizes, f"{name}_norm_2")
    if temporal_branch or not one.merges:
        edge = size // 4
        axis, length = (1, frames) if along_time else (2, x.shape[2] - 2 * edge)
        x = AxisCropping(axis, start=edge, length=length, name=f"{name}_cropped")(x)
    return x if one.number == 0 else layers.Activation("gelu", name=f"{name}_gelu")(x)
