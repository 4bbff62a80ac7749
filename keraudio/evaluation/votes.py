"""How the windows of a clip vote on its labels: one rule for evaluating, predicting, tagging and the app."""

import numpy as np
import numpy.typing as npt

from keraudio.errors import KeraudioError

__all__ = ["VOTES", "at_least", "vote", "vote_clips"]

VOTES = ("mean", "majority", "max")

# Softmax in half precision can end this far above 1; logits passed by mistake end much further away.
_SLACK = 1e-3


def vote(
    probabilities: npt.ArrayLike,
    *,
    how: str = "mean",
    multi_label: bool = False,
    threshold: npt.ArrayLike = 0.5,
) -> npt.NDArray[np.float32]:
    """Joins the probabilities of one clip's windows into one score for each label.

    - `"mean"`: the mean of the probabilities. A probability again, and the default.
    - `"majority"`: the share of windows that choose the label. With one label a clip, a window chooses its most
      probable label (on a tie the lowest index); with several, every label whose probability reaches `threshold`. A
      share is no calibrated probability, and two labels with equal shares are decided by whoever takes the argmax:
      `numpy.argmax` takes the lowest index.
    - `"max"`: the largest probability over the windows, for labels that sound only briefly. With one label a clip, the
      maxima are divided by their sum, so that they sum to 1 again; the order of the labels does not change.

    Args:
        probabilities: `(windows, labels)`, at least one of each, within [0, 1].
        how: one of `VOTES`. Defaults to `"mean"`.
        multi_label: whether a clip may carry several labels (sigmoid outputs) instead of exactly one (softmax).
            Defaults to `False`.
        threshold: probability from which (inclusive) a window chooses a label: one number, or `(labels,)`. Only used by
            `"majority"` with `multi_label=True`. Defaults to `0.5`.

    Returns:
        float32 `(labels,)`, within [0, 1].

    Raises:
        ValueError: `how`, `threshold` or the shape of `probabilities` breaks the rules above.
        KeraudioError: a probability is not finite or not within [0, 1], which happens when a training diverged or when
            logits were passed.

    >>> windows = [[0.6, 0.4, 0.0], [0.6, 0.4, 0.0], [0.0, 1.0, 0.0]]
    >>> vote(windows, how="majority").round(2).tolist()
    [0.6700000166893005, 0.33000001311302185, 0.0]
    >>> int(vote(windows, how="mean").argmax()), int(vote(windows, how="majority").argmax())
    (1, 0)
    """
    _check_how(how)
    checked = _check_probabilities(probabilities)
    windows, labels = checked.shape
    if windows == 0:
        raise ValueError("A clip must have at least one window to vote on it. Received: windows=0")
    return _vote(checked, how, multi_label, _check_threshold(threshold, labels))


