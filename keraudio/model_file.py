"""Looks into a `.keras` file before anything in it is built: its archive, its config, its weights."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from keraudio.description import Description, first_error
from keraudio.errors import ModelFileError

# Only these may be asked for by a config. A module is taken with everything below it.
ALLOWED_MODULES = (
    "keras",
    "keras.activations",
    "keras.constraints",
    "keras.dtype_policies",
    "keras.initializers",
    "keras.layers",
    "keras.losses",
    "keras.metrics",
    "keras.models",
    "keras.optimizers",
    "keras.random",
    "keras.regularizers",
    "keras.src.backend",
    "keras.src.layers",
    "keras.src.models",
    "keras.src.ops",
    "keras.ops",
    "keras_hub",
    "keraudio",
    "builtins",
)
# Layers of Keras that run code or open files of somebody else's choosing.
REFUSED_CLASSES = ("Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")
REQUIRED_MEMBERS = ("config.json", "metadata.json", "model.weights.h5")
DESCRIPTION_CLASSES = ("keraudio>LabelProbabilities", "keraudio>AudioClassifier")
LARGEST_CONFIG = 64 * 2**20


def check_model_file(path: Path) -> Description:
    """Checks a `.keras` file without building anything from it, and without Keras.

    Returns:
        What the file says of itself.

    Raises:
        ModelFileError: as `check_archive` does, or nothing in it describes the model.
    """
    return _description(path, check_archive(path))


def check_archive(path: Path) -> Any:
    """Checks whatever Keras wrote into a `.keras` file, without building anything from it, and without Keras.

    Returns:
        Its config.

    Raises:
        ModelFileError: it is missing, no archive, its members escape the folder, its config asks for a class outside
            the allow-list, or its weights refer to other files.
    """
    if path.suffix != ".keras":
        raise ModelFileError(f"{path}: a model file must end in .keras")
    if not path.is_file():
        raise ModelFileError(f"{path}: no such file")
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(path, archive)
            # Keras reads damaged weights as they are when their checksum fails.
            if damaged := archive.testzip():
                raise ModelFileError(f"{path}: {damaged} is damaged: its checksum does not match")
            config = json.loads(archive.read("config.json"))
            _check_classes(path, config)
            with archive.open("model.weights.h5") as weights:
                _check_weights(path, weights)
            return config
    except ModelFileError:
        raise
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror or error}") from None
    except Exception as error:
        # On damaged bytes zipfile, json and h5py raise many kinds: BadZipFile, zlib.error, RuntimeError, KeyError ...
        raise ModelFileError(f"{path}: not a whole .keras archive: {error}") from None


def _check_members(path: Path, archive: zipfile.ZipFile) -> None:
    names = archive.namelist()
    for member in archive.infolist():
        name = PurePosixPath(member.filename.replace("\\", "/"))
        is_link = (member.external_attr >> 16) & 0o170000 == 0o120000
        if name.is_absolute() or not name.parts or ".." in name.parts or ":" in name.parts[0] or is_link:
            raise ModelFileError(f"{path}: members must stay inside the archive. Received: {member.filename!r}")
        if name.parts[0] != "assets" and member.filename not in REQUIRED_MEMBERS:
            raise ModelFileError(f"{path}: unknown member in the archive. Received: {member.filename!r}")
    if len(set(names)) != len(names):
        raise ModelFileError(f"{path}: members must differ in name")
    for required in REQUIRED_MEMBERS:
        if required not in names:
            raise ModelFileError(f"{path}: not a whole .keras archive: {required} is missing")
    if archive.getinfo("config.json").file_size > LARGEST_CONFIG:
        raise ModelFileError(f"{path}: config.json must be below {LARGEST_CONFIG} bytes")


def _objects(value: Any) -> Iterator[dict]:
    """Every dict of a config that names a class or function, at any depth."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if "class_name" in item or "registered_name" in item or "module" in item:
                yield item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def _check_classes(path: Path, config: Any) -> None:
    for item in _objects(config):
        name, module, registered = item.get("class_name"), item.get("module"), item.get("registered_name")
        shown = f"{module}.{name}" if module else str(registered or name)
        if name in REFUSED_CLASSES or str(registered).split(">")[-1] in REFUSED_CLASSES:
            raise ModelFileError(f"{path}: layers that run foreign code are refused. Received: {shown}")
        if module is not None and not _allowed(str(module)):
            raise ModelFileError(
                f"{path}: only classes of keras, keras_hub and keraudio may be built. Received: {shown}"
            )
        if registered and ">" in str(registered) and str(registered).split(">")[0] not in ("keraudio", "keras_hub"):
            raise ModelFileError(
                f"{path}: only classes of keras, keras_hub and keraudio may be built. Received: {registered}"
            )
        of_hub = _in_package(str(module), "keras_hub") or str(registered).startswith("keras_hub>")
        # The hub's tokenizers and converters open files that their config names.
        if of_hub and not str(name).endswith("Backbone"):
            raise ModelFileError(f"{path}: of keras_hub only backbones may be built. Received: {shown}")


def _description(path: Path, config: Any) -> Description:
    described: Any = None
    for item in _objects(config):
        if item.get("registered_name") in DESCRIPTION_CLASSES and isinstance(item.get("config"), dict):
            found = item["config"].get("description")
            if described not in (None, found):
                raise ModelFileError(f"{path}: a model file must describe itself once. Received: two descriptions")
            described = found
    if described is None:
        raise ModelFileError(
            f"{path}: a model file must describe its labels, sample rate and window. Received: none of them"
        )
    try:
        return Description.model_validate(described)
    except ValidationError as error:
        raise ModelFileError(f"{path}: the model's description breaks its schema: {first_error(error)}") from None


def _allowed(module: str) -> bool:
    # "keras" alone is the module of Functional and Sequential; as a prefix it would let everything of Keras in.
    return module in ALLOWED_MODULES or any(
        _in_package(module, allowed) for allowed in ALLOWED_MODULES if allowed not in ("keras", "builtins")
    )


def _in_package(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _check_weights(path: Path, weights: Any) -> None:
    import h5py

    # What a visitor returns ends the visit; h5py loses what it raises.
    def foreign_link(name: str, link: Any) -> str | None:
        return f"a link to {link.filename!r}" if isinstance(link, h5py.ExternalLink) else None

    def foreign_data(name: str, item: Any) -> str | None:
        elsewhere = isinstance(item, h5py.Dataset) and (item.external or item.is_virtual)
        return f"{name!r} outside it" if elsewhere else None

    try:
        with h5py.File(weights, "r") as file:
            # Links first, without following them: visiting items would open what they point to.
            found = file.visititems_links(foreign_link) or file.visititems(foreign_data)
    except OSError as error:
        raise ModelFileError(f"{path}: the weights are damaged: {error}") from None
    if found:
        raise ModelFileError(f"{path}: weights must lie inside the file. Received: {found}")
