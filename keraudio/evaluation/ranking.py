"""ROC-AUC and average precision of weighted clips, sorted once for all resamples of a bootstrap.

scikit-learn gives the figures of a report. It sorts at every call, and 1,000 resamples of 50 labels and two figures
would be 100,000 such calls; here a resample costs one cumulative sum. The tests hold the two against each other.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Ranking", "average_precision", "rank", "roc_auc"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Ranking:
    """The items of each row in descending order of score, and where each positive item stands in it.

    A row is one label, or all labels pooled; an item of it is one clip, or one (clip, label) pair. A tie is a run
    of items of equal score, which no threshold can part.

    Args:
        clip_at: `(rows, items)`, the clip of each item in order of rank.
        row: `(positives,)`, the row of each positive item, ascending.
        at: `(positives,)`, its rank.
        tie_start: `(positives,)`, rank at which its tie starts.
        tie_end: `(positives,)`, rank after which its tie has ended.
        positives_before: `(positives,)`, how many entries of these arrays come before its tie.
        positives_through: `(positives,)`, how many have come when its tie has ended.
        row_start: `(rows + 1,)`, where each row starts in these arrays.
    """

    clip_at: Integers
    row: Integers
    at: Integers
    tie_start: Integers
    tie_end: Integers
    positives_before: Integers
    positives_through: Integers
    row_start: Integers


def rank(targets: npt.NDArray[np.bool_], scores: Floats, *, pooled: bool = False) -> Ranking:
    """Sorts clips by score, for `roc_auc` and `average_precision`.

    Args:
        targets: bool `(clips, labels)`.
        scores: float `(clips, labels)`, finite.
        pooled: whether to rank all (clip, label) pairs together (micro average) instead of the clips of each label.
            Defaults to `False`.

    Returns:
        A ranking of one row for each label, or of one row if `pooled`.
    """
    clips, labels = targets.shape
    clip_of = np.broadcast_to(np.arange(clips)[:, None], (clips, labels))
    shape = (1, clips * labels) if pooled else (labels, clips)
    columns, chosen, owner = (
        (part if pooled else part.T).reshape(shape) for part in (np.asarray(scores, dtype=np.float64), targets, clip_of)
    )
    order = np.argsort(-columns, axis=1, kind="stable")
    columns = np.take_along_axis(columns, order, axis=1)
    items = shape[1]
    new = np.ones((shape[0], items + 1), dtype=bool)
    new[:, 1:items] = columns[:, 1:] != columns[:, :-1]
    places = np.arange(items)
    start = np.maximum.accumulate(np.where(new[:, :-1], places, 0), axis=1)
    end = np.minimum.accumulate(np.where(new[:, 1:], places + 1, items)[:, ::-1], axis=1)[:, ::-1]
    row, at = np.nonzero(np.take_along_axis(chosen, order, axis=1))
    tie_start, tie_end = start[row, at], end[row, at]
    # One ascending key for all rows lets a binary search count the positives before and through each tie.
    key = row * (items + 1) + at
    return Ranking(
        clip_at=np.take_along_axis(owner, order, axis=1),
        row=row,
        at=at,
        tie_start=tie_start,
        tie_end=tie_end,
        positives_before=np.searchsorted(key, row * (items + 1) + tie_start),
        positives_through=np.searchsorted(key, row * (items + 1) + tie_end),
        row_start=np.searchsorted(row, np.arange(shape[0] + 1)),
    )


def roc_auc(ranking: Ranking, weights: Floats) -> Floats:
    """Area under the ROC curve: share of (positive, negative) pairs in the right order, a tie counting half.

    Args:
        ranking: from `rank`.
        weights: float `(clips,)`, how much (how often) each clip counts.

    Returns:
        float64 `(rows,)`, NaN where a row lacks positives or negatives.
    """
    through, before, weight, through_positive, before_positive, positive, total = _cumulative(ranking, weights)
    negative = total - positive
    above = 0.5 * ((through - through_positive) + (before - before_positive))
    pairs = _sum_rows(ranking, weight * (negative[ranking.row] - above))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((positive > 0) & (negative > 0), pairs / (positive * negative), np.nan)


def average_precision(ranking: Ranking, weights: Floats) -> Floats:
    """Average precision: the precision at each positive's score, averaged over the positives (no interpolation).

    Args:
        ranking: from `rank`.
        weights: float `(clips,)`, how much (how often) each clip counts.

    Returns:
        float64 `(rows,)`, NaN where a row lacks positives or negatives: without negatives it is 1 whatever the scores.
    """
    through, _, weight, through_positive, _, positive, total = _cumulative(ranking, weights)
    precision = through_positive / np.where(through > 0, through, 1.0)
    summed = _sum_rows(ranking, weight * precision)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((positive > 0) & (positive < total), summed / positive, np.nan)


def _cumulative(ranking: Ranking, weights: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats, Floats, Floats]:
    rows, items = ranking.clip_at.shape
    ordered = weights[ranking.clip_at]
    summed = np.zeros((rows, items + 1))
    np.cumsum(ordered, axis=1, out=summed[:, 1:])
    weight = ordered[ranking.row, ranking.at]
    positives = np.concatenate([[0.0], np.cumsum(weight)])
    start = positives[ranking.row_start]
    base = start[ranking.row]
    return (
        summed[ranking.row, ranking.tie_end],
        summed[ranking.row, ranking.tie_start],
        weight,
        positives[ranking.positives_through] - base,
        positives[ranking.positives_before] - base,
        np.diff(start),
        summed[:, -1],
    )


def _sum_rows(ranking: Ranking, values: Floats) -> Floats:
    return np.bincount(ranking.row, weights=values, minlength=len(ranking.clip_at)).astype(np.float64)
