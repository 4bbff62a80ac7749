"""Hugging Face's checkpoints of the Audio Spectrogram Transformer (Gong, Chung & Glass 2021) as classifiers.

Such a folder holds `config.json`, `model.safetensors` and, for its features, `preprocessor_config.json`.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from pydantic import ValidationError

from keraudio.backbones import ast
from keraudio.classifier import AudioClassifier, save
from keraudio.convert.safetensors_file import read_safetensors
from keraudio.description import Description, first_error
from keraudio.errors import ModelFileError
from keraudio.frontends import kaldi_fbank

_MODEL = "audio_spectrogram_transformer"
# What the feature extractor takes where the folder does not say.
_FEATURES = {"sampling_rate": 16000, "do_normalize": True, "mean": -4.2677393, "std": 4.5689974}
_FRAME, _HOP = 0.025, 0.01
_AUDIOSET_LABELS = 527
_MISSING = "a checkpoint of Hugging Face must have it"


def convert_ast(
    checkpoint: Path, out: Path, *, window: float | None = None, multi_label: bool | None = None
) -> AudioClassifier:
    """Writes a `.keras` file of an `ASTForAudioClassification`, its features inside.

    Shorter windows than the frames it was trained on are filled with zeros in the log-mel spectrogram, as its feature
    extractor does: ten seconds of AudioSet are 998 of its 1,024 frames.

    Args:
        checkpoint: the folder.
        out: the file to write.
        window: seconds that the model hears at once. Defaults to None, the whole seconds that its frames hold.
        multi_label: several labels may hold at once. Defaults to None, what the checkpoint says of its problem, else
            whether its labels are AudioSet's 527.

    Returns:
        The classifier, with windows that do not overlap.

    Raises:
        KeraudioError: safetensors or keras-hub is not installed.
        ModelFileError: the folder cannot be read, holds another model, or one without labels.
    """
    config = _json(checkpoint / "config.json")
    if config.get("model_type") != "audio-spectrogram-transformer":
        raise ModelFileError(
            f"{checkpoint}: must hold an audio-spectrogram-transformer. Received: {config.get('model_type')!r}"
        )
    extractor = checkpoint / "preprocessor_config.json"
    features = _FEATURES | (_json(extractor) if extractor.is_file() else {})
    tensors, _ = read_safetensors(checkpoint / "model.safetensors", _MISSING)
    try:
        model = _build(config, features, out.stem, window, multi_label)
        _assign(model, tensors, str(checkpoint))
    except ValidationError as error:
        raise ModelFileError(f"{checkpoint}: {first_error(error)}") from error
    except (KeyError, TypeError) as error:
        raise ModelFileError(f"{checkpoint}: its configuration is not whole: {error}") from error
    except ValueError as error:
        raise ModelFileError(f"{checkpoint}: {next(iter(str(error).splitlines()))}") from error
    save(model, out)
    return model


def _build(
    config: Mapping[str, Any], features: Mapping[str, Any], name: str, window: float | None, multi_label: bool | None
) -> AudioClassifier:
    """The classifier of a checkpoint's configuration, with random weights."""
    for key, wanted in (("hidden_act", "gelu"), ("qkv_bias", True)):
        if config.get(key, wanted) != wanted:
            raise ValueError(f"`{key}` must be {wanted!r}. Received: {config[key]!r}")
    labels = tuple(config["id2label"][str(number)] for number in range(len(config["id2label"])))
    rate, frames, bins = int(features["sampling_rate"]), int(config["max_length"]), int(config["num_mel_bins"])
    if window is None:
        held = _FRAME + _HOP * (frames - 1)
        window = max(1, math.floor(held)) if held >= 1 else held
    samples = round(window * rate)
    if multi_label is None:
        problem = config.get("problem_type")
        multi_label = len(labels) == _AUDIOSET_LABELS if problem is None else problem == "multi_label_classification"
    backbone = ast(
        (frames, bins),
        width=config["hidden_size"],
        depth=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        hidden=config["intermediate_size"],
        patch=config["patch_size"],
        stride=(config["time_stride"], config["frequency_stride"]),
        dropout=config["hidden_dropout_prob"],
        epsilon=config["layer_norm_eps"],
        standardize=features["do_normalize"],
        mean=features["mean"],
        deviation=features["std"],
    )
    return AudioClassifier(
        kaldi_fbank(rate, frame_seconds=_FRAME, hop_seconds=_HOP, n_mels=bins, frames=frames, samples=samples),
        backbone,
        Description(labels=labels, sample_rate=rate, window=samples, hop=samples, multi_label=multi_label, name=name),
        name="ast",
    )


