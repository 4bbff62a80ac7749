"""Data sets by name: "KIND:PATH" to a manifest."""

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keraudio.datasets.audio_folder import load_audio_folder
from keraudio.datasets.csv_file import load_csv
from keraudio.datasets.esc50 import load_esc50
from keraudio.datasets.folder import load_folder
from keraudio.datasets.gtzan import load_gtzan
from keraudio.datasets.manifest import Manifest
from keraudio.datasets.openmusic import load_openmusic
from keraudio.errors import DatasetError
from keraudio.nearest import did_you_mean

DATASET_KINDS: dict[str, Callable[..., Manifest]] = {
    "folder": load_folder,
    "audio": load_audio_folder,
    "csv": load_csv,
    "esc50": load_esc50,
    "gtzan": load_gtzan,
    "openmusic": load_openmusic,
}
"""The loader of each kind: a path, then options by keyword."""


def absolute_spec(spec: str) -> str:
    """`"KIND:PATH"` with the path written out from the root, so that it holds in any folder."""
    kind, colon, location = spec.partition(":")
    return f"{kind}:{os.path.abspath(os.path.expanduser(location))}" if location else kind + colon


@dataclass(frozen=True, slots=True)
class KindDescription:
    """What `keraudio datasets` tells of a kind.

    Args:
        name: the kind.
        summary: one line.
        options: the loader's options with their defaults.
    """

    name: str
    summary: str
    options: dict[str, Any]


def load_manifest(spec: str, **options: Any) -> Manifest:
    """Loads a data set by its kind and its path.

    Args:
        spec: "KIND:PATH", such as "folder:~/Music" or "esc50:data/esc50"; "~" stands for the home folder.
        **options: the loader's options, such as `subset="esc10"` for ESC-50.

    Returns:
        The data set's manifest.

    Raises:
        DatasetError: no ":", an unknown kind or option, a path that is missing, or what the loader finds wrong.
    """
    kind, colon, location = spec.partition(":")
    if not colon or not location:
        raise DatasetError(
            f"A data set must be given as KIND:PATH. Received: {spec!r}. Kinds: {', '.join(DATASET_KINDS)}"
        )
    if kind not in DATASET_KINDS:
        raise DatasetError(
            f"The kind of a data set must be one of {', '.join(DATASET_KINDS)}. Received: {kind!r}. "
            f"{did_you_mean(kind, DATASET_KINDS)}"
        )
    loader = DATASET_KINDS[kind]
    valid = _options(loader)
    for name in options:
        if name not in valid:
            raise DatasetError(f"Unknown option of kind {kind!r}. Received: {name}. {did_you_mean(name, valid)}")
    try:
        path = Path(location).expanduser()
    except RuntimeError as error:
        raise DatasetError(f"'~' must stand for a home folder. Received: {location!r}") from error
    try:
        if not path.exists():
            raise DatasetError(f"The path of a data set must exist. Received: {path}")
        return loader(path, **options)
    except OSError as error:
        raise DatasetError(f"{error.filename or path}: cannot be read: {error.strerror or error}") from error


def describe_kinds() -> list[KindDescription]:
    """The kinds of data sets with one line and the options of each, in the order of `DATASET_KINDS`."""
    return [
        KindDescription(name, (inspect.getdoc(loader) or "").partition("\n")[0], _options(loader))
        for name, loader in DATASET_KINDS.items()
    ]


def _options(loader: Callable[..., Manifest]) -> dict[str, Any]:
    parameters = inspect.signature(loader).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}
