"""SampleCNN's released Keras 1 weights (Lee, Park, Kim & Nam 2017, 2018) as classifiers of this package.

Their HDF5 files hold layers in order: convolutions `(size, 1, channels, filters)` and biases, batch normalization's
gamma, beta, mean and variance (called `running_std`), and the dense layer. They were trained on Theano, whose
convolutions run through a kernel backwards.
"""

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from keraudio.backbones import sample_cnn
from keraudio.classifier import AudioClassifier, save
from keraudio.description import Description
from keraudio.errors import ModelFileError
from keraudio.frontends import strided_conv

SAMPLE_RATE = 22050


def convert_sample_cnn(weights: Path, out: Path, labels: Sequence[str], *, flipped: bool = True) -> AudioClassifier:
    """Writes a `.keras` file of a SampleCNN whose modules have pools as long as their filters.

    The number and width of the modules are the weights' own, so both the paper's filters and the released code's are
    read.

    Args:
        weights: the HDF5 file, with the weights alone or with a whole Keras 1 model.
        out: the file to write.
        labels: names of the outputs, in their order.
        flipped: the weights are Theano's. Defaults to True.

    Returns:
        The classifier, multi-label, with windows that do not overlap.

    Raises:
        ModelFileError: the file cannot be read or holds no SampleCNN, or has another number of outputs than labels.
    """
    layers = _read(weights)
    convolutions = [values for values in layers if values[0].ndim == 4]
    norms = [values for values in layers if len(values) == 4]
    dense = layers[-1]
    sizes = [kernel.shape[0] for kernel, _ in convolutions]
    if len(norms) != len(convolutions) or len(sizes) < 3 or sizes[-1] != 1 or dense[0].ndim != 2:
        raise ModelFileError(f"{weights}: must hold strided convolution, modules, convolution of 1, and dense layer")
    if dense[0].shape[1] != len(labels):
        raise ModelFileError(f"{weights}: has {dense[0].shape[1]} outputs. Received: {len(labels)} labels")
    if flipped and any(size % 2 == 0 for size in sizes):
        raise ModelFileError(f"{weights}: of filters of even length Theano pads otherwise. Received: {sizes}")
    widths = [kernel.shape[3] for kernel, _ in convolutions]
    samples = int(np.prod(sizes))
    front_end = strided_conv(SAMPLE_RATE, filters=widths[0], kernel_size=sizes[0], strides=sizes[0], samples=samples)
    backbone = sample_cnn(front_end.output_shape[1:], pools=sizes[1:-1], filters=widths[1:-1], embedding=widths[-1])
    description = Description(
        labels=tuple(labels), sample_rate=SAMPLE_RATE, window=samples, hop=samples, multi_label=True, name="sample_cnn"
    )
    model = AudioClassifier(front_end, backbone, description, dropout=0.5, name=out.stem)
    targets = [layer for part in (front_end, backbone) for layer in part.layers if layer.weights]
    pairs = [values for both in zip(convolutions, norms, strict=True) for values in both]
    for layer, values in zip([*targets, model.get_layer("logits")], [*pairs, dense], strict=True):
        if values[0].ndim == 4:
            kernel = values[0][::-1] if flipped else values[0]
            values = [kernel[:, 0], *values[1:]]
        shapes = [tuple(weight.shape) for weight in layer.weights]
        if shapes != [value.shape for value in values]:
            raise ModelFileError(f"{weights}: {layer.name} needs {shapes}. Received: {[v.shape for v in values]}")
        layer.set_weights(values)
    save(model, out)
    return model


def _read(path: Path) -> list[list[np.ndarray]]:
    """Weights of each layer that has any, in the order of the file."""
    try:
        with h5py.File(path, "r") as file:
            group = file.get("model_weights", file)
            names = [_text(name) for name in group.attrs["layer_names"]]
            found = []
            for name in names:
                stored = [_text(weight) for weight in group[name].attrs["weight_names"]]
                if stored:
                    found.append([np.asarray(group[name][weight], "float32") for weight in stored])
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise ModelFileError(f"{path}: no weights of Keras 1: {error}") from error
    if not found:
        raise ModelFileError(f"{path}: holds no weights")
    return found


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
