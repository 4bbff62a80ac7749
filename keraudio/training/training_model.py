"""The classifier as `fit` trains it: on logits, with labels that pass through the graph beside the waveforms."""

from typing import Any

import keras

from keraudio.classifier import describe, logits_model
from keraudio.layers import Mixup


class TrainingModel(keras.Model):
    """A classifier that takes its labels as a second input, so that mixup runs inside the compiled step.

    Loss and metrics compare the logits with the labels that come out of mixup. It holds the classifier's own layers:
    training it trains the classifier. Works alike on every backend because only `compute_loss` and `compute_metrics`
    know of the labels' way.

    Args:
        classifier: a model with a description.
        mixup: `keraudio.layers.Mixup`, or None.

    Input shape:
        A dict: `"waveforms"` `(batch, samples)`, `"labels"` `(batch, labels)`.

    Output shape:
        A dict of `"logits"` and `"labels"`, both `(batch, labels)`.
    """

    def __init__(self, classifier: keras.Model, mixup: Mixup | None = None, **kwargs: Any):
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
        return {"logits": self.logits(inputs["waveforms"], training=training), "labels": inputs["labels"]}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return super().compute_loss(
            x, y_pred["labels"], y_pred["logits"], sample_weight=sample_weight, training=training
        )

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return super().compute_metrics(x, y_pred["labels"], y_pred["logits"], sample_weight)


def loss_and_metrics(*, multi_label: bool, labels: int, label_smoothing: float) -> tuple[keras.losses.Loss, list]:
    """Cross-entropy and accuracy for one label a clip; binary cross-entropy and ROC-AUC for several."""
    if multi_label:
        auc = keras.metrics.AUC(multi_label=True, num_labels=labels, from_logits=True, name="auc")
        return keras.losses.BinaryCrossentropy(from_logits=True), [auc]
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=label_smoothing)
    return loss, [keras.metrics.CategoricalAccuracy(name="accuracy")]
