"""keraudio: learnable audio front ends and classifiers for Keras 3, on TensorFlow, JAX and PyTorch.

Importing this package loads neither Keras nor a backend; they load with the first thing that needs them. The layers
register themselves with Keras as soon as it is imported, so that `keras.saving.load_model` knows them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import lazy_loader
import wrapt

from keraudio.backend import choose_backend
from keraudio.errors import AudioError, DatasetError, KeraudioError, ModelFileError, RecipeError, TagError
from keraudio.version import __version__

if TYPE_CHECKING:
    from keraudio.audio import load_audio
    from keraudio.classifier import AudioClassifier, describe, load, save
    from keraudio.description import Description

__getattr__, _, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "audio": ["load_audio"],
        "classifier": ["AudioClassifier", "describe", "load", "save"],
        "description": ["Description"],
    },
)

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


def __dir__() -> list[str]:
    return sorted(__all__)


choose_backend()


@wrapt.when_imported("keras")
def _register_layers(_module: Any) -> None:
    import_module("keraudio.layers")
    import_module("keraudio.classifier")
