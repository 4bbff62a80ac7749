"""A trained front end in a file of its own, from which other trainings begin."""

from pathlib import Path
from typing import Any

import keras

from keraudio.classifier import AudioClassifier, load
from keraudio.errors import ModelFileError
from keraudio.model_file import check_archive
from keraudio.whole_file import whole_file


@keras.saving.register_keras_serializable(package="keraudio")
class LearnedFrontEnd(keras.Model):
    """A front end that knows the sample rate it learned at.

    Args:
        front_end: functional model from `(batch, samples)` to features.
        sample_rate: in Hz.

    Input shape:
        `(batch, samples)`, float32 in [-1, 1].

    Output shape:
        That of the front end.

    Example:
        >>> from keraudio.frontends import strided_conv
        >>> LearnedFrontEnd(strided_conv(8000, filters=4, kernel_size=8, strides=4, samples=64), 8000).output_shape
        (None, 16, 4)
    """

    def __init__(self, front_end: keras.Model, sample_rate: int, **kwargs: Any):
        waveform = keras.Input(front_end.input_shape[1:], name="waveform")
        super().__init__(waveform, front_end(waveform), **kwargs)
        self.front_end = front_end
        self.sample_rate = sample_rate

    def get_config(self) -> dict[str, Any]:
        return {
            "front_end": keras.saving.serialize_keras_object(self.front_end),
            "sample_rate": self.sample_rate,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict | None = None) -> "LearnedFrontEnd":
        front_end = keras.saving.deserialize_keras_object(config["front_end"], custom_objects=custom_objects)
        return cls(**{**config, "front_end": front_end})


def save_front_end(front_end: keras.Model, sample_rate: int, path: Path) -> None:
    """Writes a front end to a `.keras` file, which is either whole or not there.

    Raises:
        OSError: the file cannot be written.
    """
    with whole_file(path) as temporary:
        LearnedFrontEnd(front_end, sample_rate, name=front_end.name).save(temporary)


def load_front_end(path: Path) -> LearnedFrontEnd:
    """Reads a front end from its own file, or out of a classifier's, safely as `keraudio.load` does.

    Raises:
        ModelFileError: the file is missing, damaged, unsafe, or holds neither.
    """
    config = check_archive(path)
    if not isinstance(config, dict) or config.get("registered_name") != "keraudio>LearnedFrontEnd":
        model = load(path)
        if not isinstance(model, AudioClassifier):
            raise ModelFileError(f"{path}: a front end, or a classifier with one, is needed. Received: {model.name!r}")
        return LearnedFrontEnd(model.front_end, model.description.sample_rate)
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ModelFileError(f"{path}: the front end cannot be built from its file: {reason}") from error


def copy_weights(source: keras.Model, target: keras.Model, *, name: str) -> None:
    """Gives a model the weights of another of the same make.

    Args:
        source: whose weights are copied.
        target: what gets them.
        name: what the source is called in messages.

    Raises:
        ModelFileError: their weights differ in number or shape.
    """
    have, want = ([tuple(weight.shape) for weight in model.weights] for model in (source, target))
    if have != want:
        number = next((i for i, pair in enumerate(zip(have, want, strict=False)) if pair[0] != pair[1]), None)
        received = f"{len(have)} weights for {len(want)}"
        if number is not None:
            received = f"{source.weights[number].path} of shape {have[number]} for {want[number]}"
        raise ModelFileError(f"{name}: the weights to start with must be those of the recipe's. Received: {received}")
    target.set_weights(source.get_weights())
