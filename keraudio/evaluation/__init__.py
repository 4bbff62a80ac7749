"""Evaluation: votes of a clip's windows, metrics with confidence intervals, and reports for programs and for people."""

from keraudio.evaluation.evaluate import align_labels, evaluate_clips
from keraudio.evaluation.intervals import Resampling, bootstrap_interval, wilson_interval
from keraudio.evaluation.metrics import multi_label_metrics, single_label_metrics
from keraudio.evaluation.report import SCHEMA, evaluate_scores, format_report
from keraudio.evaluation.votes import VOTES, at_least, vote, vote_clips

__all__ = [
    "SCHEMA",
    "VOTES",
    "Resampling",
    "align_labels",
    "at_least",
    "bootstrap_interval",
    "evaluate_clips",
    "evaluate_scores",
    "format_report",
    "multi_label_metrics",
    "single_label_metrics",
    "vote",
    "vote_clips",
    "wilson_interval",
]
