"""A front end that learns a spectrogram of tones in seconds, for tests of pretraining and of what follows it."""

from pathlib import Path
from typing import Any

from tones import SAMPLE_RATE

from keraudio.recipes import PretrainingRecipe, check_recipe

TINY: dict[str, Any] = {
    "name": "tiny",
    "data": {"split": "random", "fractions": [0.5, 0.25, 0.25]},
    "audio": {"sample_rate": SAMPLE_RATE, "window": 0.512, "hop": 0.128, "silence": -70.0},
    "front_end": {"name": "mst", "filters": [24, 12, 8], "kernel_sizes": [256, 3, 3], "strides": 128},
    "target": {"name": "log_mel", "n_fft": 256, "hop_length": 128, "n_mels": 8, "peak": True},
    "training": {
        "epochs": 12, "batch_size": 8, "sampling": "windows", "optimizer": "adam", "learning_rate": 0.003,
        "schedule": "constant", "copies": {"count": 1, "delay": 0.1},
    },
}  # fmt: skip


def recipe(**sections: Any) -> PretrainingRecipe:
    """Of pretraining."""
    return check_recipe(TINY | sections, source="tiny", schema=PretrainingRecipe)


def fit_recipe(start: Path | None, **front_end: Any) -> Any:
    """Of a training that starts from it."""
    front_end = TINY["front_end"] | front_end | ({} if start is None else {"start": str(start)})
    return check_recipe(
        {
            "name": "from_learned",
            "data": TINY["data"],
            "audio": TINY["audio"],
            "front_end": front_end,
            "backbone": {"name": "residual_cnn", "filters": [4]},
            "training": {"epochs": 1, "batch_size": 8},
        },
        source="x",
    )
