"""Front end + backbone + head as one functional model whose file describes itself; saving it, and loading it safely."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from keraudio.backend import prefer_jit
from keraudio.description import Description
from keraudio.errors import ModelFileError
from keraudio.layers.kernel_path import kernel_path
from keraudio.layers.label_probabilities import LabelProbabilities
from keraudio.model_file import check_model_file
from keraudio.whole_file import whole_file

LOGITS = "logits"
PROBABILITIES = "probabilities"


@keras.saving.register_keras_serializable(package="keraudio")
class AudioClassifier(keras.Model):
    """A classifier from waveforms to label probabilities: front end, backbone and a linear head in one graph.

    While training, the waveform passes `waveform_augmentation` and the features `feature_augmentation`; at inference
    those layers rest. The head is dropout, one dense layer (`"logits"`) and `keraudio.layers.LabelProbabilities`, which
    carries the description inside the file.

    Args:
        front_end: functional model from `(batch, samples)` to features.
        backbone: functional model from features to `(batch, dimensions)`.
        description: `keraudio.Description`: labels, sample rate, window, hop, votes.
        dropout: rate before the dense layer. Defaults to 0.
        waveform_augmentation: layers from waveform to waveform. Defaults to none.
        feature_augmentation: layers from features to features. Defaults to none.

    Raises:
        ValueError: the backbone does not take what the front end gives.

    Input shape:
        `(batch, samples)`, float32 in [-1, 1], at `description.sample_rate`.

    Output shape:
        `(batch, labels)`, float32.

    Example:
        >>> from keraudio.backbones import residual_cnn
        >>> from keraudio.frontends import log_mel
        >>> front_end = log_mel(8000, n_mels=32)
        >>> description = Description(labels=("cat", "dog"), sample_rate=8000, window=8000, hop=4000)
        >>> backbone = residual_cnn(front_end.output_shape[1:], filters=(4, 8))
        >>> AudioClassifier(front_end, backbone, description).output_shape
        (None, 2)
    """

    def __init__(
        self,
        front_end: keras.Model,
        backbone: keras.Model,
        description: Description | dict,
        *,
        dropout: float = 0.0,
        waveform_augmentation: list[keras.layers.Layer] | tuple = (),
        feature_augmentation: list[keras.layers.Layer] | tuple = (),
        **kwargs,
    ):
        given, taken = front_end.output_shape[1:], backbone.input_shape[1:]
        if len(given) != len(taken) or any(t not in (g, None) for g, t in zip(given, taken, strict=False)):
            raise ValueError(
                "The backbone must take what the front end gives. "
                f"Received: front_end {front_end.name!r} gives {given}, backbone {backbone.name!r} takes {taken}"
            )
        head = LabelProbabilities(description, name=PROBABILITIES)
        waveform = keras.Input(front_end.input_shape[1:], name="waveform")
        x = waveform
        for layer in waveform_augmentation:
            x = layer(x)
        x = front_end(x)
        for layer in feature_augmentation:
            x = layer(x)
        x = backbone(x)
        if dropout:
            x = layers.Dropout(dropout, name="dropout")(x)
        logits = layers.Dense(len(head.description.labels), dtype="float32", name=LOGITS)(x)
        super().__init__(waveform, head(logits), **kwargs)
        self.front_end = front_end
        self.backbone = backbone
        self.dropout = dropout
        self.waveform_augmentation = list(waveform_augmentation)
        self.feature_augmentation = list(feature_augmentation)

    @property
    def description(self) -> Description:
        """What the model says of itself."""
        return describe(self)

    def export(self, filepath: str | Path, format: str = "tf_saved_model", **kwargs: Any) -> None:
        """Writes the model for another runtime, as `keras.Model.export` does.

        For `"onnx"` and `"litert"`, which have no FFT that all converters reach, transforms become matrix products
        (`keraudio.layers.kernel_path`), and the file takes one window at a time. Exporting to ONNX needs
        `pip install 'keraudio[onnx]'` and TensorFlow or PyTorch as the backend.

        Args:
            filepath: the file or folder to write.
            format: see Keras. Defaults to `"tf_saved_model"`.
            **kwargs: see Keras.
        """
        if format not in ("onnx", "litert"):
            super().export(filepath, format=format, **kwargs)
            return
        # Of an unknown batch, neither tf2onnx nor torch's tracer keeps all shapes.
        window = keras.layers.InputSpec(dtype="float32", shape=(1, self.description.window), name="waveform")
        kwargs.setdefault("input_signature", [window])
        with kernel_path():
            super().export(filepath, format=format, **kwargs)

    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        return {
            "front_end": serialize(self.front_end),
            "backbone": serialize(self.backbone),
            "description": self.description.model_dump(mode="json"),
            "dropout": self.dropout,
            "waveform_augmentation": [serialize(layer) for layer in self.waveform_augmentation],
            "feature_augmentation": [serialize(layer) for layer in self.feature_augmentation],
            "name": self.name,
            "trainable": self.trainable,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict | None = None) -> "AudioClassifier":
        def revive(value):
            return keras.saving.deserialize_keras_object(value, custom_objects=custom_objects)

        config = dict(config)
        for part in ("front_end", "backbone"):
            config[part] = revive(config[part])
        for part in ("waveform_augmentation", "feature_augmentation"):
            config[part] = [revive(layer) for layer in config[part]]
        trainable = config.pop("trainable")
        model = cls(**config)
        # True would reach every layer inside, and thaw a frozen backbone.
        if not trainable:
            model.trainable = False
        return model


def head_of(model: keras.Model) -> LabelProbabilities:
    """The output layer of `model` that carries its description.

    Raises:
        ModelFileError: the model has none.
    """
    for layer in layers_of(model):
        if isinstance(layer, LabelProbabilities):
            return layer
    raise ModelFileError(f"A classifier must carry a description of its labels. Received: {model.name!r} without one")


def layers_of(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """Every layer of a model, those of the models inside it too."""
    inner = list(model.layers)
    while inner:
        layer = inner.pop(0)
        if isinstance(layer, keras.Model):
            inner.extend(layer.layers)
        else:
            yield layer


def describe(model: keras.Model) -> Description:
    """The description inside a classifier, also inside one that was built into another functional model.

    Raises:
        ModelFileError: the model has none.
    """
    return head_of(model).description


def logits_model(model: keras.Model) -> keras.Model:
    """The same layers and weights up to the logits `(batch, labels)`: what losses and calibration work on."""
    return keras.Model(model.input, head_of(model).input, name=f"{model.name}_logits")


def predict_rows(model: keras.Model, rows: np.ndarray, *, size: int) -> np.ndarray:
    """What a model gives for `rows` `(rows, samples)`, in batches of one size, so that it is compiled once.

    The last batch is filled up with silence, whose results are left out.
    """
    results = []
    for first in range(0, len(rows), size):
        here = rows[first : first + size]
        batch = np.zeros((size, *rows.shape[1:]), dtype="float32")
        batch[: len(here)] = here
        results.append(np.asarray(model.predict_on_batch(batch))[: len(here)])
    return np.concatenate(results)


def layer_name(text: str) -> str:
    """`text` as a name that layers and models may have on every backend: letters, digits, "_" and "-" of ASCII."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", text)
    return name if name[:1].isalnum() else f"model{name}"


