from typing import Any

import keras
import numpy as np
import pytest

from keraudio.errors import RecipeError
from keraudio.recipes import build_classifier, check_recipe, load_recipe, recipe_names

SMALL: dict[str, Any] = {
    "name": "a name: with / signs",
    "audio": {"sample_rate": 4000, "window": 0.5, "hop": 0.2},
    "front_end": {"name": "log_mel", "n_fft": 256, "hop_length": 128, "n_mels": 16},
    "backbone": {"name": "residual_cnn", "filters": [4]},
}


def recipe(**sections: Any) -> Any:
    return check_recipe(SMALL | sections, source="small")


@pytest.mark.backends
@pytest.mark.parametrize("name", recipe_names())
def test_recipes_that_ship_build_and_answer(name: str) -> None:
    shipped = load_recipe(name)
    model = build_classifier(shipped, ("a", "b", "c"), multi_label=False)
    window = shipped.audio.window_samples
    waveform = np.random.default_rng(0).uniform(-0.5, 0.5, (1, window)).astype("float32")
    probabilities = model.predict_on_batch(waveform)
    assert probabilities.shape == (1, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert (model.description.name, model.description.window) == (name, window)


def test_the_description_is_the_recipe_s() -> None:
    sections = {"evaluation": {"aggregate": "max"}}
    description = build_classifier(recipe(**sections), ("x", "y"), multi_label=True).description
    assert description.model_dump() == {
        "labels": ("x", "y"),
        "sample_rate": 4000,
        "window": 2000,
        "hop": 800,
        "extra_labels": (),
        "multi_label": True,
        "aggregate": "max",
        "silence": None,
        "thresholds": None,
        "temperature": 1.0,
        "name": SMALL["name"],
        "schema_version": 1,
    }


def test_a_waveform_passes_its_augmentations_in_one_order_whatever_theirs_in_the_recipe() -> None:
    chosen = {
        "spec_augment": {"time_masks": 3},
        "shift": {},
        "polarity": {},
        "delay": {"probability": 0.2},
        "gain": {"max_db": -2.0},
        "noise": {"probability": 0.3},
    }
    model = build_classifier(recipe(augmentation=chosen), ("x", "y"), multi_label=False)
    assert [type(layer).__name__ for layer in model.waveform_augmentation] == [
        "RandomNoise",
        "RandomGain",
        "RandomDelay",
        "RandomPolarity",
        "RandomShift",
    ]
    noise, gain, delay, polarity, _ = model.waveform_augmentation
    assert (noise.probability, gain.max_db, gain.min_db) == (0.3, -2.0, -20.0)
    # Seconds are counted at the recipe's own sample rate.
    assert (delay.probability, delay.sample_rate, polarity.probability) == (0.2, 4000, 0.5)
    assert [layer.time_masks for layer in model.feature_augmentation] == [3]


def test_mixed_precision_stays_within_the_classifier() -> None:
    model = build_classifier(recipe(training={"precision": "mixed_bfloat16"}), ("x", "y"), multi_label=False)
    assert keras.config.dtype_policy().name == "float32"
    assert model.backbone.get_layer("stem").compute_dtype == "bfloat16"
    assert keras.ops.convert_to_numpy(model(np.zeros((1, 2000), "float32"))).dtype == np.float32


@pytest.mark.parametrize(
    "sections",
    [
        {"front_end": {"name": "log_mel", "n_fft": 0}},
        {"front_end": {"name": "log_mel", "n_fft": "many"}},
        {"front_end": {"name": "log_mel", "window": "round"}},
        {"backbone": {"name": "residual_cnn", "pool": "sum"}},
        {"backbone": {"name": "residual_cnn", "filters": []}},
        {"backbone": {"name": "residual_cnn", "filters": 8}},
        {"backbone": {"name": "residual_cnn", "filters": [0]}},
        {"backbone": {"name": "residual_cnn", "stem_strides": [0, 0]}},
        {"augmentation": {"gain": {"min_db": 3.0, "max_db": 0.0}}},
        {"augmentation": {"noise": {"probability": 2}}},
        {"augmentation": {"delay": {"min_delay": 1.0}}},
    ],
    ids=str,
)
def test_an_option_out_of_its_range_is_an_error_that_names_the_recipe(sections: dict[str, Any]) -> None:
    policy = keras.config.dtype_policy()
    with pytest.raises(RecipeError, match="^a name: with / signs: "):
        build_classifier(recipe(**sections), ("x", "y"), multi_label=False)
    assert keras.config.dtype_policy() == policy
