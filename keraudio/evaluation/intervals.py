"""Confidence intervals: Wilson's for a share of clips, the percentile bootstrap for every other figure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Resampling", "bootstrap_interval", "finite", "group_numbers", "wilson_interval"]


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval for a share, such as an accuracy.

    Unlike value ± z·sqrt(p(1-p)/n) it stays within [0, 1], keeps its promise for small n, and has a width at 0 and at n
    successes. It takes the n trials to be independent.

    Args:
        successes: how many of the trials succeeded, 0 to `n`.
        n: number of trials. With 0 nothing is known and the interval is (0, 1).
        confidence: share of such intervals that hold the truth, between 0 and 1. Defaults to `0.95`.

    Returns:
        `(low, high)` within [0, 1].

    Raises:
        ValueError: a number lies outside its range.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).

    >>> low, high = wilson_interval(8, 10)
    >>> f"{low:.3f} {high:.3f}"
    '0.490 0.943'
    """
    _check_confidence(confidence)
    if not 0 <= successes <= n:
        raise ValueError(f"`successes` must lie between 0 and n. Received: successes={successes}, n={n}")
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / n
    centre = share + z * z / (2 * n)
    half = z * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    scale = 1 + z * z / n
    # At the ends the formula gives exactly 0 and 1, its rounding does not.
    low = 0.0 if successes == 0 else (centre - half) / scale
    high = 1.0 if successes == n else (centre + half) / scale
    return low, high


def bootstrap_interval(
    statistic: Callable[[npt.NDArray[np.float64]], float],
    n: int,
    *,
    groups: Sequence[str | int | None] | None = None,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Percentile bootstrap: how far a figure moves when the clips are drawn anew, with replacement.

    The statistic is given counts, not indices: how often each clip was drawn. That lets a statistic that sorts
    (ROC-AUC) sort once for all resamples. One that needs indices takes
    `numpy.repeat(numpy.arange(n), counts.astype(int))`.

    With `groups`, whole groups are drawn: clips of one artist or one recording resemble each other, and drawing them
    one by one would give an interval that is too narrow.

    Args:
        statistic: takes float64 `(n,)` counts that are whole numbers and gives the figure, or NaN where it is undefined
            (a label that was not drawn).
        n: number of clips.
        groups: for each clip the name of its group; `None` for a clip that is a group of its own. Defaults to `None`,
            every clip on its own.
        resamples: how often to draw. Defaults to `1000`.
        confidence: share of the resampled figures between the two ends. Defaults to `0.95`.
        seed: seed of the draws; the same seed draws the same clips. Defaults to `0`.

    Returns:
        `(low, high)`, or `None` when there are fewer than two clips or groups, or when the figure is undefined in more
        than half of the resamples.

    Raises:
        ValueError: a number lies outside its range, or `groups` does not have one entry for each clip.

    >>> correct = np.array([1.0] * 80 + [0.0] * 20)
    >>> low, high = bootstrap_interval(lambda counts: float(counts @ correct / counts.sum()), 100)
    >>> 0.70 < low < 0.8 < high < 0.90
    True
    """
    _check_confidence(confidence)
    if resamples < 1:
        raise ValueError(f"`resamples` must be at least 1. Received: resamples={resamples}")
    group_of_clip = np.arange(n) if groups is None else group_numbers(groups)
    if len(group_of_clip) != n:
        raise ValueError(
            f"`groups` must have one entry for each clip. Received: {len(group_of_clip)} entries for n={n}"
        )
    drawn = int(group_of_clip.max()) + 1 if n else 0
    if drawn < 2:
        return None
    rng = np.random.default_rng(seed)
    figures = np.empty(resamples)
    for index in range(resamples):
        counts = np.bincount(rng.integers(0, drawn, drawn), minlength=drawn).astype(np.float64)
        figures[index] = statistic(counts[group_of_clip])
    figures = figures[np.isfinite(figures)]
    if 2 * len(figures) < resamples:
        return None
    low, high = np.quantile(figures, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return float(low), float(high)


def group_numbers(groups: Sequence[str | int | None]) -> npt.NDArray[np.int64]:
    """Numbers groups 0, 1, 2 ... in the order of first appearance; each `None` gets a number of its own.

    >>> group_numbers(["a", None, "b", "a", None]).tolist()
    [0, 1, 2, 0, 3]
    """
    numbers: dict[object, int] = {}
    return np.array(
        [
            numbers.setdefault(("alone", index) if group is None else group, len(numbers))
            for index, group in enumerate(groups)
        ],
        dtype=np.int64,
    )


@dataclass(frozen=True)
class Resampling:
    """How the intervals of a report are drawn.

    Args:
        groups: for each clip the name of its group (artist, source recording), or `None` for a clip on its own. Whole
            groups are then drawn. Defaults to `None`: the clips are taken to be independent.
        resamples: how often to draw. Defaults to `1000`; with 0 only shares get an interval, Wilson's.
        confidence: share of such intervals that hold the truth. Defaults to `0.95`.
        seed: seed of the draws. Defaults to `0`.
    """

    groups: Sequence[str | int | None] | None = None
    resamples: int = 1000
    confidence: float = 0.95
    seed: int = 0

    def group_count(self) -> int:
        """How many groups there are; 0 where clips stand on their own."""
        return 0 if self.groups is None else len(set(group_numbers(self.groups).tolist()))

    def figure(
        self, value: float, n: int, statistic: Callable[[npt.NDArray[np.float64]], float], **extra: Any
    ) -> dict[str, Any]:
        """Puts a bootstrap interval beside a figure; see `single_label_metrics` for the shape."""
        interval = None
        if self.resamples and np.isfinite(value):
            interval = bootstrap_interval(
                statistic,
                n,
                groups=self.groups,
                resamples=self.resamples,
                confidence=self.confidence,
                seed=self.seed,
            )
        method = "bootstrap" if self.groups is None else "bootstrap over groups"
        return _entry(value, interval, n, method, **extra)

    def share(self, hits: npt.NDArray[np.bool_]) -> dict[str, Any]:
        """The share of clips that hit: Wilson's interval, or the bootstrap where clips come in groups."""
        n, successes = len(hits), int(hits.sum())
        if self.groups is None:
            return _entry(successes / n, wilson_interval(successes, n, self.confidence), n, "wilson")
        if successes in (0, n):
            # Every resample would give the same figure; a group counts as one trial, the cautious extreme.
            groups = self.group_count()
            interval = wilson_interval(groups if successes else 0, groups, self.confidence)
            return _entry(successes / n, interval, n, "wilson over groups")
        return self.figure(successes / n, n, lambda counts: float(counts @ hits / counts.sum()))


def finite(value: float) -> float | None:
    """JSON knows neither NaN nor infinity: `None` stands for both."""
    return float(value) if np.isfinite(value) else None


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"`confidence` must lie between 0 and 1. Received: confidence={confidence}")


def _entry(value: float, interval: tuple[float, float] | None, n: int, method: str, **extra: Any) -> dict[str, Any]:
    low, high = interval or (None, None)
    entry = {"value": finite(value), "low": low, "high": high, "n": n, "interval": method if interval else None}
    return {**entry, **extra}
