"""Recipes from TOML to checked settings and back, with changes by `key=value`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tomli_w

from keraudio.errors import RecipeError
from keraudio.recipes.catalog import parse_assignment, read_pretraining, read_recipe
from keraudio.recipes.schema import PretrainingRecipe, Recipe, check_recipe


def load_recipe(name: str | Path, *, changes: Sequence[str] = ()) -> Recipe:
    """A recipe by name or by file, with changes.

    Args:
        name: one of `recipe_names()`, or the path of a TOML file.
        changes: `"section.key=value"` each, the value in TOML's syntax; what is not valid TOML is taken as a string.

    Raises:
        RecipeError: no such recipe (the nearest name is given), no valid TOML, or the schema is broken.
    """
    data = read_recipe(name)
    apply_changes(data, changes)
    return check_recipe(data, source=str(name))


def load_pretraining(name: str | Path, *, changes: Sequence[str] = ()) -> PretrainingRecipe:
    """A recipe for pretraining by name or by file, with changes, as `load_recipe` takes them.

    Raises:
        RecipeError: no such recipe (the nearest name is given), no valid TOML, or the schema is broken.
    """
    data = read_pretraining(name)
    apply_changes(data, changes)
    return check_recipe(data, source=str(name), schema=PretrainingRecipe)


def apply_changes(data: dict[str, Any], changes: Sequence[str]) -> None:
    """Changes what a recipe's TOML holds, by `"section.key=value"` each.

    Raises:
        RecipeError: a change is none, or its key is not in a section.
    """
    for change in changes:
        _apply(data, change)


def _apply(data: dict[str, Any], change: str) -> None:
    set_value(data, *parse_assignment(change))


def set_value(data: dict[str, Any], key: str, value: Any) -> None:
    """Sets the value of `"section.key"` in what a recipe's TOML holds.

    Raises:
        RecipeError: the key is not in a section.
    """
    keys = key.split(".")
    section: Any = data
    for part in keys[:-1]:
        section = section.setdefault(part, {})
        if not isinstance(section, dict):
            raise RecipeError(f"A change must name a key of a section. Received: {key!r}: `{part}` is no section")
    section[keys[-1]] = value


def dump_recipe(recipe: Recipe | PretrainingRecipe) -> str:
    """The effective recipe as TOML, every default written out; loading it again gives the same recipe."""
    return tomli_w.dumps(recipe.model_dump(mode="json", by_alias=True, exclude_none=True))
