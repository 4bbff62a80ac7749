from typing import Any

import keras
import numpy as np
import pytest
from tones import LABELS, WINDOW, tone_classifier

import keraudio
from keraudio.layers import Mixup
from keraudio.training import TrainingModel
from keraudio.training.training_model import loss_and_metrics

pytestmark = pytest.mark.backends


def batch(size: int = 6) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = np.eye(len(LABELS), dtype="float32")[rng.integers(0, len(LABELS), size)]
    return {"waveforms": rng.uniform(-0.5, 0.5, (size, WINDOW)).astype("float32"), "labels": labels}


def compiled(mixup: Mixup | None = None, *, multi_label: bool = False, label_smoothing: float = 0.0) -> TrainingModel:
    keras.utils.set_random_seed(0)
    classifier = tone_classifier(multi_label=multi_label)
    for layer in classifier.backbone.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    model = TrainingModel(classifier, mixup)
    loss, metrics = loss_and_metrics(multi_label=multi_label, labels=len(LABELS), label_smoothing=label_smoothing)
    model.compile(keras.optimizers.SGD(0.01), loss=loss, metrics=metrics, jit_compile=False)
    return model


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    logits = logits - logits.max(axis=1, keepdims=True)
    return float(-(labels * (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))).sum(axis=1).mean())


def outputs(model: TrainingModel, inputs: dict, *, training: bool) -> dict[str, np.ndarray]:
    given = model({name: keras.ops.convert_to_tensor(value) for name, value in inputs.items()}, training=training)
    return {name: np.asarray(keras.ops.convert_to_numpy(value), "float64") for name, value in given.items()}


def test_the_loss_compares_with_the_labels_that_mixup_gives() -> None:
    mixup, inputs = Mixup(alpha=5.0, seed=3), batch()
    model = compiled(mixup)
    state = keras.ops.convert_to_numpy(mixup.seed_generator.state.value)
    mixed = outputs(model, inputs, training=True)
    mixup.seed_generator.state.assign(state)
    loss = model.train_on_batch(inputs, return_dict=True)["loss"]
    assert not np.allclose(mixed["labels"], inputs["labels"])
    np.testing.assert_allclose(mixed["labels"].sum(axis=1), 1, rtol=1e-6)
    # float32 sums of a small network.
    assert loss == pytest.approx(cross_entropy(mixed["logits"], mixed["labels"]), rel=1e-5)
    assert loss != pytest.approx(cross_entropy(mixed["logits"], inputs["labels"]), rel=1e-3)


def test_evaluation_does_not_mix() -> None:
    model, inputs = compiled(Mixup(alpha=5.0)), batch()
    measured = model.test_on_batch(inputs, return_dict=True)
    given = outputs(model, inputs, training=False)
    np.testing.assert_array_equal(given["labels"], inputs["labels"])
    assert measured["loss"] == pytest.approx(cross_entropy(given["logits"], inputs["labels"]), rel=1e-5)
    hits = given["logits"].argmax(axis=1) == inputs["labels"].argmax(axis=1)
    assert measured["accuracy"] == pytest.approx(hits.mean())


def test_several_labels_have_binary_losses() -> None:
    model, inputs = compiled(multi_label=True), batch()
    inputs["labels"] = np.float32([[1, 1], [0, 0], [1, 0], [0, 1], [1, 1], [0, 1]])
    measured = model.test_on_batch(inputs, return_dict=True)
    logits = outputs(model, inputs, training=False)["logits"]
    # -log sigmoid(z) where the label holds, -log(1 - sigmoid(z)) where it does not.
    expected = np.logaddexp(0, np.where(inputs["labels"] == 1, -logits, logits)).mean()
    assert measured["loss"] == pytest.approx(expected, rel=1e-5)
    assert 0 <= measured["auc"] <= 1


def test_smoothing_spreads_its_share_over_all_labels() -> None:
    model, inputs = compiled(label_smoothing=0.2), batch()
    logits = outputs(model, inputs, training=False)["logits"]
    smoothed = 0.8 * inputs["labels"] + 0.2 / len(LABELS)
    loss = model.test_on_batch(inputs, return_dict=True)["loss"]
    assert loss == pytest.approx(cross_entropy(logits, smoothed), rel=1e-5)


def test_training_changes_the_classifier_itself() -> None:
    keras.utils.set_random_seed(0)
    classifier: Any = tone_classifier()
    model = TrainingModel(classifier)
    loss, metrics = loss_and_metrics(multi_label=False, labels=len(LABELS), label_smoothing=0.0)
    model.compile(keras.optimizers.SGD(0.01), loss=loss, metrics=metrics)
    before = classifier.get_weights()
    model.train_on_batch(batch())
    assert len(model.trainable_variables) == len(classifier.trainable_variables)
    for variable, mine, old in zip(classifier.weights, classifier.get_weights(), before, strict=True):
        # The mel bands alone are not learned; normalization's statistics move like weights.
        assert (mine != old).any() == ("mel/filters" not in variable.path), variable.path


class Witness(keras.layers.Layer):
    """Remembers the waveforms that reach the classifier."""

    def __init__(self) -> None:
        super().__init__(autocast=False)
        self.seen = np.zeros(0)

    def call(self, inputs: Any) -> Any:
        if not isinstance(inputs, keras.KerasTensor):
            self.seen = keras.ops.convert_to_numpy(inputs)
        return inputs

    def compute_output_spec(self, inputs: Any) -> Any:
        return keras.KerasTensor(inputs.shape, dtype=inputs.dtype)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_leaves_waveforms_and_labels_in_float32(precision: str) -> None:
    witness, tones = Witness(), tone_classifier()
    tones = keraudio.AudioClassifier(
        tones.front_end, tones.backbone, tones.description, waveform_augmentation=[witness]
    )
    inputs = batch()
    inputs["labels"] = np.full_like(inputs["labels"], 1 / 3)
    model = TrainingModel(tones, Mixup(probability=0.0), dtype=precision)
    labels = outputs(model, inputs, training=True)["labels"]
    np.testing.assert_allclose(witness.seen, inputs["waveforms"], rtol=1e-6)
    np.testing.assert_allclose(labels, 1 / 3, rtol=1e-6)


def test_float16_has_its_loss_scaled() -> None:
    model = TrainingModel(tone_classifier(), dtype="mixed_float16")
    model.compile(keras.optimizers.SGD(0.01), loss="mse")
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
