import json

import numpy as np
import pytest

from keraudio.errors import KeraudioError
from keraudio.evaluation.label_text import display_width
from keraudio.evaluation.report import evaluate_scores, format_report

LABELS = ["blues", "jazz", "rock", "pop"]


def scored(labels=4, clips=40):
    rng = np.random.default_rng(3)
    actual = rng.integers(0, labels, clips)
    scores = rng.random((clips, labels))
    scores[np.arange(clips), actual] += 0.4
    return actual, scores / scores.sum(axis=1, keepdims=True)


def single_report(**options):
    options = {"multi_label": False, "vote": "mean", "resamples": 30} | options
    return evaluate_scores(*scored(), LABELS, **options)


def multi_report(**options):
    actual, scores = scored()
    options = {"multi_label": True, "vote": "mean", "resamples": 30} | options
    return evaluate_scores(np.eye(4)[actual], scores, LABELS, **options)


@pytest.mark.parametrize("make", [single_report, multi_report])
def test_a_report_survives_strict_json_and_names_its_schema(make):
    report = make(clip_ids=[f"clip {index}" for index in range(40)])
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert (report["schema"], report["n"], report["vote"]) == (1, 40, "mean")
    assert report["labels"] == [entry["label"] for entry in report["per_label"]] == LABELS


@pytest.mark.parametrize("make", [single_report, multi_report])
def test_every_figure_has_its_n_and_interval(make):
    for entry in make()["metrics"].values():
        assert entry["n"] == 40
        assert entry["low"] <= entry["value"] <= entry["high"]
        assert entry["interval"] in ("wilson", "bootstrap")


def test_clips_are_listed_with_what_they_were_given():
    report = evaluate_scores(
        [1, 0], [[0.25, 0.75], [0.5, 0.5]], ["a", "b"], multi_label=False, vote="mean", clip_ids=["x", "y"]
    )
    assert report["clips"] == [
        {"id": "x", "actual": "b", "predicted": "b", "score": 0.75},
        {"id": "y", "actual": "a", "predicted": "a", "score": 0.5},
    ]


def test_clips_of_several_labels_are_listed_by_their_thresholds():
    report = evaluate_scores(
        [[1, 1], [0, 0]],
        [[0.25, 0.75], [0.5, 0.1]],
        ["a", "b"],
        multi_label=True,
        vote="max",
        clip_ids=["x", "y"],
        thresholds=[0.5, 0.7],
    )
    assert report["clips"] == [
        {"id": "x", "actual": ["a", "b"], "predicted": ["b"]},
        {"id": "y", "actual": [], "predicted": ["a"]},
    ]


def test_only_the_mean_of_windows_has_a_log_loss():
    assert "log_loss" in single_report()["metrics"]
    assert "log_loss" not in single_report(vote="majority")["metrics"]
    assert "log_loss" not in single_report(vote="max")["metrics"]


def test_groups_are_counted_and_widen_the_methods():
    report = single_report(groups=[None if index < 4 else f"song {index // 4}" for index in range(40)])
    assert report["groups"] == 13
    assert report["metrics"]["accuracy"]["interval"] == "bootstrap over groups"
    assert "40 clips in 13 groups, 4 labels" in format_report(report)


def test_without_resamples_only_shares_have_an_interval():
    metrics = single_report(resamples=0)["metrics"]
    assert metrics["accuracy"]["low"] is not None
    assert metrics["macro_f1"]["low"] is None
    assert metrics["macro_f1"]["interval"] is None


def test_one_clip_is_a_report_too():
    report = evaluate_scores([0], [[0.9, 0.1]], ["a", "b"], multi_label=False, vote="mean")
    assert report["metrics"]["macro_f1"]["low"] is None
    assert "1 clip, 2 labels" in format_report(report)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vote": "median"}, "vote='median'"),
        ({"clip_ids": ["same"] * 40}, "clip_ids"),
        ({"clip_ids": ["one"]}, "clip_ids"),
        ({"groups": ["one"]}, "groups"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        single_report(**change)


@pytest.mark.parametrize("labels", [["a", "b", "c"], ["a", "b", "c", "a"]])
def test_labels_that_do_not_name_each_column_once_are_refused(labels):
    with pytest.raises(ValueError, match="labels"):
        evaluate_scores(*scored(), labels, multi_label=False, vote="mean")


def test_the_text_of_a_small_report_word_for_word():
    report = evaluate_scores(
        [0, 0, 1, 1],
        [[0.75, 0.25], [0.25, 0.75], [0.25, 0.75], [0.25, 0.75]],
        ["speech", "music"],
        multi_label=False,
        vote="majority",
        resamples=0,
    )
    assert format_report(report) == (
        "4 clips, 2 labels (single-label), vote of windows: majority\n"
        "\n"
        "figure             value    95% interval  n  interval by\n"
        "-----------------  -----  --------------  -  -------------\n"
        "accuracy           0.750  0.301 .. 0.954  4  wilson\n"
        "balanced accuracy  0.750               -  4  -\n"
        "macro F1           0.733               -  4  -\n"
        "baseline accuracy  0.500               -  4  always speech\n"
        "\n"
        "label   n  predicted  precision  recall  recall interval     F1\n"
        "------  -  ---------  ---------  ------  ---------------  -----\n"
        "speech  2          1      1.000   0.500     0.09 .. 0.91  0.667\n"
        "music   2          3      0.667   1.000     0.34 .. 1.00  0.800\n"
        "\n"
        "most confused: actual  taken for  clips\n"
        "---------------------  ---------  ------\n"
        "speech                 music      1 of 2\n"
        "\n"
        "actual \\ predicted  (1)  (2)\n"
        "------------------  ---  ---\n"
        "(1) speech            1    1\n"
        "(2) music             .    2\n"
    )


@pytest.mark.parametrize("labels", [2, 10, 50])
@pytest.mark.parametrize("multi_label", [False, True])
def test_the_text_keeps_to_100_columns_with_long_hostile_and_wide_names(labels, multi_label):
    names = [f"{'世界の音楽' * 9} \x1b[2J $x$ \n no. {index}" for index in range(labels)]
    actual, scores = scored(labels, 200_000 // labels)
    targets = np.eye(labels)[actual] if multi_label else actual
    report = evaluate_scores(targets, scores, names, multi_label=multi_label, vote="mean", resamples=0)
    text = format_report(report)
    assert max(map(display_width, text.splitlines())) <= 100
    assert "\x1b" not in text
    assert text.count("no. 1") >= 1


def test_text_is_the_same_from_the_report_and_from_its_json():
    report = multi_report()
    assert format_report(json.loads(json.dumps(report))) == format_report(report)
    assert "macro ROC-AUC" in format_report(report)


def test_a_report_of_another_schema_is_refused():
    with pytest.raises(KeraudioError, match="schema=2"):
        format_report(single_report() | {"schema": 2})
