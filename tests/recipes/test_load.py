import math
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keraudio.errors import RecipeError
from keraudio.recipes import check_recipe, dump_recipe, load_pretraining, load_recipe, parse_assignment, recipe_names

SMALLEST = 'name = "mine"\nfront_end = { name = "log_mel" }\nbackbone = { name = "residual_cnn" }\n'


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(SMALLEST)
    return path


def test_a_recipe_is_found_by_name_and_by_file(mine: Path) -> None:
    assert load_recipe("esc50_baseline").name == "esc50_baseline"
    assert load_recipe(mine).name == load_recipe(str(mine)).name == "mine"


def test_an_unknown_name_is_an_error_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"Received: 'esc50_basline'\. Did you mean 'esc50_baseline'\?"):
        load_recipe("esc50_basline")


@pytest.mark.parametrize(
    ("load", "name", "command"),
    [(load_recipe, "mst", "pretrain"), (load_recipe, "gafx_table6", "study"), (load_pretraining, "gafx_r", "fit")],
)
def test_a_name_of_another_command_names_that_one(load: Callable[[str], object], name: str, command: str) -> None:
    with pytest.raises(RecipeError, match=f"Received: '{name}'\\. That is one for `keraudio {command}`$"):
        load(name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name = ", "not valid TOML"),
        (b'name = "a"\nname = "b"', "not valid TOML"),
        ('name = "Stück"'.encode("latin-1"), "must be UTF-8"),
        (b"", "`name` is required"),
    ],
)
def test_a_file_that_is_no_recipe_is_one_line_with_its_path(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=message) as caught:
        load_recipe(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["missing.toml", "folder.toml", "~no_such_user_here/mine.toml"])
def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(RecipeError):
        load_recipe(name if name.startswith("~") else tmp_path / name)


@pytest.mark.parametrize(
    ("change", "read"),
    [
        ("training.epochs=3", lambda recipe: recipe.training.epochs == 3),
        (" training.epochs = 3 ", lambda recipe: recipe.training.epochs == 3),
        ("training.learning_rate=1e-4", lambda recipe: recipe.training.learning_rate == 1e-4),
        ("training.optimizer=sgd", lambda recipe: recipe.training.optimizer == "sgd"),
        ('training.optimizer="sgd"', lambda recipe: recipe.training.optimizer == "sgd"),
        ("training.mixup.alpha=0.3", lambda recipe: recipe.training.mixup.alpha == 0.3),
        ("training.mixup={alpha = 0.3}", lambda recipe: recipe.training.mixup.alpha == 0.3),
        ("backbone.filters=[4, 8]", lambda recipe: recipe.backbone.options == {"filters": [4, 8]}),
        ("front_end.center=false", lambda recipe: recipe.front_end.options == {"center": False}),
        ("data.options.subset=esc10", lambda recipe: recipe.data.options == {"subset": "esc10"}),
        ("augmentation.gain={}", lambda recipe: recipe.augmentation == {"gain": {}}),
        ("summary=a = b", lambda recipe: recipe.summary == "a = b"),
        ("summary=", lambda recipe: recipe.summary == ""),
        ("summary=two words", lambda recipe: recipe.summary == "two words"),
        ("schema=1", lambda recipe: recipe.schema_version == 1),
    ],
)
def test_a_change_is_a_key_and_a_toml_value_or_else_a_string(mine: Path, change: str, read: Any) -> None:
    assert read(load_recipe(mine, changes=[change]))


def test_the_last_change_holds(mine: Path) -> None:
    assert load_recipe(mine, changes=["training.epochs=3", "training.epochs=4"]).training.epochs == 4


@pytest.mark.parametrize("change", ["training.epochs", "=3", "training..epochs=3", ".epochs=3", ""])
def test_a_change_that_is_no_assignment_is_refused(mine: Path, change: str) -> None:
    with pytest.raises(RecipeError, match="must be given as"):
        load_recipe(mine, changes=[change])


