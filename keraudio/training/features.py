"""Features from inside a trained classifier: its levels, and a model from a window to some of them.

A level is what a layer with weights gives once normalization and activation have followed it. Level -1 has nothing but
the head behind it, level -2 one layer with weights more, and so on (Lee et al. 2018, section 4.1).
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from keraudio.backend import prefer_jit
from keraudio.classifier import AudioClassifier
from keraudio.errors import KeraudioError
from keraudio.nearest import did_you_mean

TIME_REDUCTIONS = ("max", "mean")
# What may follow a layer with weights and still be the same level.
_FINISHING = (
    layers.Activation,
    layers.Add,
    layers.BatchNormalization,
    layers.Dropout,
    layers.ELU,
    layers.GroupNormalization,
    layers.LayerNormalization,
    layers.LeakyReLU,
    layers.Multiply,
    layers.ReLU,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
)
_NORMALIZATIONS = (layers.BatchNormalization, layers.GroupNormalization, layers.LayerNormalization)


def levels(backbone: keras.Model) -> dict[int, tuple[str, ...]]:
    """Names of the layers at each level of a functional model, from -1 downwards.

    Args:
        backbone: from features to an embedding.

    Returns:
        By level, in the order in which the model runs them. Layers that lie equally far from the end stand together.
    """
    consumers: dict[str, list[keras.Layer]] = {layer.name: [] for layer in backbone.layers}
    for layer in backbone.layers:
        for before in _inputs_of(layer):
            if before.name in consumers:
                consumers[before.name].append(layer)
    depths: dict[str, int] = {}
    # The last layers first, so that whatever follows a layer is known before it.
    for layer in reversed(backbone.layers):
        depths[layer.name] = max(
            (depths[after.name] + _has_kernel(after) for after in consumers[layer.name]), default=0
        )
    found: dict[int, list[str]] = {}
    for layer in backbone.layers:
        if not _has_kernel(layer):
            continue
        end = layer
        while len(consumers[end.name]) == 1 and isinstance(consumers[end.name][0], _FINISHING):
            end = consumers[end.name][0]
        names = found.setdefault(-1 - depths[end.name], [])
        if end.name not in names:
            names.append(end.name)
    return {level: tuple(found[level]) for level in sorted(found, reverse=True)}


def last_levels(model: AudioClassifier, count: int = 3) -> list[str]:
    """The last levels of a classifier as `layer_names` takes them, `["-1", "-2", ...]`, as many as it has."""
    return [str(level) for level in levels(model.backbone) if level >= -count]


def layer_names(model: AudioClassifier, asked: Sequence[str] | None = None) -> list[str]:
    """The names of a classifier's layers that are meant by names or by levels.

    Args:
        model: the classifier; its backbone's layers and its front end's may be named.
        asked: each a layer's name, or a level as `"-1"`. Defaults to None, the last three levels.

    Raises:
        KeraudioError: there is no such layer or level; the nearest name is given.
    """
    known = {layer.name for part in (model.front_end, model.backbone) for layer in part.layers}
    by_level = levels(model.backbone)
    names: list[str] = []
    for one in last_levels(model) if asked is None else asked:
        if one in known:
            found: tuple[str, ...] = (one,)
        elif one.lstrip("-").isdigit():
            if int(one) not in by_level:
                raise KeraudioError(f"A level must be one of {model.name}'s, -1 to {min(by_level)}. Received: {one}")
            found = by_level[int(one)]
        else:
            raise KeraudioError(
                f"A layer must be one of {model.name}'s. Received: {one!r}. {did_you_mean(one, sorted(known))}"
            )
        names += [name for name in found if name not in names]
    return names


def feature_model(model: AudioClassifier, names: Sequence[str], *, time: str = "max", name: str = "features"):
    """A model from a window of the waveform to the outputs of some layers, each joined over time, side by side.

    Args:
        model: the classifier; its weights are shared, not copied.
        names: of layers of its front end or backbone, as `layer_names` gives them.
        time: `"max"` or `"mean"` over everything but the channels; of an output without channels, over the frames.
            Defaults to `"max"`.
        name: of the new model.

    Returns:
        A functional model from `(batch, window)` to `(batch, features)`.

    Raises:
        ValueError: `time` is neither.
    """
    if time not in TIME_REDUCTIONS:
        raise ValueError(f"`time` must be 'max' or 'mean'. Received: time={time!r}")
    inside = {layer.name for layer in model.front_end.layers}
    waveform = keras.Input((model.description.window,), name="waveform")
    # Each part once, however many of its layers are asked for.
    tensors: dict[str, Any] = {}
    of_front = [one for one in names if one in inside]
    outputs = [model.front_end.get_layer(one).output for one in of_front]
    front = keras.Model(model.front_end.input, [*outputs, model.front_end.output], name="front_end")
    *found, x = _as_list(front(waveform))
    tensors |= dict(zip(of_front, found, strict=True))
    of_backbone = [one for one in names if one not in inside]
    if of_backbone:
        outputs = [model.backbone.get_layer(one).output for one in of_backbone]
        part = keras.Model(model.backbone.input, outputs, name="backbone")
        tensors |= dict(zip(of_backbone, _as_list(part(x)), strict=True))
    parts = [_over_time(tensors[one], time) for one in names]
    extractor = keras.Model(waveform, layers.Concatenate()(parts) if len(parts) > 1 else parts[0], name=name)
    prefer_jit(extractor)
    return extractor


def feature_columns(model: AudioClassifier, names: Sequence[str]) -> dict[str, int]:
    """Number of features that each layer adds to those of `feature_model`, by name."""
    parts = {layer.name: layer for part in (model.front_end, model.backbone) for layer in part.layers}
    return {one: int(parts[one].output.shape[-1]) for one in names}


def _over_time(x, time: str):
    pools = {
        ("max", 3): layers.GlobalMaxPooling1D,
        ("mean", 3): layers.GlobalAveragePooling1D,
        ("max", 4): layers.GlobalMaxPooling2D,
        ("mean", 4): layers.GlobalAveragePooling2D,
    }
    return pools[time, len(x.shape)]()(x) if len(x.shape) > 2 else x


def _as_list(outputs) -> list:
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


def _has_kernel(layer: keras.Layer) -> bool:
    return bool(layer.weights) and not isinstance(layer, _NORMALIZATIONS)


def _inputs_of(layer: keras.Layer) -> list[keras.Layer]:
    """The layers whose outputs a layer of a functional model takes."""
    found = []
    for node in layer._inbound_nodes:
        for tensor in node.input_tensors:
            found.append(tensor._keras_history.operation)
    return found
