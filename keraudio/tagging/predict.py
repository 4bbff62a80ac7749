"""Files to label probabilities: opened ahead in child processes, predicted at one compiled shape."""

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keraudio.description import Description
from keraudio.evaluation import at_least, vote
from keraudio.tagging.plan import file_digest
from keraudio.tagging.results import Results, results_file, settings_digest
from keraudio.tagging.song_tags import SongTags
from keraudio.tagging.workers import Workers

# Late, so that songs whose results are known need no backend.
if TYPE_CHECKING:
    import keras

# Ten hours of MP3 without a stated length take a minute and a half on one slow core.
TIME_LIMIT = 180.0


@dataclass(frozen=True)
class Prediction:
    """What a model says of one file.

    Attributes:
        path: of the file.
        labels: of the model, in its order; its extra labels only where they were asked for.
        probabilities: float32 `(labels,)` after the windows' vote; None where the file cannot be read.
        windows: number of windows that voted.
        chosen: single-label: the likeliest label if it reaches its threshold; multi-label: all that reach theirs,
            likeliest first. Empty: the model is unsure.
        error: why the file cannot be read, or None.
        tags: what the song's own tags say, where they were asked for and can be read.
        tag_error: why they cannot, or None.
        payload: digest of the sound, where results are kept.
    """

    path: Path
    labels: tuple[str, ...]
    probabilities: np.ndarray | None = None
    windows: int = 0
    chosen: tuple[str, ...] = ()
    error: str | None = None
    tags: SongTags | None = None
    tag_error: str | None = None
    payload: str | None = None

    @property
    def confidence(self) -> float | None:
        """Probability of the first of the chosen labels; None where there is none."""
        return self.probability(self.chosen[0]) if self.chosen else None

    def probability(self, label: str) -> float:
        """Probability of one of the labels; 0 where the file cannot be read."""
        return 0.0 if self.probabilities is None else float(self.probabilities[self.labels.index(label)])

    def above(self, min_confidence: float) -> "Prediction":
        """The same without the chosen labels below a confidence, as `predict_files` would have given it."""
        return replace(self, chosen=self.chosen[: self.count_above(min_confidence)])

    def count_above(self, min_confidence: float) -> int:
        """How many of the chosen labels reach a confidence; they are the first."""
        return sum(bool(at_least(self.probability(label), min_confidence)) for label in self.chosen)

    def top(self, k: int) -> list[tuple[str, float]]:
        """The `k` likeliest labels with their probabilities."""
        if self.probabilities is None:
            return []
        # Stable: equal probabilities keep the model's order.
        order = np.argsort(-self.probabilities, kind="stable")[:k]
        return [(self.labels[i], float(self.probabilities[i])) for i in order]


@dataclass
class Seconds:
    """Where the time went: decoding (summed over workers), waiting for it, and prediction."""

    decoding: float = 0.0
    waiting: float = 0.0
    predicting: float = 0.0


@dataclass(frozen=True)
class StoredModel:
    """A checked model file that is loaded when the first song needs it.

    Attributes:
        path: the file.
        description: of `keraudio.model_file.check_model_file`.
        load: gives the classifier in the file.
    """

    path: Path
    description: Description
    load: Callable[[Path], "keras.Model"]

    @cached_property
    def digest(self) -> str:
        """Digest of the file."""
        return file_digest(self.path)


