from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from layer_checks import array, run

from keraudio.backbones import ast

SMALL: dict[str, Any] = {"width": 8, "depth": 2, "heads": 2}


def trained_parameters(model: keras.Model) -> int:
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@pytest.mark.parametrize(
    ("size", "frames", "tokens", "parameters"),
    [
        ("tiny", 1876, 936, 5_570_890),
        ("tiny", 3308, 1648, 5_707_594),
        ("small", 1876, 936, 21_758_602),
        ("small", 3308, 1648, 22_032_010),
    ],
)
def test_parameters_with_a_head_of_ten_labels_are_gafxs(size: str, frames: int, tokens: int, parameters: int) -> None:
    """All that is trained: patches, two tokens, positions, blocks, both last normalizations and the dense layer."""
    model = ast((frames, 128), size=size)
    width = model.output_shape[1]
    assert model.get_layer("tokens").output.shape == (None, tokens + 2, width)
    assert trained_parameters(model) + 10 * (width + 1) == parameters


def test_base_is_deits() -> None:
    # Of the width 768 the published DeiT-B, distilled, for images has 87,338,192 with two heads of a thousand labels:
    # here one channel instead of three, positions of 512 patches instead of 196, one more normalization, and no head.
    model = ast((1024, 128), size="base")
    expected = 87_338_192 - 2 * 1000 * 769 - 2 * 256 * 768 + (512 - 196) * 768 + 2 * 768
    assert trained_parameters(model) == expected


@pytest.mark.backends
def test_features_with_channels_and_of_odd_sizes_are_embedded(tmp_path: Path) -> None:
    x = np.random.default_rng(0).standard_normal((2, 37, 18, 3)).astype("float32")
    model = ast((37, 18, 3), **SMALL)
    assert model.get_layer("tokens").output.shape == (None, 4, 8)
    before = model.predict(x, verbose=0)
    assert before.shape == (2, 8) and np.isfinite(before).all()
    model.save(tmp_path / "ast.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "ast.keras").predict(x, verbose=0), before)


@pytest.mark.backends
def test_every_weight_is_trained_and_dropout_rests_at_inference() -> None:
    model = ast((48, 32), dropout=0.3, recompute=True, **SMALL)
    x = np.random.default_rng(0).standard_normal((4, 48, 32)).astype("float32")
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.predict(x, verbose=0))
    trained = keras.Model(model.input, keras.layers.Dense(2)(model.output))
    before = [array(weight) for weight in model.trainable_weights]
    trained.compile(keras.optimizers.Adam(1e-2), loss="mse")
    trained.train_on_batch(x, np.random.default_rng(1).standard_normal((4, 2)).astype("float32"))
    moved = {
        w.path.split("/", 1)[1]: (array(w) != v).any() for w, v in zip(model.trainable_weights, before, strict=True)
    }
    # A key's bias moves all of a row of the softmax alike, which is no change: its gradient is rounding.
    assert {name for name, has in moved.items() if not has} <= {name for name in moved if name.endswith("key/bias")}


@pytest.mark.backends
def test_features_are_standardized_by_given_or_gathered_numbers() -> None:
    x = (5 * np.random.default_rng(0).standard_normal((4, 48, 32)) - 40).astype("float32")
    plain = ast((48, 32), standardize=False, **SMALL)
    given = ast((48, 32), mean=-40.0, deviation=5.0, **SMALL)
    given.set_weights(plain.get_weights())
    expected = array(run(plain, (x + 40) / 10))
    np.testing.assert_allclose(array(run(given, x)), expected, atol=1e-5)
    gathered = ast((48, 32), **SMALL)
    for weight, value in zip(gathered.trainable_weights, plain.get_weights(), strict=True):
        weight.assign(value)
    gathered(x, training=True)
    assert len(gathered.non_trainable_weights) == 3
    standard = (x - x.mean()) / (2 * x.std())
    np.testing.assert_allclose(array(run(gathered, x)), array(run(plain, standard)), atol=1e-4)


