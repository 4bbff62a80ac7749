"""AST with random weights against Hugging Face's, and its features against its feature extractor."""

import os
from pathlib import Path

import keras
import numpy as np
import pytest
from layer_checks import distance, run

import keraudio
from keraudio.convert import convert_ast
from keraudio.frontends import kaldi_fbank

pytestmark = pytest.mark.backends

TINY = {
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 20,
    "max_length": 60,
    "num_mel_bins": 40,
}
DEIT_TINY = {
    "hidden_size": 192,
    "num_hidden_layers": 12,
    "num_attention_heads": 3,
    "intermediate_size": 768,
    "max_length": 1024,
}


@pytest.fixture(scope="module")
def transformers():
    """The module, kept from looking for anything on the network."""
    before = os.environ.get("HF_HUB_OFFLINE")
    os.environ["HF_HUB_OFFLINE"] = "1"
    import transformers

    yield transformers
    if before is None:
        del os.environ["HF_HUB_OFFLINE"]
    else:
        os.environ["HF_HUB_OFFLINE"] = before


def checkpoint(transformers, folder: Path, *, labels: int = 5, **config) -> tuple:
    """A saved model whose weights, those that begin as zero too, are random; and its feature extractor."""
    import torch

    names = {number: f"label {number}" for number in range(labels)}
    settings = transformers.ASTConfig(id2label=names, label2id={name: n for n, name in names.items()}, **config)
    torch.manual_seed(0)
    # Keras may have set torch up for the GPU.
    with torch.device("cpu"):
        model = transformers.ASTForAudioClassification(settings).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    extractor = transformers.ASTFeatureExtractor(
        max_length=settings.max_length, num_mel_bins=settings.num_mel_bins, mean=-3.5, std=4.0
    )
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)
    return model, extractor


def sound(samples: int) -> np.ndarray:
    """A falling tone in noise that fades to digital silence, twice, the second time quiet."""
    random = np.random.default_rng(0)
    time = np.arange(samples) / samples
    tone = np.sin(2 * np.pi * (0.3 * time - 0.12 * time**2) * samples)
    x = (0.6 * tone + 0.1 * random.standard_normal(samples)) * np.clip(1.2 - 1.3 * time, 0, 1)
    return np.stack([x, 1e-3 * x]).astype("float32")


def theirs(model, values) -> tuple[np.ndarray, np.ndarray]:
    """Pooled output, normalized as the head does it, and logits."""
    import torch

    with torch.no_grad():
        pooled = model.audio_spectrogram_transformer(torch.from_numpy(values)).pooler_output
        return model.classifier.layernorm(pooled).numpy(), model(torch.from_numpy(values)).logits.numpy()


@pytest.mark.parametrize(
    "config",
    [
        TINY | {"time_stride": 16, "frequency_stride": 16},
        TINY | {"time_stride": 10, "frequency_stride": 8, "layer_norm_eps": 1e-2},
        DEIT_TINY | {"time_stride": 16, "frequency_stride": 16},
        DEIT_TINY | {"time_stride": 10, "frequency_stride": 10},
    ],
    ids=["tiny", "tiny, overlapping, of another epsilon", "DeiT-Ti", "DeiT-Ti, overlapping"],
)
def test_the_converted_file_gives_the_originals_embedding_logits_and_probabilities(
    transformers, tmp_path: Path, config: dict
) -> None:
    original, extractor = checkpoint(transformers, tmp_path / "checkpoint", **config)
    convert_ast(tmp_path / "checkpoint", tmp_path / "ast.keras", multi_label=False)
    model = keraudio.load(tmp_path / "ast.keras")
    description = keraudio.describe(model)
    assert description.labels == tuple(f"label {number}" for number in range(5))
    assert (description.sample_rate, description.window) == (16000, 160000 if config["max_length"] == 1024 else 9840)
    x = sound(description.window)
    inputs = np.stack(extractor([*x], sampling_rate=16000)["input_values"])
    embedding, logits = theirs(original, inputs)
    inner = keras.Model(model.input, [model.get_layer("logits").input, model.get_layer("logits").output, model.output])
    found = inner.predict(x, verbose=0)
    errors = [distance(found[0], embedding), distance(found[1], logits)]
    print(f"{keras.backend.backend()} {config}: embedding {errors[0]:.1e}, logits {errors[1]:.1e}")
    assert max(errors) < 1e-4
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(found[2], odds / odds.sum(axis=1, keepdims=True), atol=1e-4)


@pytest.mark.parametrize(("samples", "frames"), [(9000, 60), (16000, 60), (300, None)])
def test_features_are_those_of_the_feature_extractor(transformers, samples: int, frames: int | None) -> None:
    extractor = transformers.ASTFeatureExtractor(max_length=frames or 1, do_normalize=False)
    x = sound(max(samples, 400))[:, :samples]
    # Of less than a frame there is a reference only where silence fills it, which its own mean then counts.
    padded = np.pad(x, ((0, 0), (0, max(0, 400 - samples))))
    expected = np.stack(extractor([*padded], sampling_rate=16000)["input_values"])
    found = run(kaldi_fbank(16000, frames=frames, samples=samples), x)
    error = np.abs(keras.ops.convert_to_numpy(found) - expected).max()
    print(f"{keras.backend.backend()} {samples} samples: {error:.1e}")
    assert error < 1e-3
