"""Evaluation: votes of a clip's windows, metrics with confidence intervals, and reports for programs and for people."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from keraudio.evaluation.calibration import (
        Calibration,
        Reliability,
        fit_calibration,
        fit_thresholds,
        reliability,
    )
    from keraudio.evaluation.evaluate import align_labels, evaluate_clips
    from keraudio.evaluation.intervals import Resampling, bootstrap_interval, wilson_interval
    from keraudio.evaluation.metrics import multi_label_metrics, single_label_metrics
    from keraudio.evaluation.report import SCHEMA, evaluate_scores, format_report
    from keraudio.evaluation.votes import VOTES, at_least, vote, vote_clips

# Late, so that metrics and label texts are there without a backend.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "calibration": ["Calibration", "Reliability", "fit_calibration", "fit_thresholds", "reliability"],
        "evaluate": ["align_labels", "evaluate_clips"],
        "intervals": ["Resampling", "bootstrap_interval", "wilson_interval"],
        "metrics": ["multi_label_metrics", "single_label_metrics"],
        "report": ["SCHEMA", "evaluate_scores", "format_report"],
        "votes": ["VOTES", "at_least", "vote", "vote_clips"],
    },
)
