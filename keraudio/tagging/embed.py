"""Files to features of trained networks, and the file that keeps them."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keraudio.audio import read_windows
from keraudio.classifier import AudioClassifier, predict_rows
from keraudio.errors import AudioError, KeraudioError
from keraudio.tagging.predict import read_ahead
from keraudio.training import feature_columns, feature_model, layer_names
from keraudio.whole_file import whole_file

SUFFIXES = (".npz", ".parquet")
_WINDOWS_AT_ONCE = 10


@dataclass(frozen=True)
class Column:
    """Features that stand side by side: those of one layer of one network.

    Attributes:
        model: name of the network.
        layer: name of the layer.
        first: column at which they begin.
        size: number of them.
    """

    model: str
    layer: str
    first: int
    size: int


@dataclass(frozen=True)
class Embedding:
    """Features of one file.

    Attributes:
        path: of the file.
        features: float32 `(features,)`; None where the file cannot be read.
        error: why it cannot, or None.
    """

    path: Path
    features: np.ndarray | None = None
    error: str | None = None


def embedding_columns(models: Sequence[AudioClassifier], asked: Sequence[str] | None = None) -> list[Column]:
    """What the columns of `embed_files` are.

    Args:
        models: of different names.
        asked: layers or levels of each, see `keraudio.training.layer_names`. Defaults to the last three levels.

    Raises:
        KeraudioError: a layer does not exist, or two models have one name.
    """
    names = [model.name for model in models]
    if len(set(names)) != len(names):
        raise KeraudioError(f"Models must have different names. Received: {', '.join(names)}")
    found: list[Column] = []
    for model in models:
        for layer, size in feature_columns(model, layer_names(model, asked)).items():
            first = found[-1].first + found[-1].size if found else 0
            found.append(Column(model.name, layer, first, size))
    return found


def embed_files(
    models: Sequence[AudioClassifier],
    paths: Sequence[Path],
    *,
    asked: Sequence[str] | None = None,
    time: str = "max",
    over_windows: str = "mean",
    windows: int | None = None,
    jobs: int | None = None,
) -> Iterator[Embedding]:
    """Embeds files one by one, in order, while later ones are decoded.

    Args:
        models: one or several; the features of all stand side by side.
        paths: audio files.
        asked: layers by name, or levels. Defaults to the last three levels.
        time: `"max"` or `"mean"` over a window's frames. Defaults to `"max"`.
        over_windows: `"mean"` or `"max"` over a file's windows. Defaults to `"mean"`.
        windows: most windows of a file, evenly spread over it. Defaults to all.
        jobs: decoding threads. Defaults to the number of processors.

    Yields:
        One `Embedding` a path; a file that cannot be read has an `error` and does not stop the others.

    Raises:
        KeraudioError: a layer does not exist.
        ValueError: an option is out of its range.
    """
    if over_windows not in ("mean", "max"):
        raise ValueError(f"`over_windows` must be 'mean' or 'max'. Received: over_windows={over_windows!r}")
    if windows is not None and windows < 1:
        raise ValueError(f"`windows` must be at least 1. Received: windows={windows}")
    extractors = [feature_model(model, layer_names(model, asked), time=time) for model in models]
    descriptions = [model.description for model in models]

    def decode(path: Path) -> list[np.ndarray] | str:
        try:
            return [
                read_windows(path, sample_rate=one.sample_rate, window=one.window, hop=one.hop, limit=windows)
                for one in descriptions
            ]
        except AudioError as error:
            return str(error)

    reduce = np.mean if over_windows == "mean" else np.max
    for path, future in read_ahead(decode, paths, jobs):
        decoded = future.result()
        if isinstance(decoded, str):
            yield Embedding(path, error=decoded)
            continue
        every = [
            predict_rows(extractor, cut, size=_WINDOWS_AT_ONCE)
            for extractor, cut in zip(extractors, decoded, strict=True)
        ]
        parts = [reduce(features, axis=0) for features in every]
        yield Embedding(path, np.concatenate(parts).astype("float32"))


def save_embeddings(out: Path, embeddings: Sequence[Embedding], columns: Sequence[Column], settings: dict) -> None:
    """Writes features to a file, which is either whole or not there.

    `.npz` holds `features` float32 `(files, features)`, `paths`, and `about`, a JSON text with the settings and the
    columns; `.parquet` a row a file with its path and one list a layer, `about` in its metadata.

    Args:
        out: passes `check_embeddings_file`.
        embeddings: those without errors are kept.
        columns: of `embedding_columns`.
        settings: written down beside the columns.

    Raises:
        KeraudioError: the file cannot be written.
    """
    kept = [(str(one.path), one.features) for one in embeddings if one.features is not None]
    width = columns[-1].first + columns[-1].size
    features = np.stack([features for _, features in kept]) if kept else np.zeros((0, width), "float32")
    paths = [path for path, _ in kept]
    about = json.dumps({"schema": 1, **settings, "columns": [vars(column) for column in columns]})
    try:
        with whole_file(out) as temporary:
            if out.suffix == ".npz":
                np.savez_compressed(temporary, features=features, paths=np.array(paths, dtype=str), about=about)
            else:
                _write_parquet(temporary, features, paths, columns, about)
    except OSError as error:
        raise KeraudioError(f"{out}: cannot be written: {error.strerror or error}") from error


def check_embeddings_file(out: Path) -> None:
    """Raises `KeraudioError` unless features can be written to a file of this name, whose folder is made."""
    if out.suffix not in SUFFIXES:
        raise KeraudioError(f"A file of features must end in {' or '.join(SUFFIXES)}. Received: {out}")
    if out.suffix == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            raise KeraudioError("Parquet files need pyarrow: pip install 'keraudio[parquet]'") from None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise KeraudioError(f"{out}: cannot be written: {error.strerror or error}") from error


def _write_parquet(file: Path, features: np.ndarray, paths: list[str], columns: Sequence[Column], about: str) -> None:
    import pyarrow
    from pyarrow import parquet

    # Names that are not UTF-8 come from the file system with surrogates, which Arrow refuses.
    data: dict = {"path": [path.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for path in paths]}
    for column in columns:
        values = np.ascontiguousarray(features[:, column.first : column.first + column.size])
        flat = pyarrow.array(values.ravel(), type=pyarrow.float32())
        data[f"{column.model}/{column.layer}"] = pyarrow.FixedSizeListArray.from_arrays(flat, column.size)
    table = pyarrow.table(data).replace_schema_metadata({"about": about})
    parquet.write_table(table, file)
