"""What a network's filters answer to: waveforms found by gradient ascent, and their spectra."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from scipy import signal

from keraudio.classifier import AudioClassifier
from keraudio.errors import KeraudioError
from keraudio.visualize.figure import BLUE, new_figure, save_figure

# The step, its bound and the start of the authors' code.
_STEP, _EPSILON, _START = 1.0, 1e-9, 0.015
_SHOWN = 6
_LOW_PASS = 5000.0


@dataclass(frozen=True)
class FilterSignals:
    """Waveforms that each filter of a layer answers to most.

    Attributes:
        layer: name of the layer.
        waveforms: float32 `(filters, samples)`, without their mean.
        sample_rate: in Hz.
    """

    layer: str
    waveforms: np.ndarray
    sample_rate: int

    @property
    def spectra(self) -> np.ndarray:
        """`log10(1 + 10 * power)` of each waveform in one Hann frame, `(filters, samples // 2 + 1)`."""
        frames = self.waveforms * np.hanning(self.waveforms.shape[1] + 1)[:-1]
        return np.log10(1 + 10 * np.abs(np.fft.rfft(frames.astype("float64"), axis=1)) ** 2)

    @property
    def answers(self) -> np.ndarray:
        """Which filters answered at all, bool `(filters,)`: of one whose rectifier is shut the noise is left."""
        return np.abs(self.waveforms).max(axis=1) > 4 * _START

    @property
    def order(self) -> np.ndarray:
        """The filters by the frequency at which their spectrum is highest; those that do not answer come last."""
        return np.lexsort((self.spectra.argmax(axis=1), ~self.answers))


def filter_layers(model: AudioClassifier, samples: int = 729) -> list[str]:
    """Layers of one channel a filter that still have a frame over so short a waveform, from the bottom.

    Of SampleCNN, the rectified convolutions: Kim, Lee & Nam 2019, figure 3, shows the first six.
    """
    return list(_reachable(model, samples))


def _reachable(model: AudioClassifier, samples: int) -> dict[str, keras.Model]:
    """The layers of `filter_layers`, each with the network that leads to it."""
    found: dict[str, keras.Model] = {}
    for part in (model.front_end, model.backbone):
        for layer in part.layers:
            if isinstance(layer, (keras.layers.ReLU, keras.layers.Activation)) and len(layer.output.shape) == 3:
                try:
                    found[layer.name] = _network_to(model, layer.name, samples)
                except KeraudioError:
                    # What comes after it is shorter still.
                    return found
    return found


def filter_signals(
    model: AudioClassifier,
    layers: Sequence[str] | None = None,
    *,
    samples: int = 729,
    steps: int = 18,
    batch_statistics: bool = False,
    seed: int = 0,
) -> list[FilterSignals]:
    """Finds, for every filter of some layers, a waveform by gradient ascent (Kim, Lee & Nam 2019, section 7.1).

    From noise within +-0.015 the gradient of the filter's mean output over time, divided by its root mean square, is
    added `steps` times. The model is left as it is.

    Args:
        model: a classifier whose front end and backbone take waveforms of any length.
        layers: names of layers of the front end or the backbone, whose output has one channel a filter. Defaults to
            `filter_layers(model, samples)`.
        samples: length of the waveforms, about a usual frame. Defaults to 729.
        steps: of the ascent. Defaults to 18.
        batch_statistics: batch normalization takes the statistics of each waveform, as in the authors' code, instead of
            those of the training; slower, a filter at a time. Defaults to False.
        seed: of the noise. Defaults to 0.

    Raises:
        KeraudioError: there is no such layer, none at all, or the waveform is too short for it.
    """
    if layers is None:
        networks = _reachable(model, samples)
    else:
        networks = {name: _network_to(model, name, samples) for name in layers}
    if not networks:
        raise KeraudioError(f"{model.name}: no layer has frames of single filters over {samples} samples")
    found = []
    for name, network in networks.items():
        filters = int(network.output.shape[-1])
        start = np.random.default_rng(seed).uniform(-_START, _START, (filters, samples)).astype("float32")
        if batch_statistics:
            waveforms = np.concatenate(
                [_ascend(network, start[i : i + 1], np.array([i]), steps, training=True) for i in range(filters)]
            )
        else:
            waveforms = _ascend(network, start, np.arange(filters), steps, training=False)
        waveforms -= waveforms.mean(axis=1, keepdims=True)
        found.append(FilterSignals(name, waveforms, model.description.sample_rate))
    return found


def _over(part: keras.Model, length: int) -> keras.Model:
    """A part of the classifier with weights of its own, over an input of another length."""
    shape = (length, *part.input_shape[2:])
    try:
        clone = keras.models.clone_model(part, input_tensors=keras.Input(shape))
    except ValueError as error:
        raise KeraudioError(f"{part.name}: does not take a length of {length}: {error}") from error
    clone.set_weights(part.get_weights())
    return clone


def _network_to(model: AudioClassifier, name: str, samples: int) -> keras.Model:
    """From a waveform of `samples` to a layer's output, with weights of its own."""
    front = [layer.name for layer in model.front_end.layers]
    back = [layer.name for layer in model.backbone.layers]
    if name in front:
        part = keras.Model(model.front_end.input, model.front_end.get_layer(name).output)
        network = _over(part, samples)
    elif name in back:
        lower = _over(model.front_end, samples)
        part = keras.Model(model.backbone.input, model.backbone.get_layer(name).output)
        upper = _over(part, int(lower.output_shape[1]))
        network = keras.Model(lower.input, upper(lower.output))
    else:
        raise KeraudioError(f"A layer must be one of {', '.join([*front, *back])}. Received: {name!r}")
    shape = network.output.shape
    if len(shape) != 3 or shape[1] == 0:
        raise KeraudioError(f"{name}: must have frames and filters over {samples} samples. Received: {tuple(shape)}")
    return network


