"""Files to label probabilities: decoding ahead in threads, one compiled shape for every clip."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keraudio.audio import read_windows
from keraudio.classifier import describe, predict_rows
from keraudio.errors import AudioError
from keraudio.evaluation import at_least, vote


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
    """

    path: Path
    labels: tuple[str, ...]
    probabilities: np.ndarray | None = None
    windows: int = 0
    chosen: tuple[str, ...] = ()
    error: str | None = None

    @property
    def confidence(self) -> float | None:
        """Probability of the first of the chosen labels; None where there is none."""
        return self.probability(self.chosen[0]) if self.chosen else None

    def probability(self, label: str) -> float:
        """Probability of one of the labels; 0 where the file cannot be read."""
        return 0.0 if self.probabilities is None else float(self.probabilities[self.labels.index(label)])

    def top(self, k: int) -> list[tuple[str, float]]:
        """The `k` likeliest labels with their probabilities."""
        if self.probabilities is None:
            return []
        # Stable: equal probabilities keep the model's order.
        order = np.argsort(-self.probabilities, kind="stable")[:k]
        return [(self.labels[i], float(self.probabilities[i])) for i in order]


@dataclass
class Seconds:
    """Where the time went: decoding (summed over threads), waiting for it, and prediction."""

    decoding: float = 0.0
    waiting: float = 0.0
    predicting: float = 0.0


def predict_files(
    model: keras.Model,
    paths: Sequence[Path],
    *,
    windows: int = 10,
    how: str | None = None,
    jobs: int | None = None,
    all_labels: bool = False,
    min_confidence: float = 0.0,
    seconds: Seconds | None = None,
) -> Iterator[Prediction]:
    """Predicts files one by one, in order, while later ones are decoded.

    Each clip is one batch of `windows` rows, padded with silence whose rows are not counted: the model is compiled
    once, and no clip's result depends on another's. At most `2 * jobs` clips are held in memory.

    Args:
        model: a classifier with a description.
        paths: audio files.
        windows: most windows of a file, evenly spread over it. Defaults to 10.
        how: `"mean"`, `"majority"` or `"max"`. Defaults to the description's.
        jobs: decoding threads. Defaults to the number of processors.
        all_labels: the model's extra labels - moods, eras, instruments - count among its answers. Defaults to False.
        min_confidence: no label is chosen below it, whatever its threshold, 0 to 1. Defaults to 0.
        seconds: filled with where the time went, if given.

    Yields:
        One `Prediction` a path; a file that cannot be read has an `error` and does not stop the others.

    Raises:
        ValueError: `windows` or `jobs` is below 1, `how` is unknown, or `min_confidence` is no probability.
    """
    if windows < 1:
        raise ValueError(f"`windows` must be at least 1. Received: windows={windows}")
    if not 0 <= min_confidence <= 1:
        raise ValueError(f"`min_confidence` must lie in [0, 1]. Received: min_confidence={min_confidence}")
    description = describe(model)
    how = description.aggregate if how is None else how
    kept = [i for i, label in enumerate(description.labels) if all_labels or label not in description.extra_labels]
    labels = tuple(description.labels[i] for i in kept)
    thresholds = 0.5 if description.thresholds is None else np.asarray(description.thresholds)[kept]
    spent = Seconds() if seconds is None else seconds

    def decode(path: Path) -> tuple[np.ndarray | str, float]:
        began = time.perf_counter()
        try:
            result: np.ndarray | str = read_windows(
                path,
                sample_rate=description.sample_rate,
                window=description.window,
                hop=description.hop,
                limit=windows,
            )
        except AudioError as error:
            result = str(error)
        return result, time.perf_counter() - began

    for path, future in read_ahead(decode, paths, jobs):
        began = time.perf_counter()
        decoded, decoding = future.result()
        arrived = time.perf_counter()
        spent.waiting += arrived - began
        spent.decoding += decoding
        if isinstance(decoded, str):
            yield Prediction(path, labels, error=decoded)
            continue
        every = predict_rows(model, decoded, size=windows)[:, kept]
        probabilities = vote(every, how=how, multi_label=description.multi_label, threshold=thresholds)
        spent.predicting += time.perf_counter() - arrived
        if description.multi_label:
            believed = at_least(probabilities, thresholds)
        else:
            believed = np.zeros(len(probabilities), dtype=bool)
            best = int(np.argmax(probabilities))
            # Without fitted thresholds the likeliest label is the answer, however likely.
            believed[best] = description.thresholds is None or at_least(probabilities, thresholds)[best]
        believed &= at_least(probabilities, min_confidence)
        order = np.argsort(-probabilities, kind="stable")
        chosen = tuple(labels[i] for i in order if believed[i])
        yield Prediction(path, labels, probabilities, len(decoded), chosen)


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
