"""Recipes as TOML: those that come with keraudio, the user's own files, and changes by `key=value`."""

import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import tomli_w

from keraudio.errors import RecipeError
from keraudio.nearest import did_you_mean
from keraudio.recipes.schema import Recipe, check_recipe


def recipe_names() -> list[str]:
    """Names of the recipes that come with keraudio."""
    folder = resources.files("keraudio.recipes")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_recipe(name: str | Path, *, changes: Sequence[str] = ()) -> Recipe:
    """A recipe by name or by file, with changes.

    Args:
        name: one of `recipe_names()`, or the path of a TOML file.
        changes: `"section.key=value"` each, the value in TOML's syntax; what is not valid TOML is taken as a string.

    Raises:
        RecipeError: no such recipe (the nearest name is given), no valid TOML, or the schema is broken.
    """
    text, source = _read(str(name))
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{source}: not valid TOML: {error}") from None
    for change in changes:
        _apply(data, change)
    return check_recipe(data, source=source)


def _read(name: str) -> tuple[str, str]:
    path = Path(name).expanduser()
    if path.suffix == ".toml" or path.is_file():
        try:
            return path.read_text(encoding="utf-8"), str(path)
        except UnicodeDecodeError:
            raise RecipeError(f"{path}: a recipe must be UTF-8 text") from None
        except OSError as error:
            raise RecipeError(f"{path}: cannot be read: {error.strerror or error}") from None
    names = recipe_names()
    if name not in names:
        raise RecipeError(f"A recipe must be a known name or a TOML file. Received: {name!r}. {did_you_mean(name, names)}")
    return resources.files("keraudio.recipes").joinpath(f"{name}.toml").read_text(encoding="utf-8"), name


def _apply(data: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    keys = key.strip().split(".")
    if not equals or not all(keys):
        raise RecipeError(f"A change must be given as section.key=value. Received: {change!r}")
    section: Any = data
    for part in keys[:-1]:
        section = section.setdefault(part, {})
        if not isinstance(section, dict):
            raise RecipeError(f"A change must name a key of a section. Received: {change!r}: `{part}` is no section")
    section[keys[-1]] = _toml_value(text.strip())


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def dump_recipe(recipe: Recipe) -> str:
    """The effective recipe as TOML, every default written out; loading it again gives the same recipe."""
    return tomli_w.dumps(recipe.model_dump(mode="json", by_alias=True, exclude_none=True))
