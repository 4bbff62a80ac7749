"""What learned transforms have become: windows, their spectra, kernels, and how they changed in training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from keraudio.classifier import layers_of
from keraudio.errors import KeraudioError
from keraudio.layers import AdaptiveSTFT
from keraudio.visualize.figure import BLUE, GREY, PALETTE, VERMILION, add_grid, count_along_x, new_figure, save_figure

# Of spectra, below the greatest value.
_DECIBELS = 100.0
_BINS_OF_WINDOW = 16


@dataclass(frozen=True)
class LearnedTransform:
    """A transform beside the one that it began as.

    Attributes:
        name: of its layer, with its number where there are several.
        window: learned, `(win_length,)`.
        start: the window that it began as.
        kernel_changes: norm of the change of each bin's kernel, `(bins,)`, all zero where kernels are the DFT's. The
            norm of a kernel itself is the root of `n_fft`.
        n_fft: samples of a frame.
    """

    name: str
    window: np.ndarray
    start: np.ndarray
    kernel_changes: np.ndarray
    n_fft: int


def learned_transforms(model: keras.Model) -> list[LearnedTransform]:
    """The transforms of a model's `AdaptiveSTFT` layers.

    Raises:
        KeraudioError: it has none.
    """
    found = []
    for layer in layers_of(model):
        if isinstance(layer, AdaptiveSTFT):
            windows, start = layer.learned_windows()
            for number, (window, kernels) in enumerate(zip(windows, layer.kernel_changes_of_bins(), strict=True), 1):
                name = layer.name if layer.transforms == 1 else f"{layer.name} {number}"
                found.append(LearnedTransform(name, window, start, kernels, layer.n_fft))
    if not found:
        raise KeraudioError(f"A model must have a layer AdaptiveSTFT. Received: {model.name}, which has none")
    return found


def save_windows_figure(transforms: Sequence[LearnedTransform], sample_rate: int, out: Path, *, title: str) -> None:
    """Draws a row a transform: its window and the window's spectrum beside the start's, and how far kernels moved.

    Args:
        transforms: of `learned_transforms`.
        sample_rate: in Hz.
        out: a `.png`, `.svg` or `.pdf` file.
        title: above the picture.

    Raises:
        KeraudioError: matplotlib is not installed, or the file cannot be written.
    """
    moved = any(one.kernel_changes.any() for one in transforms)
    across = 3 if moved else 2
    figure = new_figure(4.2 * across, 0.6 + 2.8 * len(transforms))
    panels = figure.subplots(len(transforms), across, squeeze=False)
    for row, one in zip(panels, transforms, strict=True):
        row[0].plot(one.start, color=GREY, linestyle="--", label="start")
        row[0].plot(one.window, color=BLUE, linewidth=1.0, label="learned")
        row[0].set_xlabel("sample")
        row[0].set_ylabel(one.name).set_parse_math(False)
        row[0].set_title("window", fontsize=10)
        row[0].legend(frameon=False, fontsize=8)
        # Eight points a bin of the transform.
        points = 8 * one.n_fft
        bins = np.arange(8 * _BINS_OF_WINDOW + 1) / 8
        for window, colour, style in ((one.start, GREY, "--"), (one.window, BLUE, "-")):
            spectrum = np.abs(np.fft.rfft(window, points))
            levels = 20 * np.log10(np.maximum(spectrum / max(spectrum.max(), 1e-30), 10 ** (-_DECIBELS / 20)))
            row[1].plot(bins, levels[: len(bins)], style, color=colour, linewidth=1.0)
        row[1].set_xlabel("frequency in bins of the transform")
        row[1].set_title("spectrum of the window, dB", fontsize=10)
        if moved:
            frequencies = np.arange(len(one.kernel_changes)) * sample_rate / one.n_fft
            row[2].plot(frequencies, one.kernel_changes / np.sqrt(one.n_fft), color=VERMILION, linewidth=1.0)
            row[2].set_xlabel("frequency in Hz")
            row[2].set_ylim(bottom=0)
            row[2].set_title("change of kernels over their norm", fontsize=10)
        for axes in row:
            add_grid(axes)
    figure.suptitle(title, fontsize=11).set_parse_math(False)
    save_figure(figure, out)


def save_changes_figure(changes: Mapping[str, Sequence[float]], out: Path, *, title: str) -> bool:
    """Draws how far windows and kernels had come from their start after each epoch (adaptive STFT, figure 9).

    Args:
        changes: columns of a run's `metrics.csv`; those that end in `window_change` or `kernel_change`, perhaps with
            the number of a transform, are drawn if they change at all.
        out: a `.png`, `.svg` or `.pdf` file.
        title: above the picture.

    Returns:
        Whether there was anything to draw.

    Raises:
        KeraudioError: matplotlib is not installed, or the file cannot be written.
    """
    kinds = {"window_change": "mean squared change of the window", "kernel_change": "Frobenius norm of kernels' change"}
    panels = {
        text: {
            name.replace(f"_{kind}", "").replace("_", " "): values for name, values in changes.items() if kind in name
        }
        for kind, text in kinds.items()
    }
    panels = {text: drawn for text, drawn in panels.items() if any(map(any, drawn.values()))}
    if not panels:
        return False
    figure = new_figure(5.0 * len(panels), 3.8)
    for axes, (text, drawn) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for number, (name, values) in enumerate(drawn.items()):
            axes.plot(range(1, len(values) + 1), values, color=PALETTE[number % len(PALETTE)], label=name)
        axes.set_xlabel("epoch")
        count_along_x(axes)
        axes.set_ylabel(text)
        axes.set_ylim(bottom=0)
        add_grid(axes)
        if len(drawn) > 1:
            axes.legend(frameon=False, fontsize=8)
    figure.suptitle(title, fontsize=11).set_parse_math(False)
    save_figure(figure, out)
    return True
