"""What a front end that learned another's output gives, and the filters with which it does so."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keraudio.errors import KeraudioError
from keraudio.visualize.figure import BLUE, new_figure, save_figure

_SHOWN = 12


def save_transform_figure(
    comparisons: Sequence[tuple[str, np.ndarray, np.ndarray]],
    out: Path,
    *,
    title: str,
    limits: tuple[float, float] = (-1.0, 1.0),
) -> None:
    """Draws target and prediction of each sound side by side, with one scale (Tax et al. 2017, figure 1).

    Args:
        comparisons: name, target and prediction of each, `(frames, bins)`.
        out: a `.png`, `.svg` or `.pdf` file.
        title: above the picture.
        limits: values of the darkest and the brightest colour. Defaults to -1 and 1.

    Raises:
        KeraudioError: matplotlib is not installed, or the file cannot be written.
    """
    figure = new_figure(9, 1.7 * len(comparisons) + 0.6)
    panels = figure.subplots(len(comparisons), 2, sharex=True, sharey=True, squeeze=False)
    image: Any = None
    for row, (name, target, learned) in zip(panels, comparisons, strict=True):
        for axes, values, part in zip(row, (target, learned), ("target", "prediction"), strict=True):
            image = axes.imshow(values.T, origin="lower", aspect="auto", cmap="magma", vmin=limits[0], vmax=limits[1])
            axes.set_title(f"{name}: {part}", fontsize=9)
        row[1].set_title(f"prediction, mean squared error {np.mean(np.square(target - learned)):.4f}", fontsize=9)
        row[0].set_ylabel("band")
    for axes in panels[-1]:
        axes.set_xlabel("frame")
    figure.colorbar(image, ax=panels, shrink=0.6)
    figure.suptitle(title, fontsize=11)
    save_figure(figure, out)


def first_kernels(front_end: keras.Model) -> np.ndarray:
    """The filters that a front end lays on the waveform itself, float32 `(filters, samples)`.

    Raises:
        KeraudioError: its first layer with weights is no convolution of the waveform.
    """
    for layer in front_end.layers:
        if layer.weights:
            kernel = np.asarray(keras.ops.convert_to_numpy(layer.weights[0]))
            if isinstance(layer, keras.layers.Conv1D) and kernel.shape[1] == 1:
                return kernel[:, 0].T
            break
    raise KeraudioError(f"{front_end.name}: filters of the waveform can only be drawn of a convolution of it")


def save_front_end_figure(front_end: keras.Model, sample_rate: int, out: Path) -> None:
    """Draws the filters of a front end over the waveform: some in time, all of them by frequency, sorted by their peak.

    Filters are shown loudest first in time (Tax et al. 2017, figure 2); spectra are magnitudes, each over its own peak.

    Args:
        front_end: whose first convolution is of the waveform.
        sample_rate: in Hz.
        out: a `.png`, `.svg` or `.pdf` file.

    Raises:
        KeraudioError: as `first_kernels`, matplotlib is not installed, or the file cannot be written.
    """
    kernels = first_kernels(front_end)
    spectra = np.abs(np.fft.rfft(kernels.astype("float64"), n=max(1024, kernels.shape[1]), axis=1))
    order = np.argsort(spectra.argmax(axis=1), kind="stable")
    loudest = np.argsort(-np.square(kernels).sum(axis=1), kind="stable")[:_SHOWN].tolist()
    # From low to high, as in the picture of all.
    loudest.sort(key=lambda number: int(spectra[number].argmax()))
    figure = new_figure(11, 6)
    parts: Any = figure.subfigures(1, 2, width_ratios=(1, 1.1))
    left, right = parts
    milliseconds = np.arange(kernels.shape[1]) / sample_rate * 1000
    for axes, number in zip(left.subplots(_SHOWN // 2, 2, sharex=True, squeeze=False).flat, loudest, strict=False):
        axes.plot(milliseconds, kernels[number], color=BLUE, linewidth=0.8)
        axes.set_yticks([])
        axes.set_title(f"{spectra[number].argmax() * sample_rate / 2 / (spectra.shape[1] - 1):.0f} Hz", fontsize=8)
        axes.tick_params(labelsize=7)
    left.supxlabel("ms", fontsize=9)
    left.suptitle(f"{len(loudest)} loudest filters, by their peak", fontsize=10)
    axes = right.subplots()
    peaks = np.maximum(spectra.max(axis=1, keepdims=True), 1e-12)
    image = axes.imshow(
        (spectra / peaks)[order].T,
        origin="lower",
        aspect="auto",
        cmap="magma",
        extent=(0, len(kernels), 0, sample_rate / 2000),
    )
    axes.set_xlabel("filter")
    axes.set_ylabel("kHz")
    right.colorbar(image, ax=axes, shrink=0.6)
    right.suptitle(f"magnitude of all {len(kernels)}, each over its peak", fontsize=10)
    save_figure(figure, out)
