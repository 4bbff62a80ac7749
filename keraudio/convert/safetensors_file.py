"""Reading files of safetensors, which hold arrays by name and nothing that runs."""

from pathlib import Path

import numpy as np

from keraudio.errors import KeraudioError, ModelFileError


def read_safetensors(path: Path, complaint: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Arrays of a file by name, float32, and what else is written in it.

    Args:
        path: of the file.
        complaint: what is wrong with a file that cannot be read, for the message.

    Raises:
        KeraudioError: safetensors is not installed.
        ModelFileError: the file cannot be read.
    """
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise KeraudioError("Reading safetensors needs an extra: pip install 'keraudio[safetensors]'") from error
    try:
        with safe_open(str(path), framework="numpy") as file:
            arrays = {name: np.asarray(file.get_tensor(name), "float32") for name in file.keys()}  # noqa: SIM118
            return arrays, file.metadata() or {}
    except (OSError, SafetensorError) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else next(iter(str(error).splitlines()), "")
        raise ModelFileError(f"{path}: {complaint}: {reason}") from error
