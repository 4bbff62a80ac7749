"""Predictions and pictures as lines of JSON between the window and the process that hears songs."""

import base64
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from keraudio.tagging import Prediction, SongTags


def to_line(message: dict[str, Any]) -> bytes:
    """A message as a line; names that are not UTF-8 pass as escapes."""
    return json.dumps(message).encode() + b"\n"


def from_line(line: bytes) -> dict[str, Any]:
    """What `to_line` took."""
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError(f"A message must be an object. Received: {line[:40]!r}")
    return message


def pack_array(values: np.ndarray) -> dict[str, Any]:
    """An array as JSON holds it."""
    contiguous = np.ascontiguousarray(values)
    return {
        "dtype": contiguous.dtype.str,
        "shape": list(contiguous.shape),
        "data": base64.b64encode(contiguous.tobytes()).decode(),
    }


def unpack_array(packed: dict[str, Any]) -> np.ndarray:
    """What `pack_array` took."""
    return np.frombuffer(base64.b64decode(packed["data"]), packed["dtype"]).reshape(packed["shape"])


def pack_prediction(prediction: Prediction) -> dict[str, Any]:
    """A prediction as JSON holds it, but for its labels, which all of a run share."""
    return {
        "path": str(prediction.path),
        "probabilities": None if prediction.probabilities is None else pack_array(prediction.probabilities),
        "windows": prediction.windows,
        "chosen": list(prediction.chosen),
        "error": prediction.error,
        "tags": None if prediction.tags is None else asdict(prediction.tags),
        "tag_error": prediction.tag_error,
        "payload": prediction.payload,
    }


def unpack_prediction(packed: dict[str, Any], labels: tuple[str, ...]) -> Prediction:
    """What `pack_prediction` took."""
    tags, probabilities = packed["tags"], packed["probabilities"]
    return Prediction(
        Path(packed["path"]),
        labels,
        None if probabilities is None else unpack_array(probabilities),
        packed["windows"],
        tuple(packed["chosen"]),
        packed["error"],
        None if tags is None else SongTags(**tags | {"genres": tuple(tags["genres"])}),
        packed["tag_error"],
        packed["payload"],
    )
