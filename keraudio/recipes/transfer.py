"""Transfer measured on a data set: a row for each level of each network, as at the foot of Lee et al.'s Table 6."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keraudio.classifier import AudioClassifier
from keraudio.datasets import SPLITS, Manifest, assign_splits
from keraudio.evaluation import evaluate_scores
from keraudio.training.transfer import HIDDEN_UNITS, Extractor, Head, check_classifiers, end_to_end, fit_head


@dataclass
class Transferred:
    """What transfer came to.

    Attributes:
        rows: one a classifier and row of features: `features`, `columns`, `classifier`, and the figures of its report.
        model: the end-to-end classifier of all features.
        model_splits: clips that `model` was trained, chosen and told on.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    model: AudioClassifier | None = None
    model_splits: dict[str, int] = field(default_factory=dict)


def rotations(manifest: Manifest, *, seed: int = 0) -> list[Manifest]:
    """The manifest with splits: its own, or each fold tested once and the next one validated on, or drawn at random.

    Raises:
        DatasetError: there are no clips to train, validate or test on.
    """
    if any(clip.split == "test" for clip in manifest.clips):
        for split in SPLITS:
            manifest.split(split)
        return [manifest]
    folds = sorted({clip.fold for clip in manifest.clips if clip.fold is not None})
    if len(folds) < 3:
        return [assign_splits(manifest, method="random", seed=seed)]
    return [
        assign_splits(
            manifest,
            method="folds",
            train_folds=[one for one in folds if one not in (fold, folds[(i + 1) % len(folds)])],
            valid_folds=[folds[(i + 1) % len(folds)]],
            test_folds=[fold],
        )
        for i, fold in enumerate(folds)
    ]


def transfer(
    extractor: Extractor,
    features: np.ndarray,
    turns: Sequence[Manifest],
    *,
    classifiers: Sequence[str] = ("logistic",),
    seed: int = 0,
    name: str = "transferred",
    report: Callable[[dict[str, Any]], None] | None = None,
) -> Transferred:
    """Trains classifiers of every row of features and measures them on the test clips.

    The test clips of all turns are measured together. The penalty (logistic, svm) or the epoch (mlp) is chosen on the
    validation clips, on which nothing is trained. The end-to-end model is that of the last turn.

    Args:
        extractor: from which the features are.
        features: `(clips, features)`, in the manifests' order.
        turns: of `rotations`: the same clips in different splits.
        classifiers: see `keraudio.training.fit_head`. Defaults to logistic regression.
        seed: of random splits, weights and dropout. Defaults to 0.
        name: of the end-to-end model.
        report: called with each row once it is known.

    Raises:
        KeraudioError: an unknown classifier, or the svm on clips with several labels.
    """
    last = turns[-1]
    check_classifiers(classifiers, multi_label=last.multi_label)
    result = Transferred()
    for kind in classifiers:
        for row, columns in extractor.rows.items():
            figures, head = measure_head(kind, features[:, columns], turns, seed=seed)
            result.rows.append({"features": row, "columns": len(columns), "classifier": kind, **figures})
            if report is not None:
                report(result.rows[-1])
        # The last row has all features.
        if result.model is None and head.dense:
            result.model = end_to_end(extractor, head, last.labels, multi_label=last.multi_label, name=name)
            result.model_splits = {split: int(_of(last, split).sum()) for split in SPLITS}
    return result


def _head(kind: str, features: np.ndarray, manifest: Manifest, *, seed: int, units: int) -> Head:
    targets = manifest.targets()
    train, valid = ((features[rows], targets[rows]) for rows in (_of(manifest, "train"), _of(manifest, "valid")))
    return fit_head(kind, train, valid, multi_label=manifest.multi_label, seed=seed, units=units)


def _of(manifest: Manifest, split: str) -> np.ndarray:
    return np.array([clip.split == split for clip in manifest.clips])


def measure_head(
    kind: str, features: np.ndarray, turns: Sequence[Manifest], *, seed: int = 0, units: int = HIDDEN_UNITS
) -> tuple[dict[str, Any], Head]:
    """One classifier's figures on the test clips of all turns together, and the classifier as the last turn trained it.

    Args:
        kind: see `keraudio.training.fit_head`.
        features: `(clips, features)`, in the manifests' order.
        turns: of `rotations`: the same clips in different splits.
        seed: of weights and dropout. Defaults to 0.
        units: of each hidden layer of the `"mlp"`. Defaults to the paper's 4,096.

    Raises:
        KeraudioError: an unknown classifier, or the svm on clips with several labels.
    """
    targets, scores, groups = [], [], []
    for manifest in turns:
        test = _of(manifest, "test")
        head = _head(kind, features, manifest, seed=seed, units=units)
        scores.append(head.scores(features[test]))
        targets.append(manifest.targets()[test])
        groups += [clip.group for clip, tested in zip(manifest.clips, test, strict=True) if tested]
    multi_label = turns[0].multi_label
    report = evaluate_scores(
        np.concatenate(targets),
        np.concatenate(scores),
        turns[0].labels,
        multi_label=multi_label,
        # Of an svm there is a choice and no probability.
        vote="majority" if kind == "svm" else "mean",
        groups=groups,
        seed=seed,
    )
    kept = ("macro_roc_auc", "macro_average_precision") if multi_label else ("accuracy", "macro_f1")
    return {"n": report["n"], "groups": report["groups"], **{key: report["metrics"][key] for key in kept}}, head


def format_table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows of `transfer` as a Markdown table."""
    figures = ("accuracy", "macro_f1") if "accuracy" in rows[0] else ("macro_roc_auc", "macro_average_precision")
    names = {
        "accuracy": "accuracy",
        "macro_f1": "macro F1",
        "macro_roc_auc": "macro ROC-AUC",
        "macro_average_precision": "macro average precision",
    }
    lines = [f"| features | number | classifier | n | {' | '.join(names[one] for one in figures)} |", "|---" * 6 + "|"]
    for row in rows:
        cells = [
            f"{row[one]['value']:.3f} [{row[one]['low']:.3f}, {row[one]['high']:.3f}]"
            if row[one]["value"] is not None
            else ""
            for one in figures
        ]
        lines.append(
            f"| {row['features']} | {row['columns']} | {row['classifier']} | {row['n']} | {' | '.join(cells)} |"
        )
    return "\n".join(lines) + "\n"
