"""Confidences that mean what they say: two numbers fitted to labelled clips, and a threshold for each label."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Calibration", "Reliability", "fit_calibration", "fit_thresholds", "reliability"]

# Far enough from 0 and 1 that one clip's surprise stays finite.
_LEAST = 1e-6


@dataclass(frozen=True)
class Calibration:
    """Probabilities `sigmoid(slope * logit + offset)`; a model's `temperature` is `1 / slope`.

    Attributes:
        slope: above 0.
        offset: added after it.
    """

    slope: float = 1.0
    offset: float = 0.0

    def probabilities(self, logits: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Probabilities of clips `(clips, labels)`: the mean over the windows of `logits` `(clips, windows, labels)`.

        Windows that a clip has not are NaN.
        """
        from scipy.special import expit

        return np.nanmean(expit(self.slope * np.asarray(logits, dtype="float64") + self.offset), axis=1)


def fit_calibration(logits: npt.ArrayLike, truth: npt.ArrayLike) -> Calibration:
    """Slope and offset, shared by all labels, under which the clips' true labels are likeliest.

    Platt's scaling (Platt 1999) of the mean over windows, by Nelder and Mead's method; a slope alone is temperature
    scaling (Guo et al. 2017).

    Args:
        logits: `(clips, windows, labels)`, NaN for windows that a clip has not.
        truth: `(clips, labels)`, 1 for labels that hold, 0 for those that do not, NaN where nobody knows.

    Raises:
        ValueError: shapes do not fit, or labels that hold or that do not are missing.
    """
    from scipy.optimize import minimize

    logits, truth = np.asarray(logits, dtype="float64"), np.asarray(truth, dtype="float64")
    if logits.ndim != 3 or truth.shape != (logits.shape[0], logits.shape[2]):
        raise ValueError(
            "`logits` must be (clips, windows, labels) and `truth` (clips, labels). "
            f"Received: {logits.shape} and {truth.shape}"
        )
    if not ((truth == 0).any() and (truth == 1).any()):
        raise ValueError("`truth` must have labels that hold and labels that do not. Received: one of them alone")

    def surprise(parameters: npt.NDArray[np.float64]) -> float:
        found = Calibration(float(np.exp(parameters[0])), float(parameters[1])).probabilities(logits)
        found = np.clip(found, _LEAST, 1 - _LEAST)
        return -float(np.mean(np.log(np.where(truth == 1, found, 1 - found))[~np.isnan(truth)]))

    slope, offset = minimize(surprise, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9}).x
    return Calibration(float(np.exp(slope)), float(offset))


def fit_thresholds(
    probabilities: npt.ArrayLike, truth: npt.ArrayLike, *, false_alarms: float = 0.02, least: float = 0.5
) -> npt.NDArray[np.float64]:
    """A threshold for each label that at most a share of the clips without the label reaches.

    Args:
        probabilities: `(clips, labels)`.
        truth: `(clips, labels)`, 1, 0, or NaN where nobody knows.
        false_alarms: the share, 0 to 1. Defaults to 0.02.
        least: no threshold lies below it. Defaults to 0.5.

    Returns:
        `(labels,)`; `least` where no clip is known to be without the label.
    """
    probabilities, truth = np.asarray(probabilities, dtype="float64"), np.asarray(truth, dtype="float64")
    thresholds = np.full(truth.shape[1], least)
    for label, (found, holds) in enumerate(zip(probabilities.T, truth.T, strict=True)):
        without = np.sort(found[holds == 0])
        if len(without):
            # The greatest that may not be reached; just above it is enough.
            reached = without[len(without) - 1 - int(false_alarms * len(without))]
            thresholds[label] = max(least, np.nextafter(np.float32(reached), np.float32(1)))
    return thresholds


@dataclass(frozen=True)
class Reliability:
    """How often labels hold that were given with some confidence.

    Attributes:
        edges: `(bins + 1,)` of the confidence's bins.
        counts: `(bins,)` labels of clips in each bin.
        confidences: `(bins,)` mean confidence, NaN where a bin is empty.
        shares: `(bins,)` share of them that hold, NaN where a bin is empty.
        error: expected calibration error: the mean difference of confidence and share, weighted by `counts`.
    """

    edges: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]
    confidences: npt.NDArray[np.float64]
    shares: npt.NDArray[np.float64]
    error: float


def reliability(probabilities: npt.ArrayLike, truth: npt.ArrayLike, *, bins: int = 10) -> Reliability:
    """Sorts every known label of every clip into bins of equal width by its probability.

    Args:
        probabilities: `(clips, labels)`.
        truth: `(clips, labels)`, 1, 0, or NaN where nobody knows.
        bins: number of bins. Defaults to 10.
    """
    probabilities, truth = np.asarray(probabilities, dtype="float64"), np.asarray(truth, dtype="float64")
    known = ~np.isnan(truth)
    found, holds = probabilities[known], truth[known]
    edges = np.linspace(0, 1, bins + 1)
    place = np.minimum((found * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        confidences = np.bincount(place, found, bins) / counts
        shares = np.bincount(place, holds, bins) / counts
    error = float(np.nansum(counts * np.abs(confidences - shares)) / counts.sum())
    return Reliability(edges, counts, confidences, shares, error)
