"""The models that come with keraudio, by name."""

from pathlib import Path

from keraudio.errors import ModelFileError
from keraudio.nearest import did_you_mean

DEFAULT_MODEL = "genres"


def saved_models() -> dict[str, Path]:
    """Name and file of each model that comes with keraudio; its card stands beside it as `NAME.md`."""
    installed = Path(__file__).parent / "models"
    # In a checkout the models stand beside the package, as they are not code.
    folder = installed if installed.is_dir() else Path(__file__).parents[1] / "saved_models"
    return {file.stem: file for file in sorted(folder.glob("*.keras"))}


def resolve_model(name: str) -> Path:
    """The file of a saved model's name, of a run folder, or of a path.

    Raises:
        ModelFileError: there is none; the nearest name is given.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        if not (path / "model.keras").is_file():
            raise ModelFileError(f"A run folder must hold model.keras. Received: {path}")
        return path / "model.keras"
    if path.is_file() or path.suffix == ".keras":
        return path
    models = saved_models()
    if name not in models:
        raise ModelFileError(
            f"A model must be a file, a run folder or a name of `keraudio models`. Received: {name!r}. "
            f"{did_you_mean(name, models)}"
        )
    return models[name]