class _Ascent(keras.optimizers.Optimizer):
    """Adds each row's gradient, divided by its root mean square, to the waveforms, and leaves all other weights."""

    def update_step(self, gradient, variable, learning_rate):
        # A model's own weights come before those of the networks in it.
        if self._get_variable_index(variable) > 0:
            return
        gradient = ops.cast(gradient, "float32")
        rms = ops.sqrt(ops.mean(ops.square(gradient), axis=1, keepdims=True)) + _EPSILON
        # The loss is the negative of what is to grow.
        self.assign_sub(variable, ops.cast(learning_rate, "float32") * gradient / rms)


class _Answers(keras.Model):
    """The mean output over time of one filter for each waveform, the waveforms being weights."""

    def __init__(self, network: keras.Model, start: np.ndarray, filters: np.ndarray, *, training: bool):
        super().__init__(name="answers")
        self.network = network
        self.use_batch = training
        self.chosen = np.eye(network.output.shape[-1], dtype="float32")[filters]
        self.waveforms = self.add_weight(
            name="waveforms", shape=start.shape, initializer=lambda shape, dtype=None: ops.convert_to_tensor(start)
        )

    def call(self, inputs: Any, training: bool = False) -> Any:
        # `inputs` says nothing: training needs some.
        outputs = self.network(self.waveforms + 0.0 * inputs, training=self.use_batch)
        return ops.sum(
            ops.mean(ops.cast(outputs, "float32"), axis=1) * ops.convert_to_tensor(self.chosen), axis=-1, keepdims=True
        )


def _ascend(network: keras.Model, start: np.ndarray, filters: np.ndarray, steps: int, *, training: bool) -> np.ndarray:
    answers = _Answers(network, start, filters, training=training)
    answers.compile(
        _Ascent(learning_rate=_STEP, name="ascent"), loss=lambda _target, answer: -answer, jit_compile=False
    )
    nothing = np.zeros((len(start), 1), "float32")
    for _ in range(steps):
        # Keras takes the mean over the waveforms, whose gradients are divided by their own size anyway.
        answers.train_on_batch(nothing, nothing)
    return np.array(ops.convert_to_numpy(answers.waveforms))


def save_filter_figures(found: Sequence[FilterSignals], folder: Path, *, title: str) -> list[Path]:
    """Draws `filters_spectra.png`, every filter of each layer by its peak, a line, and `filters_waveforms.png`.

    Waveforms are low-passed at 5 kHz (Butterworth, order 6), where the sample rate allows.

    Args:
        found: of `filter_signals`.
        folder: made if needed.
        title: above the pictures.

    Raises:
        KeraudioError: matplotlib is not installed, or a file cannot be written.
    """
    columns = min(3, len(found))
    rows = -(-len(found) // columns)
    figure = new_figure(3.6 * columns, 2.9 * rows + 0.5)
    for place, one in enumerate(found, 1):
        axes = figure.add_subplot(rows, columns, place)
        spectra = one.spectra[one.order]
        axes.imshow(
            spectra.T, origin="lower", aspect="auto", cmap="magma", interpolation="nearest",
            extent=(0, len(spectra), 0, one.sample_rate / 2000),
        )  # fmt: skip
        peaks = spectra[: one.answers.sum()].argmax(axis=1) / (spectra.shape[1] - 1) * one.sample_rate / 2000
        axes.plot(np.arange(len(peaks)) + 0.5, peaks, color="white", linewidth=3)
        axes.plot(np.arange(len(peaks)) + 0.5, peaks, color=BLUE, linewidth=1.5)
        axes.set_title(f"{place}: {one.layer}, {one.answers.sum()} of {len(spectra)} answer", fontsize=9)
        axes.set_xlabel("filter, by its peak")
        axes.set_ylabel("kHz")
    figure.suptitle(title)
    save_figure(figure, folder / "filters_spectra.png")

    figure = new_figure(1.9 * _SHOWN, 1.3 * len(found) + 0.6)
    axes_of = figure.subplots(len(found), _SHOWN, squeeze=False)
    for row, one in zip(axes_of, found, strict=True):
        answering = one.order[: max(1, int(one.answers.sum()))]
        picked = answering[np.linspace(0, len(answering) - 1, _SHOWN).round().astype(int)]
        for axes, number in zip(row, picked, strict=True):
            axes.plot(_low_passed(one.waveforms[number], one.sample_rate), color=BLUE, linewidth=0.6)
            axes.set_xticks([])
            axes.set_yticks([])
        row[0].set_ylabel(one.layer, fontsize=7)
    figure.suptitle(f"{title}: six filters of each layer, low to high")
    save_figure(figure, folder / "filters_waveforms.png")
    return [folder / "filters_spectra.png", folder / "filters_waveforms.png"]


def _low_passed(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    if sample_rate <= 2 * _LOW_PASS:
        return waveform
    return np.asarray(signal.sosfilt(signal.butter(6, _LOW_PASS, fs=sample_rate, output="sos"), waveform))
