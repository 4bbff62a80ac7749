"""keraudio: learnable audio front ends and classifiers for Keras 3, on TensorFlow, JAX and PyTorch.

Importing this package loads neither Keras nor a backend; they load with the first thing that needs them. The layers
register themselves with Keras as soon as it is imported, so that `keras.saving.load_model` knows them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import wrapt

from keraudio.backend import choose_backend
from keraudio.errors import AudioError, DatasetError, KeraudioError, ModelFileError, RecipeError, TagError
from keraudio.version import __version__

if TYPE_CHECKING:
    from keraudio.audio import load_audio
    from keraudio.classifier import AudioClassifier, describe, load, save
    from keraudio.description import Description

__all__ = [
    "AudioClassifier",
    "AudioError",
    "DatasetError",
    "Description",
    "KeraudioError",
    "ModelFileError",
    "RecipeError",
    "TagError",
    "__version__",
    "describe",
    "load",
    "load_audio",
    "save",
]

_HOMES = {
    "AudioClassifier": "keraudio.classifier",
    "Description": "keraudio.description",
    "describe": "keraudio.classifier",
    "load": "keraudio.classifier",
    "load_audio": "keraudio.audio",
    "save": "keraudio.classifier",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


choose_backend()


@wrapt.when_imported("keras")
def _register_layers(_module: Any) -> None:
    import_module("keraudio.layers")
    import_module("keraudio.classifier")
