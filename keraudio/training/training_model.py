"""What `fit` trains: a classifier on logits, whose labels pass the graph, or a front end on another's output."""

from typing import Any

import keras
from keras import ops

from keraudio.classifier import describe, layers_of, logits_model
from keraudio.layers import BetweenClass, Mixup
from keraudio.training.skipping import SkippingModel, call_keeping_statistics


class TrainingModel(SkippingModel):
    """A classifier that takes its labels as a second input, so that mixup runs inside the compiled step.

    Loss and metrics compare the logits with the labels that come out of mixup. It holds the classifier's own layers:
    training it trains the classifier. Works alike on every backend because only `compute_loss` and `compute_metrics`
    know of the labels' way.

    Args:
        classifier: a model with a description.
        mixup: `keraudio.layers.Mixup` or `keraudio.layers.BetweenClass`, or None.

    Input shape:
        A dict: `"waveforms"` `(batch, samples)`, `"labels"` `(batch, labels)`.

    Output shape:
        A dict of `"logits"` and `"labels"`, both `(batch, labels)`.
    """

    def __init__(self, classifier: keras.Model, mixup: Mixup | BetweenClass | None = None, **kwargs: Any):
        # Without casts of its own: in mixed precision waveforms and labels would be rounded before any layer saw them.
        super().__init__(autocast=False, **kwargs)
        self.description = describe(classifier)
        self.logits = logits_model(classifier)
        self.mixup = mixup

    def build(self, input_shape: Any) -> None:
        self.built = True

    def call(self, inputs: dict, training: bool = False) -> dict:
        if self.mixup is not None:
            inputs = self.mixup(inputs, training=training)
        logits = call_keeping_statistics(
            self.logits, inputs["waveforms"], layers=list(layers_of(self.logits)), training=training
        )
        return {"logits": logits, "labels": inputs["labels"]}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return super().compute_loss(
            x, y_pred["labels"], y_pred["logits"], sample_weight=sample_weight, training=training
        )

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return super().compute_metrics(x, y_pred["labels"], y_pred["logits"], sample_weight)


class TransformModel(SkippingModel):
    """A front end beside the one whose output it learns, so that both see the same waveforms in the compiled step.

    Args:
        front_end: functional model from `(batch, samples)` to features.
        target: another with as many bins, and as many frames or more, of which the last are left out. Its weights stay.

    Raises:
        ValueError: the target has other bins, or fewer frames.

    Input shape:
        A dict with `"waveforms"` `(batch, samples)`; labels beside them are not looked at.

    Output shape:
        A dict of `"learned"` and `"target"`, both as the front end's output.
    """

    def __init__(self, front_end: keras.Model, target: keras.Model, **kwargs: Any):
        super().__init__(autocast=False, **kwargs)
        check_target(front_end, target)
        self.front_end = front_end
        self.target = target
        self.target.trainable = False
        self.frames = front_end.output_shape[1]

    def build(self, input_shape: Any) -> None:
        self.built = True

    def call(self, inputs: dict, training: bool = False) -> dict:
        waveforms = inputs["waveforms"]
        target = self.target(waveforms, training=False)[:, : self.frames]
        learned = call_keeping_statistics(
            self.front_end, waveforms, layers=list(layers_of(self.front_end)), training=training
        )
        return {"learned": learned, "target": ops.stop_gradient(target)}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return super().compute_loss(
            x, y_pred["target"], y_pred["learned"], sample_weight=sample_weight, training=training
        )

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return super().compute_metrics(x, y_pred["target"], y_pred["learned"], sample_weight)


def check_target(front_end: keras.Model, target: keras.Model) -> None:
    """Raises `ValueError` unless a front end can learn what another gives: the same bins, no more frames."""
    learned, wanted = front_end.output_shape[1:], target.output_shape[1:]
    if learned[1:] != wanted[1:] or learned[0] is None or wanted[0] is None or wanted[0] < learned[0]:
        raise ValueError(
            "The target must have the front end's bins, and at least its frames. "
            f"Received: {front_end.name!r} gives {learned}, {target.name!r} {wanted}"
        )


def loss_and_metrics(*, multi_label: bool, labels: int, label_smoothing: float) -> tuple[keras.losses.Loss, list]:
    """Cross-entropy and accuracy for one label a clip; binary cross-entropy and ROC-AUC for several."""
    if multi_label:
        auc = keras.metrics.AUC(multi_label=True, num_labels=labels, from_logits=True, name="auc")
        return keras.losses.BinaryCrossentropy(from_logits=True), [auc]
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=label_smoothing)
    return loss, [keras.metrics.CategoricalAccuracy(name="accuracy")]
