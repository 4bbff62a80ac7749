"""Weights in Keras 1's layout, with random values, against the network of the released code in NumPy."""

from pathlib import Path

import h5py
import numpy as np
import pytest

import keraudio
from keraudio.convert import convert_sample_cnn
from keraudio.errors import ModelFileError

LABELS = ["guitar", "classical", "slow"]


def random_layers(widths: list[int], sizes: list[int], labels: int = 3) -> list[tuple[str, dict[str, np.ndarray]]]:
    """Layers by name with their weights by Keras 1's names: convolutions and norms in turn, then the dense layer."""
    random = np.random.default_rng(0)
    found: list[tuple[str, dict[str, np.ndarray]]] = [("input_1", {})]
    for number, (before, width, size) in enumerate(zip([1, *widths], widths, sizes, strict=False), 1):
        name = f"convolution1d_{number}"
        kernel = random.normal(0, 1 / np.sqrt(size * before), (size, 1, before, width)).astype("float32")
        found.append((name, {f"{name}_W": kernel, f"{name}_b": random.normal(0, 0.1, width).astype("float32")}))
        name = f"batchnormalization_{number}"
        parts = ("gamma", "beta", "running_mean", "running_std")
        found.append((name, {f"{name}_{p}": random.uniform(0.5, 1.5, width).astype("float32") for p in parts}))
        found.append((f"activation_{number}", {}))
    kernel = random.normal(0, 0.5, (widths[-1], labels)).astype("float32")
    found.append(("dense_1", {"dense_1_W": kernel, "dense_1_b": random.normal(0, 0.1, labels).astype("float32")}))
    return found


def write(path: Path, layers: list[tuple[str, dict[str, np.ndarray]]], *, whole_model: bool = False) -> Path:
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if whole_model else file
        root.attrs["layer_names"] = [name.encode() for name, _ in layers]
        for name, weights in layers:
            group = root.create_group(name)
            group.attrs["weight_names"] = [weight.encode() for weight in weights]
            for weight, value in weights.items():
                group[weight] = value
    return path


def theano(layers: list[tuple[str, dict[str, np.ndarray]]], x: np.ndarray) -> np.ndarray:
    """The released network on one window, in float64: true convolutions, which run through kernels backwards."""
    values = [list(weights.values()) for _, weights in layers if weights]
    features = x.astype("float64")[:, None]
    for number, ((kernel, bias), (gamma, beta, mean, variance)) in enumerate(
        zip(values[:-1:2], values[1:-1:2], strict=True)
    ):
        size = kernel.shape[0]
        flipped = kernel[::-1, 0].astype("float64")
        if number == 0:
            frames = features.reshape(-1, size, features.shape[1])
        else:
            padded = np.pad(features, ((size // 2, size // 2), (0, 0)))
            frames = np.stack([padded[i : i + len(features)] for i in range(size)], axis=1)
        features = np.einsum("tkc,kcf->tf", frames, flipped) + bias
        features = np.maximum((features - mean) / np.sqrt(variance + 1e-5) * gamma + beta, 0)
        if number and size > 1:
            features = features.reshape(-1, size, features.shape[1]).max(axis=1)
    logits = features.ravel() @ values[-1][0] + values[-1][1]
    return 1 / (1 + np.exp(-logits))


@pytest.mark.backends
@pytest.mark.parametrize("widths", [[6, 6, 8, 10, 10], [6, 6, 8, 8, 10]])
@pytest.mark.parametrize("whole_model", [False, True])
def test_the_converted_file_gives_the_originals_tags(tmp_path: Path, widths: list[int], whole_model: bool) -> None:
    layers = random_layers(widths, [3, 3, 3, 3, 1])
    convert_sample_cnn(write(tmp_path / "w.hdf5", layers, whole_model=whole_model), tmp_path / "m.keras", LABELS)
    model = keraudio.load(tmp_path / "m.keras")
    description = keraudio.describe(model)
    assert (description.labels, description.window, description.multi_label) == (tuple(LABELS), 81, True)
    x = np.random.default_rng(1).uniform(-1, 1, (3, 81)).astype("float32")
    np.testing.assert_allclose(model.predict(x, verbose=0), [theano(layers, row) for row in x], atol=1e-4)


@pytest.mark.parametrize(
    ("widths", "parameters"),
    [
        # The paper's filters, and the released code's.
        ([128, 128, 128, 256, 256, 256, 256, 256, 512, 512, 512], 2_454_066),
        ([128, 128, 128, 256, 256, 256, 256, 256, 256, 512, 512], 1_863_986),
    ],
)
def test_both_variants_are_read_at_full_size(tmp_path: Path, widths: list[int], parameters: int) -> None:
    layers = random_layers(widths, [3] * 10 + [1], labels=50)
    weights = write(tmp_path / "w.hdf5", layers)
    model = convert_sample_cnn(weights, tmp_path / "m.keras", [f"tag {n}" for n in range(50)])
    norms = 4 * sum(widths)
    assert model.count_params() == parameters + norms and model.description.window == 59049


def test_what_does_not_fit_is_one_line(tmp_path: Path) -> None:
    layers = random_layers([4, 4, 4, 4], [3, 3, 3, 1])
    (tmp_path / "text.hdf5").write_text("no weights")
    with h5py.File(tmp_path / "other.hdf5", "w") as file:
        file["x"] = np.zeros(3)
    even = random_layers([4, 4, 4, 4], [2, 2, 2, 1])
    for name, labels, said in (
        ("text.hdf5", LABELS, "no weights of Keras 1"),
        ("other.hdf5", LABELS, "no weights of Keras 1"),
        ("missing.hdf5", LABELS, "no weights of Keras 1"),
        (write(tmp_path / "w.hdf5", layers).name, ["one"], "has 3 outputs. Received: 1 labels"),
        (write(tmp_path / "dense.hdf5", layers[-1:]).name, LABELS, "must hold strided convolution"),
        (write(tmp_path / "none.hdf5", layers[:1]).name, LABELS, "holds no weights"),
        (write(tmp_path / "even.hdf5", even).name, LABELS, "of filters of even length Theano pads otherwise"),
    ):
        with pytest.raises(ModelFileError, match=said) as caught:
            convert_sample_cnn(tmp_path / name, tmp_path / "m.keras", labels)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "m.keras").exists()