def predict_files(
    model: "keras.Model | StoredModel",
    paths: Sequence[Path],
    *,
    windows: int = 10,
    how: str | None = None,
    jobs: int | None = None,
    all_labels: bool = False,
    min_confidence: float = 0.0,
    time_limit: float = TIME_LIMIT,
    tags: bool = False,
    keep_results: bool = False,
    refresh: bool = False,
    seconds: Seconds | None = None,
) -> Generator[Prediction]:
    """Predicts files one by one, in order, while later ones are decoded in child processes.

    Each clip is one batch of `windows` rows, padded with silence whose rows are not counted: the model is compiled
    once, and no clip's result depends on another's. At most `2 * jobs` clips are held in memory. The model runs in a
    thread of its own, so that Ctrl-C is heard while it compiles.

    Args:
        model: a classifier with a description, or a file of one.
        paths: audio files.
        windows: most windows of a file, evenly spread over it. Defaults to 10.
        how: `"mean"`, `"majority"` or `"max"`. Defaults to the description's.
        jobs: decoding processes. Defaults to the number of processors.
        all_labels: the model's extra labels - moods, eras, instruments - count among its answers. Defaults to False.
        min_confidence: no label is chosen below it, whatever its threshold, 0 to 1. Defaults to 0.
        time_limit: seconds that opening a file may take. Defaults to 180.
        tags: read the songs' own tags too. Defaults to False.
        keep_results: find results of this model file in the cache, and keep new ones there. Defaults to False.
        refresh: find nothing in the cache. Defaults to False.
        seconds: filled with where the time went, if given.

    Yields:
        One `Prediction` a path; a file that cannot be read has an `error` and does not stop the others.

    Raises:
        ValueError: `windows`, `jobs` or `time_limit` is too small, `how` is unknown, `min_confidence` is no
            probability, or results shall be kept of a model that is no file.
    """
    if windows < 1:
        raise ValueError(f"`windows` must be at least 1. Received: windows={windows}")
    if not 0 <= min_confidence <= 1:
        raise ValueError(f"`min_confidence` must lie in [0, 1]. Received: min_confidence={min_confidence}")
    if time_limit <= 0:
        raise ValueError(f"`time_limit` must be above 0. Received: time_limit={time_limit}")
    if keep_results and not isinstance(model, StoredModel):
        raise ValueError("`keep_results` needs a model's file. Received: a model")
    network = _Network(model, windows)
    description = network.description
    how = description.aggregate if how is None else how
    kept = [i for i, label in enumerate(description.labels) if all_labels or label not in description.extra_labels]
    thresholds = description.thresholds
    spent = Seconds() if seconds is None else seconds
    settings: dict[str, Any] = {
        "sample_rate": description.sample_rate,
        "window": description.window,
        "hop": description.hop,
        "limit": windows,
        "silence": description.silence,
        "tags": tags,
        "results": None,
    }
    results = None
    if isinstance(model, StoredModel) and keep_results:
        digest = settings_digest(model.digest, {"windows": windows, "how": how})
        results = Results(results_file(), digest, refresh=refresh)
        settings |= {"results": str(results.path), "settings": digest, "refresh": refresh}

    with Workers(settings, time_limit) as workers:
        try:
            for path, future in read_ahead(workers.examine, paths, jobs):
                began = time.perf_counter()
                found = future.result()
                arrived = time.perf_counter()
                spent.waiting += arrived - began
                spent.decoding += found.seconds
                about = {"tags": found.tags, "tag_error": found.tag_error, "payload": found.payload}
                labels = tuple(description.labels[i] for i in kept)
                if found.error is not None:
                    yield Prediction(path, labels, error=found.error, **about)
                    continue
                probabilities = found.probabilities
                if probabilities is None:
                    every = network.predict(found.windows)
                    limits = 0.5 if thresholds is None else np.asarray(thresholds)
                    probabilities = vote(every, how=how, multi_label=description.multi_label, threshold=limits)
                    if results is not None and found.payload is not None:
                        results.put(found.payload, probabilities, found.count)
                spent.predicting += time.perf_counter() - arrived
                believed = _believed(probabilities, description, min_confidence, kept)
                chosen = tuple(description.labels[i] for i in believed)
                yield Prediction(path, labels, probabilities[kept], found.count, chosen, **about)
        finally:
            network.close()
            if results is not None:
                results.close()


def _believed(
    probabilities: np.ndarray, description: Description, min_confidence: float, kept: Sequence[int]
) -> list[int]:
    """Numbers of the labels that are the answer, the likeliest first."""
    order = [int(i) for i in np.argsort(-probabilities, kind="stable") if i in kept]
    limits = np.asarray(0.5 if description.thresholds is None else description.thresholds)
    enough = at_least(probabilities, limits)
    if not description.multi_label:
        # Without fitted thresholds the likeliest label is the answer, however likely.
        order = order[:1]
        enough |= description.thresholds is None
    return [i for i in order if enough[i] and at_least(probabilities[i], min_confidence)]


class _Network:
    """A model in a thread of its own, loaded with the first windows that it is given."""

    def __init__(self, model: "keras.Model | StoredModel", windows: int) -> None:
        self._stored = model if isinstance(model, StoredModel) else None
        self._model = None if isinstance(model, StoredModel) else model
        self._windows = windows
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="predict")
        if isinstance(model, StoredModel):
            self.description = model.description
        else:
            from keraudio.classifier import describe

            self.description = describe(model)

    def predict(self, windows: Any) -> np.ndarray:
        return self._thread.submit(self._predict, windows).result()

    def _predict(self, windows: np.ndarray) -> np.ndarray:
        if self._model is None:
            assert self._stored is not None
            self._model = self._stored.load(self._stored.path)
        from keraudio.classifier import predict_rows

        return predict_rows(self._model, windows, size=self._windows)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


def read_ahead(
    decode: Callable[[Path], Any], paths: Iterable[Path], jobs: int | None = None
) -> Iterator[tuple[Path, Future]]:
    """Pairs of path and its decoding under way, at most `2 * jobs` of them begun and not yet taken.

    `jobs` is the number of threads; None: the number of processors.
    """
    jobs = os.cpu_count() or 1 if jobs is None else jobs
    if jobs < 1:
        raise ValueError(f"`jobs` must be at least 1. Received: jobs={jobs}")
    pool = ThreadPoolExecutor(jobs, thread_name_prefix="decode")
    pending: deque[tuple[Path, Future]] = deque()
    try:
        for path in paths:
            pending.append((path, pool.submit(decode, path)))
            if len(pending) >= 2 * jobs:
                yield pending.popleft()
        while pending:
            yield pending.popleft()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
