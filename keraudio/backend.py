"""Which backend Keras will run on, settled before Keras is imported."""

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from keraudio.errors import KeraudioError

BACKENDS = ("tensorflow", "jax", "torch")


def installed_backends() -> list[str]:
    """The backends that are installed, without importing any."""
    return [name for name in BACKENDS if find_spec(name) is not None]


def choose_backend(name: str | None = None) -> None:
    """Settles Keras' backend for this process: `name`, else what the user configured, else one that is installed.

    Without `name` nothing changes where KERAS_BACKEND is set, Keras is imported already, or the backend of Keras' own
    configuration file (TensorFlow where there is none) is installed.

    Args:
        name: `"tensorflow"`, `"jax"` or `"torch"`. Defaults to None.

    Raises:
        KeraudioError: `name` is not installed, or another backend is in use already.
    """
    installed = installed_backends()
    if name is not None:
        if name not in installed:
            raise KeraudioError(
                f"The backend must be installed (pip install 'keraudio[{name}]'). "
                f"Received: {name}, installed: {', '.join(installed) or 'none'}"
            )
        if "keras" in sys.modules and sys.modules["keras"].backend.backend() != name:
            raise KeraudioError(
                "The backend must be chosen before Keras is imported. "
                f"Received: {name} while {sys.modules['keras'].backend.backend()} runs"
            )
        os.environ["KERAS_BACKEND"] = name
        return
    unsettled = "KERAS_BACKEND" not in os.environ and "keras" not in sys.modules
    if unsettled and installed and _configured_backend() not in installed:
        os.environ["KERAS_BACKEND"] = installed[0]


def prefer_jit(model: Any) -> None:
    """Lets a model that was not compiled predict as `preferred_jit` has it."""
    if preferred_jit() is False:
        model.jit_compile = False


def preferred_jit() -> str | bool:
    """Keras' `jit_compile` for models of this package: XLA where it pays, which on TensorFlow is not the CPU.

    There XLA's convolutions are no faster than TensorFlow's own and compiling them takes twice as long to start
    (`benchmarks/train_step.py`).
    """
    import keras

    # Only TensorFlow can be asked: JAX raises where it finds no GPU, and Keras keeps no list of torch's devices.
    if keras.backend.backend() == "tensorflow" and not keras.distribution.list_devices("gpu"):
        return False
    return "auto"


def on_cpu() -> bool:
    """Whether Keras computes on CPUs alone."""
    return all("cpu" in device for device in devices())


def devices() -> list[str]:
    """The devices that Keras computes on, such as `["cpu:0"]`."""
    import keras

    if keras.backend.backend() == "torch":
        # Keras keeps no list of torch's devices; this is the one that it computes on.
        return [str(keras.ops.zeros(()).device)]
    return list(keras.distribution.list_devices())


def _configured_backend() -> str:
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    try:
        return str(json.loads((home / "keras.json").read_text())["backend"])
    except (OSError, ValueError, KeyError, TypeError):
        return "tensorflow"
