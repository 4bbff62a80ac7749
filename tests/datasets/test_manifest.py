from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from sklearn.preprocessing import LabelBinarizer, MultiLabelBinarizer

from keraudio.datasets import Clip, Manifest
from keraudio.errors import DatasetError

A = Clip(Path("a.wav"), ("dog",), "a")
B = Clip(Path("b.wav"), ("cat",), "b")


def pets(*clips: Clip, multi_label: bool = False, labels: tuple[str, ...] = ("cat", "dog", "hen")) -> Manifest:
    return Manifest("pets", clips, labels, multi_label)


def test_length_and_iteration_follow_the_clips() -> None:
    manifest = pets(A, B)
    assert len(manifest) == 2
    assert list(manifest) == [A, B]


def test_a_manifest_cannot_be_changed() -> None:
    manifest = pets(A)
    with pytest.raises(FrozenInstanceError):
        manifest.name = "other"  # type: ignore[misc]


def test_a_list_of_clips_is_copied() -> None:
    clips: Any = [A]
    manifest = Manifest("pets", clips, ("dog",), False)
    clips.append(B)
    assert manifest.clips == (A,)


def test_single_label_targets_agree_with_sklearn() -> None:
    manifest = pets(A, B, Clip(Path("c"), ("hen",), "c"))
    expected = LabelBinarizer().fit(manifest.labels).transform(["dog", "cat", "hen"])
    assert manifest.targets().dtype == np.float32
    np.testing.assert_array_equal(manifest.targets(), expected)


def test_multi_label_targets_agree_with_sklearn_in_vocabulary_order() -> None:
    labels = ("hen", "cat", "dog")
    sets = [("dog", "hen"), (), ("cat",)]
    clips = [Clip(Path(str(i)), names, str(i)) for i, names in enumerate(sets)]
    expected = MultiLabelBinarizer(classes=list(labels)).fit_transform(sets)
    np.testing.assert_array_equal(pets(*clips, multi_label=True, labels=labels).targets(), expected)


def test_a_split_keeps_the_vocabulary_and_the_order() -> None:
    clips = [replace(A, split="test"), replace(B, split="train"), Clip(Path("c"), ("cat",), "c", split="test")]
    part = pets(*clips).split("test")
    assert [clip.id for clip in part] == ["a", "c"]
    assert part.labels == ("cat", "dog", "hen")


def test_an_empty_split_is_an_error_that_counts_the_others() -> None:
    with pytest.raises(DatasetError, match=r"'valid'.*must not be empty.*none: 1, train: 1"):
        pets(replace(A, split="train"), B).split("valid")


def test_an_unknown_split_names_the_nearest() -> None:
    with pytest.raises(DatasetError, match=r"'tran'.*'train'"):
        pets(A).split("tran")


def test_without_leaves_the_named_clips_out() -> None:
    assert pets(A, B).without(["a"]).clips == (B,)


def test_without_takes_a_single_id_as_one_id() -> None:
    clips = (replace(A, id="ab"), B)
    assert pets(*clips).without("ab").clips == (B,)


def test_without_an_unknown_id_is_an_error() -> None:
    with pytest.raises(DatasetError, match="'z'"):
        pets(A, B).without(["z"])


def test_replace_checks_anew() -> None:
    with pytest.raises(DatasetError, match="unique"):
        pets(A, B).replace([A, A])


@pytest.mark.parametrize(
    ("clips", "labels", "multi_label", "message"),
    [
        ((), ("dog",), False, "at least one clip"),
        ((A,), (), False, "at least one label"),
        ((A,), ("dog", "dog"), False, "'dog' 2 times"),
        ((A,), ("dog", " "), False, "blank"),
        ((A, replace(B, id="a")), ("cat", "dog"), False, "unique.*'a' for a.wav and for b.wav"),
        ((replace(A, id=""),), ("dog",), False, "id must not be empty"),
        ((replace(A, labels=("dgo",)),), ("cat", "dog"), False, "'dgo' for clip 'a'.*'dog'"),
        ((Clip(A.path, cast(Any, "dog"), "a"),), ("cat", "dog"), False, "must be a tuple"),
        ((replace(A, labels=()),), ("dog",), False, "exactly one label"),
        ((replace(A, labels=("cat", "dog")),), ("cat", "dog"), False, "exactly one label"),
        ((replace(A, labels=("dog", "dog")),), ("dog",), True, "carry a label once"),
        ((replace(A, split="eval"),), ("dog",), False, "'eval' for clip 'a'"),
    ],
)
def test_inconsistent_manifests_are_refused(clips: Any, labels: Any, multi_label: bool, message: str) -> None:
    with pytest.raises(DatasetError, match=message) as caught:
        Manifest("pets", clips, labels, multi_label)
    assert "\n" not in str(caught.value)


def test_a_group_in_two_splits_is_refused_by_name() -> None:
    clips = (replace(A, split="train", group="album"), replace(B, split="test", group="album"))
    with pytest.raises(DatasetError, match=r"'album' in 'train' \(clip 'a'\) and in 'test' \(clip 'b'\)"):
        pets(*clips)


def test_a_group_partly_without_split_is_allowed() -> None:
    clips = (replace(A, split="train", group="album"), replace(B, group="album"))
    assert len(pets(*clips)) == 2
