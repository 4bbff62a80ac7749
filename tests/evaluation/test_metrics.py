import json

import numpy as np
import pytest
from sklearn import metrics as truth

from keraudio.errors import KeraudioError
from keraudio.evaluation.intervals import Resampling, wilson_interval
from keraudio.evaluation.metrics import multi_label_metrics, single_label_metrics

QUICK = Resampling(resamples=60)
# Ratios of whole numbers, averaged in another order.
TOLERANCE = 1e-12


def single(seed=0, clips=120, labels=6):
    rng = np.random.default_rng(seed)
    actual = rng.integers(0, labels, clips)
    scores = rng.random((clips, labels))
    scores[np.arange(clips), actual] += 0.5
    return actual, scores / scores.sum(axis=1, keepdims=True)


def multi(seed=0, clips=80, labels=5):
    rng = np.random.default_rng(seed)
    targets = (rng.random((clips, labels)) < 0.3).astype(np.float32)
    return targets, np.clip(rng.random((clips, labels)) * 0.7 + 0.3 * targets, 0, 1)


def value(result, name):
    return result["metrics"][name]["value"]


def test_single_label_figures_agree_with_scikit_learn():
    actual, scores = single()
    predicted = scores.argmax(axis=1)
    result = single_label_metrics(actual, scores, resampling=QUICK)
    expected = {
        "accuracy": truth.accuracy_score(actual, predicted),
        "balanced_accuracy": truth.balanced_accuracy_score(actual, predicted),
        "macro_f1": truth.f1_score(actual, predicted, average="macro"),
        "top_3_accuracy": truth.top_k_accuracy_score(actual, scores, k=3),
        "log_loss": truth.log_loss(actual, scores),
    }
    assert {name: value(result, name) for name in expected} == pytest.approx(expected, abs=TOLERANCE)
    assert result["confusion"] == truth.confusion_matrix(actual, predicted).tolist()
    columns = truth.precision_recall_fscore_support(actual, predicted)
    for name, column in zip(["precision", "recall", "f1", "support"], columns, strict=True):
        assert [entry[name] for entry in result["per_label"]] == pytest.approx(column.tolist(), abs=TOLERANCE)


