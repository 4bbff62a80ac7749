"""The recipes that come with keraudio, and the TOML of any recipe, before its schema is looked at."""

import tomllib
from collections.abc import Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from keraudio.errors import RecipeError
from keraudio.nearest import did_you_mean

_FOLDER = resources.files("keraudio.recipes")
_PRETRAINING = _FOLDER / "pretraining"


def recipe_names() -> list[str]:
    """Names of the recipes that come with keraudio."""
    return _names(_FOLDER)


def pretraining_names() -> list[str]:
    """Names of the recipes for pretraining that come with keraudio."""
    return _names(_PRETRAINING)


def study_names() -> list[str]:
    """Names of the studies: tables of papers whose rows are recipes, or features of networks."""
    return _names(_FOLDER / "studies")


def _names(folder: Traversable) -> list[str]:
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def read_recipe(name: str | Path, *, with_pretraining: bool = False) -> dict[str, Any]:
    """What the TOML of a recipe holds, unchecked.

    Args:
        name: one of `recipe_names()`, `"STUDY/ROW"`, or the path of a TOML file.
        with_pretraining: whether it may be one of `pretraining_names()`, too. Defaults to False.

    Raises:
        RecipeError: no such recipe (the nearest name is given), or no valid TOML.
    """
    study, _, row = str(name).partition("/")
    if row and study in study_names() and not Path(name).is_file():
        return study_recipe(read_study(study), row)
    return _parsed(str(name), _FOLDER, *([_PRETRAINING] if with_pretraining else []))


def read_pretraining(name: str | Path) -> dict[str, Any]:
    """What the TOML of a recipe for pretraining holds, unchecked.

    Args:
        name: one of `pretraining_names()`, or the path of a TOML file.

    Raises:
        RecipeError: no such recipe (the nearest name is given), or no valid TOML.
    """
    return _parsed(str(name), _PRETRAINING)


def _parsed(name: str, *folders: Traversable) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(name, folders))
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{name}: not valid TOML: {error}") from None


def _text(name: str, folders: Sequence[Traversable]) -> str:
    try:
        path = Path(name).expanduser()
    except RuntimeError:
        raise RecipeError(f"'~' must stand for a home folder. Received: {name!r}") from None
    if path.suffix == ".toml" or path.is_file():
        try:
            return path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise RecipeError(f"{path}: a recipe must be UTF-8 text") from None
        except OSError as error:
            raise RecipeError(f"{path}: cannot be read: {error.strerror or error}") from None
    known = {found: folder for folder in folders for found in _names(folder)}
    if name not in known:
        commands = {"fit": recipe_names(), "pretrain": pretraining_names(), "study": study_names()}
        command = next((command for command, names in commands.items() if name in names), None)
        hint = f"That is one for `keraudio {command}`" if command else did_you_mean(name, known)
        raise RecipeError(f"A recipe must be a known name or a TOML file. Received: {name!r}. {hint}")
    return known[name].joinpath(f"{name}.toml").read_text(encoding="utf-8")


def read_study(name: str) -> dict[str, Any]:
    """What the TOML of a study holds.

    One whose rows are recipes has `base`, `reference`, `small`, and `rows` with `set`; one whose rows join features
    has `networks`, the study that trains them, and `rows` with `networks` and `levels`; one of several tables has
    `studies`.

    Raises:
        RecipeError: there is no such study; the nearest name is given.
    """
    names = study_names()
    if name not in names:
        raise RecipeError(f"A study must be one of {', '.join(names)}. Received: {name!r}. {did_you_mean(name, names)}")
    return _parsed(name, _FOLDER / "studies")


def study_recipe(study: dict[str, Any], row: str, *, small: bool = False) -> dict[str, Any]:
    """The recipe of a study's row: the base recipe, with what the row sets.

    Args:
        study: of `read_study`.
        row: its name.
        small: with what the study's small budget sets, in every row and in this one, too. Defaults to False.

    Raises:
        RecipeError: there is no such row, the nearest name is given; or the study's rows are no recipes.
    """
    if "base" not in study:
        raise RecipeError(f"A recipe must be of a study whose rows are trained. Received: {study['name']}/{row}")
    rows = {one["name"]: one for one in study["rows"]}
    if row not in rows:
        raise RecipeError(
            f"A row of {study['name']} must be one of {', '.join(rows)}. Received: {row!r}. {did_you_mean(row, rows)}"
        )
    data = read_recipe(study["base"])
    for section, values in rows[row]["set"].items():
        # A part by another name has other options.
        data[section] = data[section] | values if _same(data[section], values) else dict(values)
    for changes in (study["small"], rows[row].get("small", {})) if small else ():
        for section, values in changes.items():
            if _same(data[section], values):
                data[section] |= values
    return data | {"name": f"{study['name']}_{row}", "summary": f"{study['title']}: {rows[row]['label']}"}


def _same(part: dict[str, Any], changes: dict[str, Any]) -> bool:
    return changes.get("name", part.get("name")) == part.get("name")


def parse_assignment(text: str) -> tuple[str, Any]:
    """Key and value of `key=value`, the value in TOML's syntax; what is not valid TOML is taken as a string.

    Raises:
        RecipeError: there is no `=`, or no key before it.

    >>> parse_assignment("training.epochs=20"), parse_assignment("data.options.subset=esc10")
    (('training.epochs', 20), ('data.options.subset', 'esc10'))
    """
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not all(key.split(".")):
        raise RecipeError(f"A value must be given as key=value. Received: {text!r}")
    try:
        parsed = tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        return key, value
    # More keys than one come from line breaks, which only a string holds.
    return key, parsed["value"] if len(parsed) == 1 else value
