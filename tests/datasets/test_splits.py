import logging
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedKFold

from keraudio.datasets import Clip, Manifest, assign_splits, kfold
from keraudio.errors import DatasetError

Row = tuple[str, str | None, int | None, str | None]


def splits_of(manifest: Manifest) -> dict[str, str | None]:
    return {clip.id: clip.split for clip in manifest}


def ungrouped(counts: dict[str, int]) -> list[Row]:
    return [(label, None, None, None) for label, count in counts.items() for _ in range(count)]


def test_given_splits_are_kept(make_manifest: Any) -> None:
    manifest = make_manifest([("a", None, None, "train"), ("a", None, None, "test")])
    assert assign_splits(manifest, method="given") == manifest


def test_given_without_splits_is_an_error(make_manifest: Any) -> None:
    with pytest.raises(DatasetError, match="'made', which has none"):
        assign_splits(make_manifest([("a", None, None, None)]), method="given")


def test_an_unknown_method_names_the_nearest(make_manifest: Any) -> None:
    with pytest.raises(DatasetError, match=r"'fold'.*'folds'"):
        assign_splits(make_manifest([("a", None, None, None)]), method="fold")


def test_folds_become_splits_and_other_folds_none(make_manifest: Any) -> None:
    manifest = make_manifest([("a", None, fold, None) for fold in (1, 2, 3, 4)])
    result = assign_splits(manifest, method="folds", train_folds=[1], valid_folds=[2], test_folds=[4])
    assert [clip.split for clip in result] == ["train", "valid", None, "test"]


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        ({"train_folds": [1]}, "must name folds"),
        ({"test_folds": [1]}, "must name folds"),
        ({"train_folds": [1], "test_folds": [7]}, r"\[1, 2\].*test_folds=\[7\]"),
        ({"train_folds": [1, 2], "test_folds": [2]}, "fold 2 in two"),
    ],
)
def test_wrong_folds_are_refused(make_manifest: Any, folds: dict[str, Any], message: str) -> None:
    manifest = make_manifest([("a", None, 1, None), ("a", None, 2, None)])
    with pytest.raises(DatasetError, match=message):
        assign_splits(manifest, method="folds", **folds)


def test_folds_of_a_manifest_without_folds_are_refused(make_manifest: Any) -> None:
    with pytest.raises(DatasetError, match="which has none"):
        assign_splits(make_manifest([("a", None, None, None)]), method="folds", train_folds=[1], test_folds=[2])


def test_folds_with_another_method_are_refused(make_manifest: Any) -> None:
    with pytest.raises(DatasetError, match="method='random'"):
        assign_splits(make_manifest(ungrouped({"a": 9})), method="random", train_folds=[1])


def test_a_group_that_folds_divide_stays_whole_in_test(make_manifest: Any, caplog: pytest.LogCaptureFixture) -> None:
    rows: list[Row] = [("a", "song", 1, None), ("a", None, 1, None), ("a", "song", 2, None), ("a", "song", 3, None)]
    rows += [("a", None, 2, None)]
    with caplog.at_level(logging.WARNING):
        result = assign_splits(make_manifest(rows), method="folds", train_folds=[1], valid_folds=[2], test_folds=[3])
    assert [clip.split for clip in result] == [None, "train", None, "test", "valid"]
    assert "group song" in caplog.text
    assert "1 of 2 from train, 1 of 2 from valid" in caplog.text


def test_a_group_that_folds_divide_can_be_an_error(make_manifest: Any) -> None:
    manifest = make_manifest([("a", "song", 1, None), ("a", "song", 2, None)])
    with pytest.raises(DatasetError, match="'song'"):
        assign_splits(manifest, method="folds", train_folds=[1], test_folds=[2], divided_groups="error")


def test_withholding_every_clip_of_a_split_is_an_error(make_manifest: Any) -> None:
    manifest = make_manifest([("a", "song", 1, None), ("a", "song", 2, None)])
    with pytest.raises(DatasetError, match=r"'train'.*must not be empty"):
        assign_splits(manifest, method="folds", train_folds=[1], test_folds=[2])


