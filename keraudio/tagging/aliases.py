"""The user's own names for a model's labels: renamed, dropped, or given a parent."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keraudio.errors import TagError

# Late, so that a wrong file is named without waiting for a backend.
if TYPE_CHECKING:
    from keraudio.tagging.predict import Prediction

_KEYS = ("drop", "parent", "rename")


@dataclass(frozen=True)
class Aliases:
    """What becomes of labels.

    Attributes:
        rename: new names by the model's; several may become one, whose probability is then the greatest of theirs.
        drop: labels, by the model's name or the new one, that are never answers.
        parent: by a label's new name, a more general one that is given wherever the label is; parents may have parents.
    """

    rename: Mapping[str, str] = field(default_factory=dict)
    drop: frozenset[str] = frozenset()
    parent: Mapping[str, str] = field(default_factory=dict)

    def names(self) -> set[str]:
        """The labels that are spoken of as the model, or a renaming, calls them."""
        return {*self.rename, *self.drop, *self.parent} - {*self.rename.values(), *self.parent.values()}


def read_aliases(path: Path) -> Aliases:
    """Reads a TOML file with a list `drop` and tables `[rename]` and `[parent]`, each of which may be missing.

    Raises:
        TagError: the file cannot be read, is no TOML, has other keys or other values than names, or a label is its own
            ancestor.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TagError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TagError(f"{path}: aliases must be TOML: {error}") from error
    if unknown := sorted(set(data) - set(_KEYS)):
        raise TagError(f"{path}: aliases must be among {', '.join(_KEYS)}. Received: {unknown[0]!r}")
    drop = data.get("drop", [])
    if not isinstance(drop, list) or not all(isinstance(name, str) and name.strip() for name in drop):
        raise TagError(f"{path}: `drop` must be a list of labels. Received: {drop!r}")
    tables = []
    for key in ("rename", "parent"):
        table = data.get(key, {})
        if not isinstance(table, dict) or not all(isinstance(name, str) and name.strip() for name in table.values()):
            raise TagError(f"{path}: `{key}` must be a table from label to name. Received: {table!r}")
        tables.append(table)
    rename, parent = tables
    for label in parent:
        if _has_circle(label, parent):
            raise TagError(f"{path}: no label may be its own ancestor. Received: {label!r}")
    return Aliases(rename, frozenset(drop), parent)


def _has_circle(label: str, parent: Mapping[str, str]) -> bool:
    seen = {label}
    while label in parent:
        label = parent[label]
        if label in seen:
            return True
        seen.add(label)
    return False


def apply_aliases(prediction: "Prediction", aliases: Aliases) -> "Prediction":
    """The prediction in the user's names.

    A parent is answered right after its first child, at least as confidently; where the model has no such label, it
    becomes one.
    """
    if prediction.probabilities is None:
        return prediction
    values: dict[str, float] = {}
    for label, value in zip(prediction.labels, prediction.probabilities, strict=True):
        name = aliases.rename.get(label, label)
        if not aliases.drop & {label, name}:
            values[name] = max(float(value), values.get(name, 0.0))
    chosen: list[str] = []
    for label in prediction.chosen:
        child = aliases.rename.get(label, label)
        if child in values:
            for name in _with_ancestors(child, aliases):
                values[name] = max(values.get(name, 0.0), values[child])
                if name not in chosen:
                    chosen.append(name)
    return replace(
        prediction,
        labels=tuple(values),
        probabilities=np.array(list(values.values()), dtype="float32"),
        chosen=tuple(chosen),
    )


def _with_ancestors(label: str, aliases: Aliases) -> list[str]:
    """The label and those above it that are not dropped."""
    names = [label]
    while names[-1] in aliases.parent:
        names.append(aliases.parent[names[-1]])
    return [name for name in names if name not in aliases.drop]
