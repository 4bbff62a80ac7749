"""A report of an evaluation: one JSON-ready dict for programs, and the same as plain text for people."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from keraudio.errors import KeraudioError
from keraudio.evaluation.label_text import display_width, pad, shorten
from keraudio.evaluation.metrics import Resampling, multi_label_metrics, single_label_metrics
from keraudio.evaluation.votes import VOTES, at_least

__all__ = ["SCHEMA", "evaluate_scores", "format_report"]

SCHEMA = 1

_NAMES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "top_3_accuracy": "top-3 accuracy",
    "log_loss": "log loss",
    "macro_roc_auc": "macro ROC-AUC",
    "micro_roc_auc": "micro ROC-AUC",
    "macro_average_precision": "macro average precision",
    "micro_average_precision": "micro average precision",
}
_LABEL_WIDTH = 36
# The widest matrix of up to six digits a cell that stays within 100 columns beside its labels.
_MATRIX_LABELS = 10
_CONFUSIONS = 10


def evaluate_scores(
    targets: npt.ArrayLike,
    scores: npt.ArrayLike,
    labels: Sequence[str],
    *,
    multi_label: bool,
    vote: str,
    clip_ids: Sequence[str] | None = None,
    thresholds: npt.ArrayLike = 0.5,
    groups: Sequence[str | int | None] | None = None,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, Any]:
    """Measures the scores of clips, after the vote of their windows.

    Args:
        targets: single-label: integers `(clips,)` or one-hot `(clips, labels)`; multi-label: 0 or 1 `(clips, labels)`.
        scores: float `(clips, labels)`, from `vote_clips`.
        labels: names of the labels, in the order of the columns.
        multi_label: whether a clip may carry any number of labels instead of exactly one.
        vote: how the windows voted, one of `VOTES`; it is written down. Only the `"mean"` is a probability and gets a
            log loss.
        clip_ids: names of the clips, unique; with them the report lists what each clip was given. Defaults to `None`.
        thresholds: multi-label only, see `multi_label_metrics`. Defaults to `0.5`.
        groups: for each clip its group (artist, source recording), `None` for a clip on its own. Intervals then draw
            whole groups, which is wider and right. Defaults to `None`: the clips are taken to be independent.
        resamples: draws of the bootstrap; with 0 there are only Wilson's intervals. Defaults to `1000`.
        confidence: share of such intervals that hold the truth. Defaults to `0.95`.
        seed: seed of the bootstrap. Defaults to `0`.

    Returns:
        A dict that `json.dumps(..., allow_nan=False)` takes: `schema` (1), `multi_label`, `labels`, `vote`, `n`
        (clips), `groups` (their number, or `None`), `confidence`, `resamples`, `seed`, `metrics`, `per_label`
        (each with its `label`), and

        - single-label: `confusion` (rows actual), `baseline` `{"label", "accuracy"}`; `clips` of
          `{"id", "actual", "predicted", "score"}`;
        - multi-label: `clips` of `{"id", "actual": [...], "predicted": [...]}`.

        `metrics` and the entries of `per_label` are those of `single_label_metrics` and `multi_label_metrics`.

    Raises:
        ValueError: the arguments do not fit each other.
        KeraudioError: a score is not finite.

    >>> report = evaluate_scores([0, 1], [[0.9, 0.1], [0.2, 0.8]], ["rock", "jazz"], multi_label=False, vote="mean")
    >>> report["schema"], report["n"], report["metrics"]["accuracy"]["value"]
    (1, 2, 1.0)
    """
    if vote not in VOTES:
        raise ValueError(f"`vote` must be one of {', '.join(VOTES)}. Received: vote={vote!r}")
    values = np.asarray(scores, dtype=np.float64)
    names = [str(label) for label in labels]
    if values.ndim != 2 or values.shape[1] != len(names) or len(set(names)) != len(names):
        raise ValueError(
            f"`labels` must name each column of `scores` once. Received: {len(names)} labels, shape={values.shape}"
        )
    n = len(values)
    if clip_ids is not None and (len(clip_ids) != n or len(set(clip_ids)) != n):
        raise ValueError(f"`clip_ids` must name each of {n} clips once. Received: {len(set(clip_ids))} names")
    if groups is not None and len(groups) != n:
        raise ValueError(f"`groups` must have one entry for each of {n} clips. Received: {len(groups)} entries")

    resampling = Resampling(groups=groups, resamples=resamples, confidence=confidence, seed=seed)
    if multi_label:
        measured = multi_label_metrics(targets, values, thresholds=thresholds, resampling=resampling)
    else:
        measured = single_label_metrics(targets, values, resampling=resampling, calibrated=vote == "mean")
        measured["baseline"] = {
            "label": names[measured["baseline"]["label_index"]],
            "accuracy": measured["baseline"]["accuracy"],
        }
    measured["per_label"] = [{"label": name, **entry} for name, entry in zip(names, measured["per_label"], strict=True)]
    report = {
        "schema": SCHEMA,
        "multi_label": bool(multi_label),
        "labels": names,
        "vote": vote,
        "n": n,
        "groups": None if groups is None else resampling.group_count(),
        "confidence": confidence,
        "resamples": resamples,
        "seed": seed,
        **measured,
    }
    if clip_ids is not None:
        report["clips"] = _clips(np.asarray(targets), values, names, clip_ids, multi_label, thresholds)
    return report


def format_report(report: dict[str, Any]) -> str:
    """Writes a report as aligned plain text, at most 100 columns wide.

    Args:
        report: from `evaluate_scores`, or read back from its JSON.

    Returns:
        Text with a headline, the figures with intervals, a table of labels and, for single-label reports, the most
        frequent confusions and (up to ten labels) the confusion matrix.

    Raises:
        KeraudioError: the report has another schema.
    """
    if report.get("schema") != SCHEMA:
        raise KeraudioError(f"A report must have schema {SCHEMA}. Received: schema={report.get('schema')!r}")
    groups = "" if report["groups"] is None else f" in {_count(report['groups'], 'group')}"
    kind = "multi-label" if report["multi_label"] else "single-label"
    headline = (
        f"{_count(report['n'], 'clip')}{groups}, {_count(len(report['labels']), 'label')} ({kind}), "
        f"vote of windows: {report['vote']}"
    )
    parts = [headline, _figures_table(report), _labels_table(report)]
    if not report["multi_label"]:
        parts += _confusion_tables(report)
    return "\n\n".join(part for part in parts if part) + "\n"


def _clips(
    targets: npt.NDArray[Any],
    scores: npt.NDArray[np.float64],
    names: list[str],
    clip_ids: Sequence[str],
    multi_label: bool,
    thresholds: npt.ArrayLike,
) -> list[dict[str, Any]]:
    if multi_label:
        given = at_least(scores, thresholds)
        return [
            {
                "id": str(clip),
                "actual": [names[index] for index in np.flatnonzero(actual)],
                "predicted": [names[index] for index in np.flatnonzero(predicted)],
            }
            for clip, actual, predicted in zip(clip_ids, targets, given, strict=True)
        ]
    actual = targets if targets.ndim == 1 else targets.argmax(axis=1)
    return [
        {"id": str(clip), "actual": names[index], "predicted": names[row.argmax()], "score": float(row.max())}
        for clip, index, row in zip(clip_ids, actual, scores, strict=True)
    ]


def _figures_table(report: dict[str, Any]) -> str:
    header = ["figure", "value", f"{100 * report['confidence']:g}% interval", "n", "interval by"]
    rows = []
    for key, entry in report["metrics"].items():
        interval = "-" if entry["low"] is None else f"{entry['low']:.3f} .. {entry['high']:.3f}"
        note = entry["interval"] or "-"
        if entry.get("skipped"):
            note += f"; {entry['labels']} labels, {entry['skipped']} skipped"
        rows.append([_NAMES.get(key, key), _number(entry["value"]), interval, str(entry["n"]), note])
    if "baseline" in report:
        baseline = report["baseline"]
        note = f"always {shorten(baseline['label'], _LABEL_WIDTH - 7)}"
        rows.append(["baseline accuracy", _number(baseline["accuracy"]), "-", str(report["n"]), note])
    return _table(header, rows, left={0, 4})


def _labels_table(report: dict[str, Any]) -> str:
    keys = ["precision", "recall", "f1"]
    header = ["label", "n", "predicted", "precision", "recall", "F1"]
    if report["multi_label"]:
        keys += ["roc_auc", "average_precision"]
        header += ["ROC-AUC", "avg prec"]
    else:
        header.insert(5, "recall interval")
    rows = []
    for entry in report["per_label"]:
        row = [shorten(entry["label"], _LABEL_WIDTH), str(entry["support"]), str(entry["predicted"])]
        row += [_number(entry[key]) for key in keys]
        if not report["multi_label"]:
            low, high = entry["recall_low"], entry["recall_high"]
            row.insert(5, "-" if low is None else f"{low:.2f} .. {high:.2f}")
        rows.append(row)
    return _table(header, rows, left={0})


def _confusion_tables(report: dict[str, Any]) -> list[str]:
    confusion, names = np.asarray(report["confusion"]), report["labels"]
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_CONFUSIONS]
    rows = []
    for actual, predicted in zip(*np.unravel_index(order, wrong.shape), strict=True):
        if wrong[actual, predicted]:
            share = f"{wrong[actual, predicted]} of {confusion[actual].sum()}"
            rows.append([shorten(names[actual], _LABEL_WIDTH), shorten(names[predicted], _LABEL_WIDTH), share])
    tables = [_table(["most confused: actual", "taken for", "clips"], rows, left={0, 1, 2})] if rows else []
    if len(names) <= _MATRIX_LABELS:
        header = ["actual \\ predicted", *(f"({index + 1})" for index in range(len(names)))]
        body = [
            [f"({index + 1}) {shorten(name, 22)}", *(str(count) if count else "." for count in confusion[index])]
            for index, name in enumerate(names)
        ]
        tables.append(_table(header, body, left={0}))
    return tables


def _table(header: list[str], rows: list[list[str]], *, left: set[int]) -> str:
    widths = [max(display_width(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(
            pad(cell, width, right=column not in left)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