def test_random_splits_of_ungrouped_clips_come_within_one_clip_of_their_share(make_manifest: Any) -> None:
    manifest = make_manifest(ungrouped({"a": 100, "b": 40, "c": 7}))
    counts = Counter((clip.labels[0], clip.split) for clip in assign_splits(manifest, method="random"))
    for label, total in {"a": 100, "b": 40, "c": 7}.items():
        for split, share in {"train": 0.7, "valid": 0.15, "test": 0.15}.items():
            assert abs(counts[label, split] - share * total) <= 1


def test_another_seed_splits_differently_and_the_same_seed_alike(make_manifest: Any) -> None:
    manifest = make_manifest(ungrouped({"a": 50, "b": 50}))
    first = splits_of(assign_splits(manifest, method="random", seed=1))
    assert splits_of(assign_splits(manifest, method="random", seed=1)) == first
    assert splits_of(assign_splits(manifest, method="random", seed=2)) != first


def test_a_fraction_of_zero_leaves_a_split_out(make_manifest: Any) -> None:
    result = assign_splits(make_manifest(ungrouped({"a": 10})), method="random", fractions=(0.8, 0.0, 0.2))
    assert Counter(clip.split for clip in result) == {"train": 8, "test": 2}


@pytest.mark.parametrize(
    "fractions", [(0.7, 0.2, 0.2), (1.0, 0.0, 0.0), (0.0, 0.5, 0.5), (1.2, -0.1, -0.1), (float("nan"), 0.5, 0.5)]
)
def test_fractions_that_are_no_shares_are_refused(make_manifest: Any, fractions: tuple[float, float, float]) -> None:
    with pytest.raises(DatasetError, match="fractions"):
        assign_splits(make_manifest(ungrouped({"a": 10})), method="random", fractions=fractions)


def test_a_label_with_fewer_groups_than_splits_is_refused_by_name(make_manifest: Any) -> None:
    rows: list[Row] = [*ungrouped({"a": 10}), ("rare", "g1", None, None), ("rare", "g2", None, None)]
    with pytest.raises(DatasetError, match=r"at least 3 groups.*'rare' with 2"):
        assign_splits(make_manifest(rows), method="random")


def test_a_label_of_three_clips_is_in_every_split(make_manifest: Any) -> None:
    result = assign_splits(make_manifest(ungrouped({"a": 30, "rare": 3})), method="random")
    assert {clip.split for clip in result if clip.labels == ("rare",)} == {"train", "valid", "test"}


def test_multi_label_clips_of_many_rare_labels_fill_every_split(make_manifest: Any) -> None:
    manifest = make_manifest([((name,), None, None, None) for name in "abc"], multi_label=True)
    assert {clip.split for clip in assign_splits(manifest, method="random")} == {"train", "valid", "test"}


def test_clips_without_labels_can_be_split(make_manifest: Any) -> None:
    manifest = make_manifest([((), None, None, None)] * 6 + [(("a", "b"), None, None, None)] * 6, multi_label=True)
    assert {clip.split for clip in assign_splits(manifest, method="random")} == {"train", "valid", "test"}


@st.composite
def grouped_manifests(draw: st.DrawFn) -> Manifest:
    clips = []
    for label in "abcd"[: draw(st.integers(1, 4))]:
        for group in range(draw(st.integers(3, 7))):
            for number in range(draw(st.integers(1, 4))):
                name = f"{label}{group}{number}"
                clips.append(Clip(Path(name), (label,), name, group=f"{label}{group}"))
    return Manifest("drawn", tuple(clips), tuple(sorted({clip.labels[0] for clip in clips})), False)


@hypothesis_settings(max_examples=40, deadline=None)
@given(manifest=grouped_manifests(), seed=st.integers(0, 99), shuffler=st.randoms(use_true_random=False))
def test_random_splits_keep_groups_whole_hold_every_label_and_ignore_the_order(
    manifest: Manifest, seed: int, shuffler: Any
) -> None:
    result = assign_splits(manifest, method="random", seed=seed)
    splits_of_group = defaultdict(set)
    splits_of_label = defaultdict(set)
    for clip in result:
        splits_of_group[clip.group].add(clip.split)
        splits_of_label[clip.labels[0]].add(clip.split)
    assert all(len(splits) == 1 for splits in splits_of_group.values())
    assert all(splits == {"train", "valid", "test"} for splits in splits_of_label.values())
    shuffled = list(manifest.clips)
    shuffler.shuffle(shuffled)
    again = assign_splits(manifest.replace(shuffled), method="random", seed=seed)
    assert splits_of(again) == splits_of(result)