def save(model: keras.Model, path: str | Path) -> None:
    """Writes a classifier to a `.keras` file, which is either whole or not there; its optimizer and loss stay out.

    Raises:
        ModelFileError: the model carries no description, or `path` does not end in `.keras`.
        OSError: the file cannot be written.
    """
    path = Path(path)
    describe(model)
    if path.suffix != ".keras":
        raise ModelFileError(f"A model file must end in .keras. Received: {path}")
    with whole_file(path) as temporary, _uncompiled(model):
        model.save(temporary)


@contextmanager
def _uncompiled(model: keras.Model) -> Iterator[None]:
    """The model without its optimizer, whose state triples a file, and without its loss, which may be of any module."""
    if not model.compiled:
        yield
        return
    optimizer = model.optimizer
    model.compiled, model.optimizer = False, None
    try:
        yield
    finally:
        model.compiled, model.optimizer = True, optimizer


def load(path: str | Path) -> keras.Model:
    """Reads a classifier from a `.keras` file that may come from a stranger.

    The archive and its config are checked before anything is built (`keraudio.model_file`), and Keras' `safe_mode` is
    on.

    Raises:
        ModelFileError: the file is missing, damaged, unsafe, or does not describe itself.
    """
    path = Path(path)
    check_model_file(path)
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        # Keras raises many kinds for a config or weights that do not fit; the first line says which.
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ModelFileError(f"{path}: the model cannot be built from its file: {reason}") from error
    if not isinstance(model, keras.Model):
        raise ModelFileError(f"{path}: a model file must hold a model. Received: {type(model).__name__}")
    try:
        description = describe(model)
    except ModelFileError:
        raise ModelFileError(
            f"{path}: a model file must describe its labels, sample rate and window. Received: none of them"
        ) from None
    # A sequence that was never built has no shape.
    outputs = getattr(model, "output_shape", (None,))[-1]
    if outputs != len(description.labels):
        raise ModelFileError(
            f"{path}: the model must have one output a label. "
            f"Received: {outputs} outputs for {len(description.labels)} labels"
        )
    prefer_jit(model)
    return model
