"""A classifier's report on decoded clips."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from keraudio.classifier import describe
from keraudio.datasets import Manifest
from keraudio.errors import DatasetError
from keraudio.evaluation.report import evaluate_scores
from keraudio.evaluation.votes import vote_clips
from keraudio.interruption import between_batches
from keraudio.pipeline import CachedClips, Windows, feed


def align_labels(manifest: Manifest, labels: Sequence[str]) -> Manifest:
    """The same clips with a model's labels in the model's order.

    Raises:
        DatasetError: the data set has a label that the model does not know.
    """
    unknown = [label for label in manifest.labels if label not in labels]
    if unknown:
        raise DatasetError(
            f"The model must know the data set's labels ({', '.join(labels)}). Received: {', '.join(unknown)}"
        )
    return replace(manifest, labels=tuple(labels))


def evaluate_clips(
    model: keras.Model, clips: CachedClips, *, batch_size: int = 32, how: str | None = None
) -> dict[str, Any]:
    """Lets the windows of each clip vote and scores the clips against their labels.

    Args:
        model: a classifier with a description.
        clips: decoded at the model's sample rate, with the model's labels in the model's order (`align_labels`).
        batch_size: windows predicted at once. Defaults to 32.
        how: `"mean"`, `"majority"` or `"max"`. Defaults to the description's.

    Returns:
        The report of `evaluate_scores`, with a row for each clip.

    Raises:
        DatasetError: the clips' labels are not the model's.
    """
    description = describe(model)
    if clips.manifest.labels != description.labels:
        raise DatasetError(
            f"The data set's labels must be the model's ({', '.join(description.labels)}). "
            f"Received: {', '.join(clips.manifest.labels)}"
        )
    how = description.aggregate if how is None else how
    windows = Windows(
        clips,
        description.window,
        description.hop,
        batch_size,
        sample_rate=description.sample_rate,
        silence=description.silence,
    )
    batches = feed(windows, labels=False)
    probabilities = np.asarray(model.predict(batches, callbacks=[between_batches()], verbose=0))
    thresholds = 0.5 if description.thresholds is None else description.thresholds
    scores = vote_clips(
        probabilities,
        windows.clip_of_window,
        how=how,
        clips=len(clips),
        multi_label=description.multi_label,
        threshold=thresholds,
    )
    return evaluate_scores(
        windows.targets,
        scores,
        description.labels,
        multi_label=description.multi_label,
        vote=how,
        clip_ids=[clip.id for clip in clips.manifest.clips],
        thresholds=thresholds,
        groups=[clip.group for clip in clips.manifest.clips],
    )