def test_folds_of_ungrouped_clips_are_as_even_as_sklearns(make_manifest: Any) -> None:
    manifest = make_manifest(ungrouped({"a": 40, "b": 25, "c": 13}))
    labels = [clip.labels[0] for clip in manifest]
    result = kfold(manifest, folds=5, seed=3)
    ours = Counter((clip.fold, clip.labels[0]) for clip in result)
    theirs: Counter[tuple[int, str]] = Counter()
    for fold, (_, test) in enumerate(StratifiedKFold(5).split(labels, labels)):
        theirs.update((fold, labels[index]) for index in test)
    assert {clip.fold for clip in result} == {1, 2, 3, 4, 5}
    for label in "abc":
        assert sorted(n for (_, name), n in ours.items() if name == label) == sorted(
            n for (_, name), n in theirs.items() if name == label
        )


@hypothesis_settings(max_examples=30, deadline=None)
@given(manifest=grouped_manifests(), folds=st.integers(2, 3), seed=st.integers(0, 99))
def test_folds_keep_groups_whole_and_each_holds_every_label(manifest: Manifest, folds: int, seed: int) -> None:
    folds_of_group = defaultdict(set)
    labels_of_fold = defaultdict(set)
    for clip in kfold(manifest, folds=folds, seed=seed):
        folds_of_group[clip.group].add(clip.fold)
        labels_of_fold[clip.fold].add(clip.labels[0])
    assert all(len(numbers) == 1 for numbers in folds_of_group.values())
    assert labels_of_fold == {number: set(manifest.labels) for number in range(1, folds + 1)}


def test_folds_take_given_splits_away(make_manifest: Any) -> None:
    manifest = make_manifest([("a", None, None, "train"), ("a", None, None, "test")])
    assert {clip.split for clip in kfold(manifest, folds=2, seed=0)} == {None}


def test_a_label_with_fewer_groups_than_folds_is_named_in_a_warning(
    make_manifest: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        result = kfold(make_manifest(ungrouped({"a": 10, "rare": 2})), folds=5, seed=0)
    assert "rare" in caplog.text
    assert len({clip.fold for clip in result if clip.labels == ("rare",)}) == 2


def test_rare_labels_spread_over_all_folds(make_manifest: Any) -> None:
    result = kfold(make_manifest(ungrouped({"a": 2, "b": 2, "c": 2})), folds=5, seed=0)
    assert sorted(Counter(clip.fold for clip in result).values()) == [1, 1, 1, 1, 2]


def test_a_label_of_one_group_cannot_be_in_training_and_in_test(make_manifest: Any) -> None:
    rows: list[Row] = [*ungrouped({"a": 10}), ("one", "g", None, None), ("one", "g", None, None)]
    with pytest.raises(DatasetError, match=r"at least 2 groups.*'one' with 1"):
        kfold(make_manifest(rows), folds=3, seed=0)


@pytest.mark.parametrize("folds", [1, 0, 2.5, "5"])
def test_a_number_of_folds_that_is_none_is_refused(make_manifest: Any, folds: Any) -> None:
    with pytest.raises(DatasetError, match="`folds`"):
        kfold(make_manifest(ungrouped({"a": 10})), folds=folds, seed=0)


def test_more_folds_than_groups_are_refused(make_manifest: Any) -> None:
    with pytest.raises(DatasetError, match="4 parts need as many groups"):
        kfold(make_manifest([(("a",), None, None, None)] * 3, multi_label=True), folds=4, seed=0)


def test_a_group_may_bear_the_name_of_a_clip(make_manifest: Any) -> None:
    manifest = make_manifest([*ungrouped({"a": 9}), ("a", "c0", None, None)])
    moved = manifest.replace([replace(clip, group="x") if clip.id == "c0" else clip for clip in manifest])
    assert len(assign_splits(moved, method="random")) == 10