def _assign(model: AudioClassifier, tensors: Mapping[str, np.ndarray], name: str) -> None:
    """Gives a model of `_build` the tensors of its checkpoint."""
    backbone = model.backbone
    tokens = backbone.get_layer("tokens")
    frames, bins = tokens.grid((None, *backbone.input_shape[1:3], 1))

    def given(key: str) -> np.ndarray:
        if key not in tensors:
            raise ModelFileError(f"{name}: must hold {key}. Received: none")
        return tensors[key]

    def put(variable: keras.Variable, value: np.ndarray, key: str) -> None:
        if value.size != math.prod(variable.shape):
            raise ModelFileError(f"{name}: {key} must fill {tuple(variable.shape)}. Received: {value.shape}")
        variable.assign(value.reshape(variable.shape))

    def norm(layer: keras.layers.Layer, key: str) -> None:
        put(layer.gamma, given(f"{key}.weight"), key)
        put(layer.beta, given(f"{key}.bias"), key)

    def dense(layer: keras.layers.Layer, key: str) -> None:
        # PyTorch multiplies from the other side.
        put(layer.kernel, given(f"{key}.weight").T, key)
        put(layer.bias, given(f"{key}.bias"), key)

    key = f"{_MODEL}.embeddings"
    # Theirs goes (frequency, time).
    put(tokens.projection.kernel, given(f"{key}.patch_embeddings.projection.weight").transpose(3, 2, 1, 0), key)
    put(tokens.projection.bias, given(f"{key}.patch_embeddings.projection.bias"), key)
    put(tokens.class_token, given(f"{key}.cls_token"), key)
    put(tokens.distillation_token, given(f"{key}.distillation_token"), key)
    positions = given(f"{key}.position_embeddings")
    if positions.shape != tuple(tokens.positions.shape):
        raise ModelFileError(
            f"{name}: {key}.position_embeddings must be {tuple(tokens.positions.shape)}. Received: {positions.shape}"
        )
    grid = positions[0, 2:].reshape(bins, frames, -1).swapaxes(0, 1).reshape(frames * bins, -1)
    put(tokens.positions, np.concatenate([positions[0, :2], grid]), key)
    for number, layer in enumerate(layer for layer in backbone.layers if layer.name.startswith("block_")):
        block, key = layer.block, f"{_MODEL}.encoder.layer.{number}"
        norm(block.layer_norm_1, f"{key}.layernorm_before")
        for part in ("query", "key", "value"):
            dense(getattr(block.mha, f"{part}_dense"), f"{key}.attention.attention.{part}")
        dense(block.mha.output_dense, f"{key}.attention.output.dense")
        norm(block.layer_norm_2, f"{key}.layernorm_after")
        dense(block.mlp.dense, f"{key}.intermediate.dense")
        dense(block.output_layer.dense, f"{key}.output.dense")
    norm(backbone.get_layer("norm"), f"{_MODEL}.layernorm")
    norm(backbone.get_layer("embedding"), "classifier.layernorm")
    dense(model.get_layer("logits"), "classifier.dense")


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else error
        raise ModelFileError(f"{path}: {_MISSING}: {reason}") from error