def deit(folder: Path, **changes: Any) -> Any:
    """A tiny DeiT of images with random weights, and its preset."""
    from keras_hub.models import DeiTBackbone

    options = {
        "image_shape": (64, 64, 3),
        "patch_size": 16,
        "num_layers": 2,
        "num_heads": 2,
        "hidden_dim": 8,
        "intermediate_dim": 32,
    }
    model = DeiTBackbone(**options | changes)
    random = np.random.default_rng(0)
    model.set_weights([weight + 0.1 * random.standard_normal(weight.shape) for weight in model.get_weights()])
    model.save_to_preset(folder)
    return model


@pytest.mark.backends
@pytest.mark.parametrize("patch_weights", ["sum", "mean"])
def test_on_an_image_a_preset_gives_what_deit_gives(tmp_path: Path, patch_weights: str) -> None:
    original = deit(tmp_path / "preset")
    model = ast((64, 64), standardize=False, preset=str(tmp_path / "preset"), patch_weights=patch_weights, **SMALL)
    # A grey image, whose rows are frequencies; a third of it where weights are summed up.
    x = np.random.default_rng(1).standard_normal((2, 64, 64)).astype("float32")
    image = np.repeat(x.swapaxes(1, 2)[..., None], 3, axis=-1) / (1 if patch_weights == "sum" else 3)
    tokens = original.predict(image, verbose=0)[:, :2]
    inner = keras.Model(model.input, model.get_layer("norm").output)
    np.testing.assert_allclose(inner.predict(x, verbose=0), tokens, atol=1e-5)


@pytest.mark.backends
def test_a_preset_reaches_other_sizes_and_channels(tmp_path: Path) -> None:
    original = deit(tmp_path / "preset")
    model = ast((200, 40, 2), stride=10, preset=str(tmp_path / "preset"), **SMALL)
    tokens = model.get_layer("tokens")
    theirs = array(original.get_layer("deit_patching_and_embedding").position_embedding)
    np.testing.assert_array_equal(array(tokens.positions)[:, :2], theirs[:, :2])
    # Of 4 by 4 patches those of the middle two rows; 19 by 3 are wanted: rows from 4 // 2 - 3 // 2 on.
    grid = array(tokens.positions)[0, 2:].reshape(19, 3, 8)
    rows = theirs[0, 2:].reshape(4, 4, 8)[1:4]
    np.testing.assert_allclose(grid[[0, -1]], rows[:, [0, -1]].swapaxes(0, 1), atol=1e-6)
    # Two channels that are alike answer as one.
    single = ast((200, 40), stride=10, preset=str(tmp_path / "preset"), **SMALL)
    x = np.random.default_rng(1).standard_normal((1, 200, 40)).astype("float32")
    twice = model.predict(np.stack([x, x], axis=-1), verbose=0)
    np.testing.assert_allclose(twice, single.predict(x, verbose=0), atol=1e-5)


def test_a_preset_of_another_make_is_refused(tmp_path: Path) -> None:
    deit(tmp_path / "preset", num_heads=4)
    with pytest.raises(ValueError, match=r"`preset` must have the backbone's .*\(8, 2, 2, 32, .*. Received: \(8, 2, 4"):
        ast((48, 32), preset=str(tmp_path / "preset"), **SMALL)
    with pytest.raises(ValueError, match="`preset` must be a DeiT preset of keras-hub. Received: preset=.*none"):
        ast((48, 32), preset=str(tmp_path / "none"), **SMALL)


@pytest.mark.parametrize(
    ("shape", "options", "rule"),
    [
        ((48, 32), {"size": "huge"}, "`size` must be one of tiny, small, base. Received: size='huge'"),
        ((None, 32), {}, "`input_shape` must be .*. Received: .None, 32"),
        ((15, 32), {}, "at least 16 frames and bins, .*. Received: .*15, 32"),
        ((48, 32), {"width": 9, "heads": 2}, "`heads` must divide `width`. Received: width=9, depth=12, heads=2"),
        (
            (48, 32),
            {"mean": 1.0},
            "`mean` and `deviation` must be given together.*. Received: mean=1.0, deviation=None",
        ),
        ((48, 32), {"mean": 1.0, "deviation": 0.0}, "the deviation above 0. Received: mean=1.0, deviation=0.0"),
        ((48, 32), {"patch_weights": "red"}, "`patch_weights` must be 'mean' or 'sum'. Received: patch_weights='red'"),
    ],
)
def test_wrong_arguments_are_named(shape: Any, options: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        ast(shape, **options)
