"""What a classifier's scores are worth, every figure with its confidence interval and its number of clips."""

from typing import Any

import numpy as np
import numpy.typing as npt

from keraudio.errors import KeraudioError
from keraudio.evaluation.intervals import Resampling, bootstrap_interval, finite, wilson_interval
from keraudio.evaluation.ranking import average_precision, rank, roc_auc
from keraudio.evaluation.votes import at_least

__all__ = [
    "Resampling",
    "at_least",
    "bootstrap_interval",
    "multi_label_metrics",
    "single_label_metrics",
    "wilson_interval",
]

Floats = npt.NDArray[np.float64]


def single_label_metrics(
    targets: npt.ArrayLike,
    scores: npt.ArrayLike,
    *,
    resampling: Resampling | None = None,
    calibrated: bool = True,
) -> dict[str, Any]:
    """Measures a classifier whose clips carry exactly one label.

    The prediction is the label of the highest score, on a tie the lowest index. Macro figures average over the labels
    that occur in `targets`; the others are counted as `skipped`.

    Args:
        targets: integers `(clips,)`, or one-hot `(clips, labels)`.
        scores: float `(clips, labels)`, finite; higher is likelier.
        resampling: how the intervals are drawn. Defaults to `Resampling()`.
        calibrated: whether the scores are probabilities, so that their logarithm means something. Defaults to `True`.

    Returns:
        A JSON-ready dict with

        - `metrics`: `accuracy`, `balanced_accuracy` (mean recall), `macro_f1`, `top_3_accuracy` (with more than three
          labels) and `log_loss` (in nats; when `calibrated`), each `{"value", "low", "high", "n", "interval"}`:
          `interval` names the method, `None` stands for what is undefined or infinite;
        - `per_label`: for each label `precision`, `recall`, `recall_low`, `recall_high` (Wilson; `None` where clips
          come in groups), `f1`, `support` (clips that carry it), `predicted` (clips that were given it);
        - `confusion`: counts, rows actual, columns predicted;
        - `baseline`: `{"label_index", "accuracy"}` of always answering the commonest label of `targets`.

    Raises:
        ValueError: the shapes do not fit each other, or there is no clip.
        KeraudioError: a score is not finite.

    >>> result = single_label_metrics([0, 0, 1, 1], [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7]])
    >>> result["metrics"]["accuracy"]["value"], result["confusion"]
    (0.75, [[1, 1], [0, 2]])
    """
    resampling = resampling or Resampling()
    values = _check_scores(scores)
    n, labels = values.shape
    actual = _class_indices(targets, n, labels)
    predicted = values.argmax(axis=1)
    cell = actual * labels + predicted

    def confusion_of(counts: Floats) -> Floats:
        flat = np.bincount(cell, weights=counts, minlength=labels * labels)
        return flat.astype(np.float64).reshape(labels, labels)

    confusion = confusion_of(np.ones(n))
    hits, support, given = _margins(confusion)
    occurring = int((support > 0).sum())
    averaged = {"labels": occurring, "skipped": labels - occurring}
    metrics = {
        "accuracy": resampling.share(predicted == actual),
        "balanced_accuracy": resampling.figure(
            _mean_recall(confusion), n, lambda counts: _mean_recall(confusion_of(counts)), **averaged
        ),
        "macro_f1": resampling.figure(
            _macro_f1(*_margins(confusion)), n, lambda counts: _macro_f1(*_margins(confusion_of(counts))), **averaged
        ),
    }
    if labels > 3:
        best = np.argsort(-values, axis=1, kind="stable")[:, :3]
        metrics["top_3_accuracy"] = resampling.share((best == actual[:, None]).any(axis=1))
    if calibrated:
        with np.errstate(divide="ignore", invalid="ignore"):
            losses = -np.log(values[np.arange(n), actual])
        loss = float(losses.mean())
        metrics["log_loss"] = resampling.figure(loss, n, lambda c: float(c @ losses / c.sum()))

    per_label = _rates(hits, support, given)
    for index, entry in enumerate(per_label):
        interval = None
        if resampling.groups is None and support[index]:
            interval = wilson_interval(int(hits[index]), int(support[index]), resampling.confidence)
        entry["recall_low"], entry["recall_high"] = interval or (None, None)
    commonest = int(support.argmax())
    return {
        "metrics": metrics,
        "per_label": per_label,
        "confusion": confusion.astype(int).tolist(),
        "baseline": {"label_index": commonest, "accuracy": float(support[commonest] / n)},
    }


