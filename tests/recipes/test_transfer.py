from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tones import LABELS, tone_classifier, tone_clips

from keraudio import KeraudioError
from keraudio.datasets import Clip, Manifest
from keraudio.errors import DatasetError
from keraudio.recipes import format_table, rotations, transfer
from keraudio.training import build_extractor, clip_features


def manifest(**fields) -> Manifest:
    clips = tuple(
        Clip(Path(f"{n}.wav"), (LABELS[n % 2],), str(n), **{name: values[n] for name, values in fields.items()})
        for n in range(20)
    )
    return Manifest("tones", clips, LABELS, False)


def test_a_data_sets_own_splits_are_kept() -> None:
    given = manifest(split=["train"] * 12 + ["valid"] * 4 + ["test"] * 4)
    assert rotations(given) == [given]


def test_each_fold_is_tested_once_and_the_next_one_chosen_on() -> None:
    turns = rotations(manifest(fold=[n // 2 % 5 + 1 for n in range(20)]))
    tested = [{clip.fold for clip in turn.clips if clip.split == "test"} for turn in turns]
    chosen = [{clip.fold for clip in turn.clips if clip.split == "valid"} for turn in turns]
    assert tested == [{1}, {2}, {3}, {4}, {5}] and chosen == [{2}, {3}, {4}, {5}, {1}]
    assert all(sum(clip.split == "train" for clip in turn.clips) == 12 for turn in turns)


def test_else_clips_are_split_at_random_the_same_for_a_seed() -> None:
    first, again, other = (rotations(manifest(), seed=seed)[0] for seed in (1, 1, 2))
    assert first == again != other
    assert {clip.split for clip in first.clips} == {"train", "valid", "test"}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory):
    """Tones with all three splits, an extractor of two levels, and their features."""
    clips = tone_clips(tmp_path_factory.mktemp("tones"))
    whole = clips.manifest.replace(
        replace(clip, split="test" if n % 8 in (2, 3) else clip.split) for n, clip in enumerate(clips.manifest.clips)
    )
    source = tone_classifier()
    source.name = "net"
    extractor = build_extractor([source], ["mel", "-1"], samples=3000)
    return whole, extractor, clip_features(extractor, clips)


def test_every_row_is_measured_with_every_classifier(prepared) -> None:
    whole, extractor, features = prepared
    told = []
    result = transfer(
        extractor, features, rotations(whole), classifiers=("svm", "logistic"), name="tones", report=told.append
    )
    assert [(row["classifier"], row["features"], row["columns"], row["n"]) for row in result.rows] == [
        (kind, *row, 4) for kind in ("svm", "logistic") for row in (("net mel", 16), ("net -1", 8), ("net mel, -1", 24))
    ]
    assert told == result.rows
    # Two noisy tones are told apart by their mel bands, after eight clips.
    assert result.rows[3]["accuracy"]["value"] >= 0.75
    assert result.model is not None and result.model.description.labels == LABELS
    assert result.model_splits == {"train": 8, "valid": 4, "test": 4}
    table = format_table(result.rows).splitlines()
    assert table[0] == "| features | number | classifier | n | accuracy | macro F1 |"
    assert table[2].startswith("| net mel | 16 | svm | 4 | ")


def test_of_an_svm_alone_no_model_is_made(prepared) -> None:
    whole, extractor, features = prepared
    assert transfer(extractor, features, rotations(whole), classifiers=("svm",)).model is None


def test_clips_with_several_labels_are_ranked(prepared) -> None:
    whole, extractor, features = prepared
    several = Manifest("tones", whole.clips, whole.labels, True)
    rows = transfer(extractor, features, rotations(several)).rows
    assert rows[0]["macro_roc_auc"]["value"] == 1.0
    assert "macro ROC-AUC" in format_table(rows)
    with pytest.raises(KeraudioError, match="An svm needs clips with one label each"):
        transfer(extractor, features, rotations(several), classifiers=("svm",))


def test_a_missing_split_is_named(prepared) -> None:
    whole, extractor, features = prepared
    without = whole.replace(
        replace(clip, split="train" if clip.split == "valid" else clip.split) for clip in whole.clips
    )
    with pytest.raises(DatasetError, match="valid"):
        transfer(extractor, features, rotations(without))


def test_an_unknown_classifier_is_named_before_anything_is_trained(prepared) -> None:
    whole, extractor, features = prepared
    with pytest.raises(KeraudioError, match="must be one of logistic, svm, mlp. Received: 'tree'"):
        transfer(extractor, np.full_like(features, np.nan), rotations(whole), classifiers=("tree",))
