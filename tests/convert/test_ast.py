import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import keraudio
from keraudio.convert import convert_ast
from keraudio.errors import ModelFileError

MODEL = "audio_spectrogram_transformer"
CONFIG: dict[str, Any] = {
    "model_type": "audio-spectrogram-transformer",
    "hidden_size": 4,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 6,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.0,
    "layer_norm_eps": 1e-12,
    "patch_size": 16,
    "qkv_bias": True,
    "time_stride": 16,
    "frequency_stride": 16,
    "max_length": 128,
    "num_mel_bins": 32,
    "id2label": {"0": "yes", "1": "no"},
}


def tensors() -> dict[str, np.ndarray]:
    """Random weights by the names that Hugging Face's files have."""
    block = f"{MODEL}.encoder.layer.0"
    shapes: dict[str, tuple[int, ...]] = {
        f"{MODEL}.embeddings.cls_token": (1, 1, 4),
        f"{MODEL}.embeddings.distillation_token": (1, 1, 4),
        f"{MODEL}.embeddings.position_embeddings": (1, 18, 4),
        f"{MODEL}.embeddings.patch_embeddings.projection.weight": (4, 1, 16, 16),
        f"{MODEL}.embeddings.patch_embeddings.projection.bias": (4,),
        f"{block}.intermediate.dense.weight": (6, 4),
        f"{block}.intermediate.dense.bias": (6,),
        f"{block}.output.dense.weight": (4, 6),
        f"{block}.output.dense.bias": (4,),
        "classifier.dense.weight": (2, 4),
        "classifier.dense.bias": (2,),
    }
    for name in ("attention.query", "attention.key", "attention.value", "output.dense"):
        shapes |= {f"{block}.attention.{name}.weight": (4, 4), f"{block}.attention.{name}.bias": (4,)}
    for name in (f"{block}.layernorm_before", f"{block}.layernorm_after", f"{MODEL}.layernorm", "classifier.layernorm"):
        shapes |= {f"{name}.weight": (4,), f"{name}.bias": (4,)}
    random = np.random.default_rng(0)
    return {name: random.standard_normal(shape).astype("float32") for name, shape in shapes.items()}


def checkpoint(
    folder: Path,
    weights: dict[str, np.ndarray] | None = None,
    features: dict[str, Any] | None = None,
    **changes: Any,
) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG | changes))
    if features is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps(features))
    save_file(tensors() if weights is None else weights, folder / "model.safetensors")
    return folder


def test_the_file_describes_itself_and_is_loaded_safely(tmp_path: Path) -> None:
    convert_ast(checkpoint(tmp_path / "ast"), tmp_path / "speech.keras")
    model = keraudio.load(tmp_path / "speech.keras")
    description = keraudio.describe(model)
    # 128 frames are 1.295 s: a second, as Speech Commands has them.
    assert (description.labels, description.window, description.hop) == (("yes", "no"), 16000, 16000)
    assert (description.name, description.multi_label) == ("speech", False)
    np.testing.assert_allclose(model.predict(np.zeros((1, 16000), "float32"), verbose=0).sum(), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "chosen", "multi_label"),
    [
        ({}, None, False),
        ({"problem_type": "multi_label_classification"}, None, True),
        ({"problem_type": "multi_label_classification"}, False, False),
        ({}, True, True),
    ],
)
def test_whether_labels_exclude_each_other_is_the_checkpoints_or_the_callers_word(
    tmp_path: Path, changes: dict[str, Any], chosen: bool | None, multi_label: bool
) -> None:
    model = convert_ast(checkpoint(tmp_path / "ast", **changes), tmp_path / "m.keras", window=0.5, multi_label=chosen)
    assert (model.description.multi_label, model.description.window) == (multi_label, 8000)


def test_features_are_standardized_by_the_extractors_numbers(tmp_path: Path) -> None:
    for name, features, offset, scale in (
        ("given", {"sampling_rate": 8000, "do_normalize": True, "mean": -2.0, "std": 4.0}, 0.25, 0.125),
        ("AudioSet's", None, 4.2677393 / 2 / 4.5689974, 0.5 / 4.5689974),
    ):
        model = convert_ast(checkpoint(tmp_path / name, features=features), tmp_path / "m.keras")
        layer = model.backbone.get_layer("normalization")
        assert (layer.offset, layer.scale) == pytest.approx((offset, scale))
        assert model.description.sample_rate == (16000 if features is None else 8000)
    plain = convert_ast(checkpoint(tmp_path / "plain", features={"do_normalize": False}), tmp_path / "m.keras")
    assert "normalization" not in [layer.name for layer in plain.backbone.layers]


def test_what_does_not_fit_is_one_line(tmp_path: Path) -> None:
    headless = {name: value for name, value in tensors().items() if not name.startswith("classifier")}
    wide = tensors() | {"classifier.dense.weight": np.zeros((3, 4), "float32")}
    other_grid = tensors() | {f"{MODEL}.embeddings.position_embeddings": np.zeros((1, 20, 4), "float32")}
    missing = {key: value for key, value in CONFIG.items() if key != "time_stride"}
    broken = checkpoint(tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"no weights")
    bare = checkpoint(tmp_path / "bare")
    (bare / "config.json").write_text(json.dumps(missing))
    unreadable = checkpoint(tmp_path / "unreadable")
    (unreadable / "config.json").write_text("{")
    for folder, said in (
        (tmp_path / "none", "config.json: a checkpoint of Hugging Face must have it: no such file"),
        (unreadable, "config.json: a checkpoint of Hugging Face must have it: "),
        (broken, "model.safetensors: a checkpoint of Hugging Face must have it: "),
        (bare, "its configuration is not whole: 'time_stride'"),
        (checkpoint(tmp_path / "vit", model_type="vit"), "must hold an audio-spectrogram-transformer. Received: 'vit'"),
        (checkpoint(tmp_path / "relu", hidden_act="relu"), "`hidden_act` must be 'gelu'. Received: 'relu'"),
        (checkpoint(tmp_path / "headless", headless), "must hold classifier.layernorm.weight. Received: none"),
        (checkpoint(tmp_path / "wide", wide), r"classifier.dense must fill \(4, 2\). Received: \(4, 3\)"),
        (
            checkpoint(tmp_path / "grid", other_grid),
            r"position_embeddings must be \(1, 18, 4\). Received: \(1, 20, 4\)",
        ),
        (checkpoint(tmp_path / "twins", id2label={"0": "a", "1": "a"}), "`labels` must differ"),
    ):
        with pytest.raises(ModelFileError, match=said) as caught:
            convert_ast(folder, tmp_path / "m.keras")
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "m.keras").exists()