def multi_label_metrics(
    targets: npt.ArrayLike,
    scores: npt.ArrayLike,
    *,
    thresholds: npt.ArrayLike = 0.5,
    resampling: Resampling | None = None,
) -> dict[str, Any]:
    """Measures a classifier whose clips carry any number of labels.

    A label without both a positive and a negative clip has no ROC-AUC and no average precision: macro averages leave
    it out and count it as `skipped`. Micro averages pool all (clip, label) pairs. Macro F1 averages over the labels
    that occur in `targets`.

    Args:
        targets: 0 or 1, `(clips, labels)`.
        scores: float `(clips, labels)`, finite; higher is likelier.
        thresholds: score from which (inclusive) a label is given to a clip: one number or `(labels,)`. Precision,
            recall and F1 depend on it, the others do not. Defaults to `0.5`.
        resampling: how the intervals are drawn. Defaults to `Resampling()`.

    Returns:
        A JSON-ready dict with

        - `metrics`: `macro_roc_auc`, `macro_average_precision`, `micro_roc_auc`, `micro_average_precision`, `macro_f1`,
          `micro_f1`, each shaped as in `single_label_metrics`, the macro ones with `labels` and `skipped`;
        - `per_label`: for each label `roc_auc`, `average_precision`, `precision`, `recall`, `f1`, `support`,
          `predicted`, `threshold`.

    Raises:
        ValueError: the shapes do not fit each other, or there is no clip.
        KeraudioError: a score is not finite.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    resampling = resampling or Resampling()
    values = _check_scores(scores)
    n, labels = values.shape
    actual = np.asarray(targets)
    if actual.shape != values.shape or not np.isin(actual, (0, 1)).all():
        raise ValueError(
            f"`targets` must be 0 or 1 and have the shape of the scores, {values.shape}. Received: shape={actual.shape}"
        )
    actual = actual.astype(bool)
    limits = np.asarray(thresholds, dtype=np.float64)
    if limits.shape not in ((), (labels,)) or not np.isfinite(limits).all():
        raise ValueError(f"`thresholds` must be one finite number or one for each label. Received: {thresholds!r}")
    limits = np.broadcast_to(limits, (labels,))
    predicted = at_least(values, limits)

    hit, carried, answered = (part.astype(np.float64) for part in (actual & predicted, actual, predicted))

    def margins_of(counts: Floats) -> tuple[Floats, Floats, Floats]:
        return counts @ hit, counts @ carried, counts @ answered

    hits, support, given = margins_of(np.ones(n))
    rankable = (support > 0) & (support < n)
    aucs, precisions = np.full(labels, np.nan), np.full(labels, np.nan)
    for index in np.flatnonzero(rankable):
        aucs[index] = roc_auc_score(actual[:, index], values[:, index])
        precisions[index] = average_precision_score(actual[:, index], values[:, index])
    both = 0 < support.sum() < actual.size
    micro_auc = roc_auc_score(actual.ravel(), values.ravel()) if both else np.nan
    micro_precision = average_precision_score(actual.ravel(), values.ravel()) if both else np.nan

    by_label, pooled = rank(actual, values), rank(actual, values, pooled=True)
    ranked = {"labels": int(rankable.sum()), "skipped": int(labels - rankable.sum())}
    occurring = int((support > 0).sum())
    averaged = {"labels": occurring, "skipped": labels - occurring}
    metrics = {
        "macro_roc_auc": resampling.figure(_mean(aucs), n, lambda c: _mean(roc_auc(by_label, c)), **ranked),
        "macro_average_precision": resampling.figure(
            _mean(precisions), n, lambda c: _mean(average_precision(by_label, c)), **ranked
        ),
        "micro_roc_auc": resampling.figure(micro_auc, n, lambda c: float(roc_auc(pooled, c)[0])),
        "micro_average_precision": resampling.figure(
            micro_precision, n, lambda c: float(average_precision(pooled, c)[0])
        ),
        "macro_f1": resampling.figure(
            _macro_f1(hits, support, given), n, lambda c: _macro_f1(*margins_of(c)), **averaged
        ),
        "micro_f1": resampling.figure(_micro_f1(hits, support, given), n, lambda c: _micro_f1(*margins_of(c))),
    }
    per_label = [
        {
            "roc_auc": finite(aucs[index]),
            "average_precision": finite(precisions[index]),
            **rates,
            "threshold": float(limits[index]),
        }
        for index, rates in enumerate(_rates(hits, support, given))
    ]
    return {"metrics": metrics, "per_label": per_label}


def _check_scores(scores: npt.ArrayLike) -> Floats:
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 2 or 0 in values.shape:
        raise ValueError(
            f"`scores` must have the shape (clips, labels), at least one of each. Received: shape={values.shape}"
        )
    if not np.isfinite(values).all():
        bad = int((~np.isfinite(values)).any(axis=1).sum())
        raise KeraudioError(f"Scores must be finite. Received: NaN or infinity in {bad} of {len(values)} clips")
    return values


def _class_indices(targets: npt.ArrayLike, n: int, labels: int) -> npt.NDArray[np.int64]:
    actual = np.asarray(targets)
    if actual.shape == (n, labels) and np.isin(actual, (0, 1)).all() and (actual.sum(axis=1) == 1).all():
        return actual.argmax(axis=1)
    if actual.shape == (n,) and actual.dtype.kind in "iu" and (actual >= 0).all() and (actual < labels).all():
        return actual.astype(np.int64)
    raise ValueError(
        f"`targets` must be one label index below {labels} for each of {n} clips, or one-hot rows. "
        f"Received: shape={actual.shape}, dtype={actual.dtype}"
    )


def _mean_recall(confusion: Floats) -> float:
    support = confusion.sum(axis=1)
    return float((np.diag(confusion)[support > 0] / support[support > 0]).mean())


def _margins(confusion: Floats) -> tuple[Floats, Floats, Floats]:
    return np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)


def _rates(hits: Floats, support: Floats, given: Floats) -> list[dict[str, Any]]:
    def ratio(part: float, whole: float) -> float | None:
        return float(part / whole) if whole else None

    return [
        {
            "precision": ratio(hit, answered),
            "recall": ratio(hit, carried),
            "f1": ratio(2 * hit, carried + answered),
            "support": int(carried),
            "predicted": int(answered),
        }
        for hit, carried, answered in zip(hits, support, given, strict=True)
    ]


def _macro_f1(hits: Floats, support: Floats, given: Floats) -> float:
    occurring = support > 0
    return _mean(2 * hits[occurring] / (support + given)[occurring])


def _micro_f1(hits: Floats, support: Floats, given: Floats) -> float:
    total = support.sum() + given.sum()
    return float(2 * hits.sum() / total) if total else np.nan


def _mean(values: Floats) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else np.nan
