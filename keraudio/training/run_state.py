"""Everything a training needs to go on after a kill, in one file that is either old or new and whole."""

import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keraudio.errors import KeraudioError
from keraudio.whole_file import whole_file

_FACTS = "facts"


def save_run_state(path: Path, model: keras.Model, facts: dict[str, Any]) -> None:
    """Writes a compiled model's variables - weights, statistics, random states, the optimizer's - and `facts`.

    Args:
        path: an `.npz` file.
        model: compiled, with its optimizer built.
        facts: JSON-ready: epoch, history, best value.
    """
    arrays: dict[str, Any] = {f"model/{i}": _value(variable) for i, variable in enumerate(_model_variables(model))}
    arrays |= {f"optimizer/{i}": _value(variable) for i, variable in enumerate(model.optimizer.variables)}
    arrays[_FACTS] = np.frombuffer(json.dumps(facts).encode(), dtype="uint8")
    with whole_file(path, durable=True) as temporary, temporary.open("wb") as target:
        np.savez(target, allow_pickle=False, **arrays)


def load_run_state(path: Path, model: keras.Model) -> dict[str, Any]:
    """Puts a saved state back into a model of the same make, and returns its facts.

    Raises:
        KeraudioError: the file is damaged, or belongs to another model.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        facts = dict(json.loads(arrays.pop(_FACTS).tobytes().decode()))
    except (ValueError, KeyError, TypeError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise KeraudioError(f"{path}: the checkpoint is damaged: {error}") from error
    variables = {f"model/{i}": variable for i, variable in enumerate(_model_variables(model))}
    variables |= {f"optimizer/{i}": variable for i, variable in enumerate(model.optimizer.variables)}
    if arrays.keys() != variables.keys():
        raise KeraudioError(f"{path}: the checkpoint belongs to another model than the recipe's")
    for name, variable in variables.items():
        if arrays[name].shape != tuple(variable.shape):
            raise KeraudioError(
                f"{path}: the checkpoint belongs to another model than the recipe's: "
                f"{variable.path} has shape {tuple(variable.shape)}, there {arrays[name].shape}"
            )
    for name, variable in variables.items():
        variable.assign(arrays[name])
    return facts


def _model_variables(model: keras.Model) -> list[keras.Variable]:
    # Metrics start afresh every epoch; everything else, random states included, is the run's.
    metrics = {id(variable) for variable in model.metrics_variables}
    return [variable for variable in model.variables if id(variable) not in metrics]


def _value(variable: keras.Variable) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(variable.value))