def test_rows_of_the_confusion_matrix_are_the_actual_labels():
    result = single_label_metrics([0, 0, 0], [[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    assert result["confusion"] == [[1, 2], [0, 0]]


def test_one_hot_targets_and_label_indices_give_the_same():
    actual, scores = single()
    by_index = single_label_metrics(actual, scores, resampling=QUICK)
    assert by_index == single_label_metrics(np.eye(6, dtype=np.float32)[actual], scores, resampling=QUICK)


def test_a_tie_of_scores_goes_to_the_lowest_index():
    assert single_label_metrics([1], [[0.2, 0.4, 0.4]])["confusion"][1] == [0, 1, 0]


def test_accuracy_has_wilsons_interval_and_its_n():
    actual, scores = single()
    entry = single_label_metrics(actual, scores, resampling=QUICK)["metrics"]["accuracy"]
    hits = int((scores.argmax(axis=1) == actual).sum())
    assert (entry["low"], entry["high"]) == wilson_interval(hits, 120)
    assert (entry["n"], entry["interval"]) == (120, "wilson")


def test_labels_that_do_not_occur_are_left_out_of_macro_figures_and_counted():
    # Label 2 is never right but sometimes answered, label 3 neither: scikit-learn over the labels that occur.
    actual = np.array([0, 0, 1, 1])
    predicted = np.array([0, 2, 1, 1])
    result = single_label_metrics(actual, np.eye(4)[predicted], resampling=QUICK)
    macro = result["metrics"]["macro_f1"]
    expected = truth.f1_score(actual, predicted, labels=[0, 1], average="macro")
    assert macro["value"] == pytest.approx(expected, abs=TOLERANCE)
    assert (macro["labels"], macro["skipped"]) == (2, 2)
    assert value(result, "balanced_accuracy") == 0.75
    assert result["per_label"][2]["recall"] is None
    assert result["per_label"][2]["precision"] == 0.0
    assert result["per_label"][3]["f1"] is None


def test_every_resampled_figure_lies_within_its_interval():
    for result in (
        single_label_metrics(*single(), resampling=Resampling(resamples=300)),
        multi_label_metrics(*multi(), resampling=Resampling(resamples=300)),
    ):
        for entry in result["metrics"].values():
            assert entry["low"] < entry["value"] < entry["high"]


def test_groups_replace_wilsons_interval_where_it_would_promise_too_much():
    actual, scores = single()
    groups = [f"song {index // 12}" for index in range(120)]
    result = single_label_metrics(actual, scores, resampling=Resampling(groups=groups, resamples=60))
    assert {entry["interval"] for entry in result["metrics"].values()} == {"bootstrap over groups"}
    assert {entry["recall_low"] for entry in result["per_label"]} == {None}


def test_a_certain_mistake_has_an_infinite_log_loss_which_json_cannot_hold():
    result = single_label_metrics([1, 0], [[1.0, 0.0], [1.0, 0.0]], resampling=QUICK)
    assert result["metrics"]["log_loss"]["value"] is None
    json.dumps(result, allow_nan=False)


def test_three_labels_have_no_top_3_accuracy_and_shares_no_log_loss():
    names = single_label_metrics([0], [[1.0, 0.0, 0.0]], calibrated=False)["metrics"]
    assert set(names) == {"accuracy", "balanced_accuracy", "macro_f1"}


def test_the_baseline_always_answers_the_commonest_label():
    result = single_label_metrics([2, 2, 0], np.eye(3))
    assert result["baseline"] == {"label_index": 2, "accuracy": pytest.approx(2 / 3)}


def test_multi_label_figures_agree_with_scikit_learn():
    targets, scores = multi()
    result = multi_label_metrics(targets, scores, resampling=QUICK)
    predicted = scores >= 0.5
    expected = {
        "macro_roc_auc": truth.roc_auc_score(targets, scores, average="macro"),
        "micro_roc_auc": truth.roc_auc_score(targets, scores, average="micro"),
        "macro_average_precision": truth.average_precision_score(targets, scores, average="macro"),
        "micro_average_precision": truth.average_precision_score(targets, scores, average="micro"),
        "macro_f1": truth.f1_score(targets, predicted, average="macro"),
        "micro_f1": truth.f1_score(targets, predicted, average="micro"),
    }
    assert {name: value(result, name) for name in expected} == pytest.approx(expected, abs=TOLERANCE)
    columns = truth.precision_recall_fscore_support(targets, predicted)
    for name, column in zip(["precision", "recall", "f1", "support"], columns, strict=True):
        assert [entry[name] for entry in result["per_label"]] == pytest.approx(column.tolist(), abs=TOLERANCE)


def test_labels_without_both_positives_and_negatives_are_skipped_and_counted():
    targets, scores = multi(labels=3)
    wide = np.column_stack([targets, np.zeros(80), np.ones(80)])
    result = multi_label_metrics(wide, np.column_stack([scores, scores[:, :2]]), resampling=QUICK)
    for name, reference in (
        ("macro_roc_auc", truth.roc_auc_score),
        ("macro_average_precision", truth.average_precision_score),
    ):
        entry = result["metrics"][name]
        assert entry["value"] == pytest.approx(reference(targets, scores, average="macro"), abs=TOLERANCE)
        assert (entry["labels"], entry["skipped"]) == (3, 2)
    assert result["per_label"][3]["roc_auc"] is None
    assert result["per_label"][4]["average_precision"] is None


def test_the_interval_of_macro_roc_auc_is_that_of_scikit_learn_on_the_same_draws():
    targets, scores = multi(clips=60, labels=2)
    entry = multi_label_metrics(targets, scores, resampling=QUICK)["metrics"]["macro_roc_auc"]
    rng = np.random.default_rng(0)
    figures = []
    for _ in range(60):
        drawn = rng.integers(0, 60, 60)
        figures.append(truth.roc_auc_score(targets[drawn], scores[drawn], average="macro"))
    assert [entry["low"], entry["high"]] == pytest.approx(np.quantile(figures, [0.025, 0.975]).tolist(), abs=TOLERANCE)


def test_each_label_has_its_own_threshold_which_a_score_may_equal():
    result = multi_label_metrics([[1, 1], [0, 1]], [[0.5, 0.5], [0.4, 0.9]], thresholds=[0.4, 0.9], resampling=QUICK)
    assert [entry["predicted"] for entry in result["per_label"]] == [2, 1]
    assert [entry["threshold"] for entry in result["per_label"]] == [0.4, 0.9]


def test_one_label_is_a_matrix_of_one_column_not_two_classes():
    result = multi_label_metrics([[1], [0], [1]], [[0.9], [0.2], [0.4]], resampling=QUICK)
    assert len(result["per_label"]) == 1
    assert result["per_label"][0]["recall"] == 0.5


def test_nothing_defined_is_none_not_nan():
    result = multi_label_metrics(np.zeros((3, 2)), np.zeros((3, 2)), resampling=QUICK)
    assert {entry["value"] for entry in result["metrics"].values()} == {None}
    json.dumps(result, allow_nan=False)


@pytest.mark.parametrize("measure", [single_label_metrics, multi_label_metrics])
def test_scores_of_a_diverged_model_are_refused(measure):
    with pytest.raises(KeraudioError, match="1 of 2 clips"):
        measure(np.eye(2), [[0.5, np.nan], [0.5, 0.5]])


@pytest.mark.parametrize("measure", [single_label_metrics, multi_label_metrics])
def test_no_clips_are_refused(measure):
    with pytest.raises(ValueError, match="at least one"):
        measure(np.zeros((0, 2)), np.zeros((0, 2)))


@pytest.mark.parametrize("targets", [[0], [0, 2], [0, -1], [0.0, 1.0], [[1, 1], [0, 1]], [[0, 0], [0, 1]]])
def test_targets_that_are_not_one_label_a_clip_are_refused(targets):
    with pytest.raises(ValueError, match="targets"):
        single_label_metrics(targets, [[0.5, 0.5], [0.5, 0.5]])


@pytest.mark.parametrize("targets", [[0, 1], [[0.5, 1], [0, 1]], [[0, 1]]])
def test_targets_other_than_0_and_1_are_refused(targets):
    with pytest.raises(ValueError, match="targets"):
        multi_label_metrics(targets, [[0.5, 0.5], [0.5, 0.5]])


@pytest.mark.parametrize("thresholds", [np.nan, [0.5], [0.5, 0.5, 0.5]])
def test_thresholds_that_fit_no_label_are_refused(thresholds):
    with pytest.raises(ValueError, match="thresholds"):
        multi_label_metrics([[0, 1], [1, 0]], [[0.5, 0.5], [0.5, 0.5]], thresholds=thresholds)
