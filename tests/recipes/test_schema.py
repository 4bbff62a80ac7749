import inspect
import math
from typing import Any

import pytest

from keraudio.backbones import BACKBONES
from keraudio.errors import RecipeError
from keraudio.frontends import FRONT_ENDS
from keraudio.recipes import AUGMENTATIONS, Recipe, builder_options, check_recipe


def changed(**sections: Any) -> dict[str, Any]:
    smallest = {"name": "mine", "front_end": {"name": "log_mel"}, "backbone": {"name": "residual_cnn"}}
    return smallest | sections


def check(data: dict[str, Any]) -> Recipe:
    return check_recipe(data, source="mine.toml")


def test_the_smallest_recipe_names_itself_and_its_parts() -> None:
    recipe = check(changed())
    assert (recipe.name, recipe.front_end.name, recipe.backbone.name) == ("mine", "log_mel", "residual_cnn")
    assert recipe.schema_version == 1 and recipe.augmentation == {}


@pytest.mark.parametrize("required", ["name", "front_end", "backbone"])
def test_a_required_key_that_is_missing_is_named(required: str) -> None:
    data = changed()
    del data[required]
    with pytest.raises(RecipeError, match=rf"^mine\.toml: `{required}` is required$"):
        check(data)


def test_a_part_without_its_name_says_which() -> None:
    with pytest.raises(RecipeError, match=r"`front_end\.name` is required"):
        check(changed(front_end={"n_fft": 512}))


@pytest.mark.parametrize(
    ("data", "key", "nearest"),
    [
        ({"trainig": {}}, "trainig", "training"),
        ({"training": {"epoch": 3}}, "training.epoch", "epochs"),
        ({"training": {"mixup": {"alhpa": 1.0}}}, "training.mixup.alhpa", "alpha"),
        ({"data": {"splits": "given"}}, "data.splits", "split"),
        ({"audio": {"windows": 1.0}}, "audio.windows", "window"),
        ({"head": {"drop_out": 0.1}}, "head.drop_out", "dropout"),
        ({"evaluation": {"agregate": "max"}}, "evaluation.agregate", "aggregate"),
        ({"front_end": {"name": "log_mel", "n_mel": 64}}, "front_end.n_mel", "n_mels"),
        ({"backbone": {"name": "residual_cnn", "filter": [8]}}, "backbone.filter", "filters"),
        ({"augmentation": {"gain": {"max_dB": 3.0}}}, "augmentation.gain.max_dB", "max_db"),
        ({"augmentation": {"noise": {"probabilty": 0.5}}}, "augmentation.noise.probabilty", "probability"),
        ({"augmentation": {"delay": {"mix_": 0.5}}}, "augmentation.delay.mix_", "mix"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_valid_one(data: dict[str, Any], key: str, nearest: str) -> None:
    with pytest.raises(RecipeError) as caught:
        check(changed(**data))
    assert str(caught.value) == f"mine.toml: unknown key `{key}`. Did you mean {nearest!r}?"


@pytest.mark.parametrize(
    ("data", "key", "nearest"),
    [
        ({"front_end": {"name": "logmel"}}, "front_end.name", "log_mel"),
        ({"backbone": {"name": "resnets"}}, "backbone.name", "resnet"),
        ({"augmentation": {"spec_augmentation": {}}}, "augmentation.spec_augmentation", "spec_augment"),
    ],
)
def test_an_unknown_part_is_named_with_the_nearest(data: dict[str, Any], key: str, nearest: str) -> None:
    with pytest.raises(RecipeError, match=rf"`{key}` must be one of .*Did you mean '{nearest}'\?"):
        check(changed(**data))


@pytest.mark.parametrize("taken", ["sample_rate", "samples", "seed", "dtype", "trainable"])
def test_what_other_sections_decide_is_no_option_of_a_part(taken: str) -> None:
    with pytest.raises(RecipeError, match=f"unknown key `front_end.{taken}`"):
        check(changed(front_end={"name": "log_mel", taken: 1}))
    with pytest.raises(RecipeError, match=f"unknown key `augmentation.delay.{taken}`"):
        check(changed(augmentation={"delay": {taken: 1}}))


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"schema": 2}, "schema"),
        ({"training": {"epochs": 0}}, "training.epochs"),
        ({"training": {"epochs": "many"}}, "training.epochs"),
        ({"training": {"learning_rate": math.inf}}, "training.learning_rate"),
        ({"training": {"optimizer": "lion"}}, "training.optimizer"),
        ({"audio": {"window": 0.0}}, "audio.window"),
        ({"audio": {"window": math.inf}}, "audio.window"),
        ({"audio": {"window": math.nan}}, "audio.window"),
        ({"audio": {"hop": -1.0}}, "audio.hop"),
        ({"audio": {"sample_rate": 999}}, "audio.sample_rate"),
        ({"audio": 5}, "audio"),
        ({"head": {"dropout": 1.0}}, "head.dropout"),
        ({"data": {"split": "kfold"}}, "data.split"),
        ({"data": {"fractions": "half"}}, "data.fractions"),
        ({"data": {"train_folds": ["one"]}}, r"data.train_folds.0"),
        ({"evaluation": {"aggregate": "median"}}, "evaluation.aggregate"),
        ({"name": 5}, "name"),
    ],
    ids=str,
)
def test_a_value_that_breaks_its_rule_is_one_line_that_names_the_key(data: dict[str, Any], key: str) -> None:
    with pytest.raises(RecipeError) as caught:
        check(changed(**data))
    message = str(caught.value)
    assert message.startswith(f"mine.toml: `{key}`") and "Received: " in message and "\n" not in message


@pytest.mark.parametrize("builder", [*FRONT_ENDS.values(), *BACKBONES.values()], ids=lambda builder: builder.__name__)
def test_every_option_of_a_builder_can_be_set(builder: Any) -> None:
    parameters = inspect.signature(builder).parameters
    expected = set(parameters) - {"sample_rate", "samples", "input_shape", "name"}
    assert set(builder_options(builder)) == expected
    assert all(builder_options(builder)[name] == parameters[name].default for name in expected)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_options_of_an_augmentation_include_those_of_its_base_and_nothing_of_keras(name: str) -> None:
    options = builder_options(AUGMENTATIONS[name])
    assert options["probability"] == (0.5 if name == "polarity" else 1.0)
    assert not {"seed", "name", "dtype", "trainable", "kwargs", "activity_regularizer", "autocast"} & set(options)
    AUGMENTATIONS[name](**options, **({"sample_rate": 8000} if name == "delay" else {}))


def test_seconds_become_samples() -> None:
    audio = check(changed(audio={"sample_rate": 16000, "window": 0.5})).audio
    assert (audio.window_samples, audio.hop_samples) == (8000, 4000)
    audio = check(changed(audio={"sample_rate": 22050, "window": 2.0, "hop": 0.1})).audio
    assert (audio.window_samples, audio.hop_samples) == (44100, 2205)
    assert check(changed(audio={"window": 1e-9, "hop": 1e-9})).audio.hop_samples == 1