def test_a_change_below_a_value_is_refused(mine: Path) -> None:
    with pytest.raises(RecipeError, match="`name` is no section"):
        load_recipe(mine, changes=["name.first=3"])


@pytest.mark.parametrize("value", ["1\nname = 2", "1\n[section]", "'a' # b\nother = 1"])
def test_a_value_cannot_smuggle_in_other_keys(value: str) -> None:
    assert parse_assignment(f"summary={value}") == ("summary", value)


def test_a_wrong_change_is_named_with_the_nearest_key(mine: Path) -> None:
    with pytest.raises(RecipeError, match=r"unknown key `training\.epoch`\. Did you mean 'epochs'\?"):
        load_recipe(mine, changes=["training.epoch=3"])


numbers = st.floats(min_value=1e-6, max_value=1e6) | st.integers(1, 10**6)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
shares = st.floats(0, 0.99)


def some_of(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=keys)


recipes = some_of(
    summary=words,
    data=some_of(
        split=st.sampled_from(["given", "folds", "random"]),
        train_folds=st.lists(st.integers(0, 9), max_size=3),
        fractions=st.tuples(shares, shares, shares).map(list),
        options=st.dictionaries(words, words | numbers | st.booleans() | st.lists(words, max_size=2), max_size=2),
    ),
    audio=some_of(sample_rate=st.integers(1000, 192000), window=numbers, hop=numbers),
    front_end=st.fixed_dictionaries(
        {"name": st.just("log_mel")},
        optional={"fmin": numbers | st.just(0.0), "center": st.booleans(), "window": words, "top_db": numbers},
    ),
    backbone=st.fixed_dictionaries(
        {"name": st.just("residual_cnn")}, optional={"filters": st.lists(st.integers(1, 64), max_size=4)}
    ),
    head=some_of(dropout=shares),
    augmentation=some_of(gain=some_of(min_db=st.floats(-60, 60)), spec_augment=some_of(time_masks=st.integers(0, 5))),
    training=some_of(
        learning_rate=numbers,
        patience=st.integers(1, 99),
        clip_norm=numbers,
        mixup=some_of(alpha=numbers, probability=st.floats(0, 1)),
    ),
    evaluation=some_of(aggregate=st.sampled_from(["mean", "majority", "max"])),
)


@settings(max_examples=15, deadline=None)
@given(data=recipes, name=words)
def test_a_written_recipe_loads_as_the_same_recipe(tmp_path_factory: Any, data: dict[str, Any], name: str) -> None:
    parts = {"name": name, "front_end": {"name": "log_mel"}, "backbone": {"name": "residual_cnn"}}
    recipe = check_recipe(parts | data, source="drawn")
    path = tmp_path_factory.mktemp("drawn") / "recipe.toml"
    path.write_text(dump_recipe(recipe), encoding="utf-8")
    again = load_recipe(path)
    assert again == recipe
    assert dump_recipe(again) == dump_recipe(recipe)


def test_a_written_recipe_shows_every_default(mine: Path) -> None:
    written = tomllib.loads(dump_recipe(load_recipe(mine)))
    assert written["schema"] == 1
    assert {"data", "audio", "front_end", "backbone", "head", "augmentation", "training", "evaluation"} < set(written)
    assert {"epochs", "batch_size", "optimizer", "schedule", "monitor", "precision"} < set(written["training"])


@pytest.mark.parametrize("name", recipe_names())
def test_recipes_that_ship_say_what_they_are_and_survive_writing(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert 0 < len(recipe.summary) <= 100 and "\n" not in recipe.summary
    assert check_recipe(tomllib.loads(dump_recipe(recipe)), source=name) == recipe
    # The windows of an evaluation leave no gap between them.
    assert recipe.audio.hop_samples <= recipe.audio.window_samples
    assert math.isclose(sum(recipe.data.fractions), 1)