def vote_clips(
    probabilities: npt.ArrayLike,
    clip_of_window: npt.ArrayLike,
    *,
    how: str = "mean",
    clips: int | None = None,
    multi_label: bool = False,
    threshold: npt.ArrayLike = 0.5,
) -> npt.NDArray[np.float32]:
    """Votes for many clips at once; each row is bit for bit what `vote` gives for that clip alone.

    Args:
        probabilities: `(total windows, labels)`, within [0, 1]. The windows of a clip need not be neighbours.
        clip_of_window: integers `(total windows,)`, the row of the result to which each window belongs.
        how: as in `vote`. Defaults to `"mean"`.
        clips: number of clips. Defaults to the highest clip number plus one.
        multi_label: as in `vote`. Defaults to `False`.
        threshold: as in `vote`. Defaults to `0.5`.

    Returns:
        float32 `(clips, labels)`.

    Raises:
        ValueError: as in `vote`, or a clip has no window, or `clip_of_window` does not fit.
        KeraudioError: as in `vote`.

    >>> vote_clips([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]], [0, 1, 0]).tolist()
    [[0.75, 0.25], [0.0, 1.0]]
    """
    _check_how(how)
    checked = _check_probabilities(probabilities)
    total, labels = checked.shape
    owner = np.asarray(clip_of_window)
    if owner.size == 0:
        owner = owner.astype(np.int64)
    if owner.shape != (total,) or owner.dtype.kind not in "iu":
        raise ValueError(
            "`clip_of_window` must hold one integer for each window. "
            f"Received: shape={owner.shape}, dtype={owner.dtype}, windows={total}"
        )
    count = (int(owner.max()) + 1 if total else 0) if clips is None else clips
    if total and (owner.min() < 0 or owner.max() >= count):
        raise ValueError(
            f"`clip_of_window` must lie between 0 and {count - 1}. Received: {int(owner.min())}..{int(owner.max())}"
        )
    windows_of_clip = np.bincount(owner.astype(np.int64), minlength=count)
    if (windows_of_clip == 0).any():
        raise ValueError(
            f"Every clip must have at least one window. Received: none for clip={int(windows_of_clip.argmin())}"
        )
    limits = _check_threshold(threshold, labels)
    # A stable order keeps a clip's windows in their own order, so sums round as they do for the clip alone.
    order = np.argsort(owner, kind="stable")
    ends = np.cumsum(windows_of_clip)
    result = np.empty((count, labels), dtype=np.float32)
    for clip, end in enumerate(ends):
        own = checked[order[end - windows_of_clip[clip] : end]]
        result[clip] = _vote(own, how, multi_label, limits)
    return result


def at_least(scores: npt.ArrayLike, thresholds: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Which labels are given to which clips: a score that equals its threshold is enough.

    Both are compared as float32, which is what models answer in: a score of 0.7 there lies below the float64 0.7 that a
    user types.

    >>> at_least(np.float32([[0.7, 0.69]]), 0.7).tolist()
    [[True, False]]
    """
    return np.asarray(scores, dtype=np.float32) >= np.asarray(thresholds, dtype=np.float32)


def _vote(
    probabilities: npt.NDArray[np.float64], how: str, multi_label: bool, threshold: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    windows, labels = probabilities.shape
    if how == "mean":
        score = probabilities.mean(axis=0)
    elif how == "max":
        score = probabilities.max(axis=0)
        total = score.sum()
        if not multi_label and total > 0:
            score = score / total
    elif multi_label:
        score = at_least(probabilities, threshold).mean(axis=0)
    else:
        score = np.bincount(probabilities.argmax(axis=1), minlength=labels) / windows
    return score.astype(np.float32)


def _check_how(how: str) -> None:
    if how not in VOTES:
        raise ValueError(f"`how` must be one of {', '.join(VOTES)}. Received: how={how!r}")


def _check_probabilities(probabilities: npt.ArrayLike) -> npt.NDArray[np.float64]:
    values = np.ascontiguousarray(probabilities, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] == 0:
        raise ValueError(f"`probabilities` must have the shape (windows, labels). Received: shape={values.shape}")
    if not np.isfinite(values).all():
        bad = int((~np.isfinite(values)).any(axis=1).sum())
        raise KeraudioError(
            f"Probabilities must be finite. Received: NaN or infinity in {bad} of {len(values)} windows"
        )
    if values.size and (values.min() < -_SLACK or values.max() > 1 + _SLACK):
        raise KeraudioError(
            "Probabilities must lie in [0, 1] (does the model end in logits?). "
            f"Received: values from {values.min():.4g} to {values.max():.4g}"
        )
    return np.clip(values, 0.0, 1.0)


def _check_threshold(threshold: npt.ArrayLike, labels: int) -> npt.NDArray[np.float64]:
    limits = np.asarray(threshold, dtype=np.float64)
    if limits.shape not in ((), (labels,)):
        raise ValueError(f"`threshold` must be one number or one for each label. Received: shape={limits.shape}")
    if not ((limits >= 0) & (limits <= 1)).all():
        raise ValueError(f"`threshold` must lie in [0, 1]. Received: threshold={threshold!r}")
    return limits
