import logging
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from keraudio.datasets import GENRES, gtzan_filtered_ids, load_gtzan
from keraudio.errors import DatasetError


def write_gtzan(root: Path, *, per_genre: int = 100, suffix: str = "wav") -> Path:
    """All names of GTZAN with empty files: only jazz.00054 is ever opened by the loader."""
    for genre in GENRES:
        (root / genre).mkdir(parents=True)
        for number in range(per_genre):
            (root / genre / f"{genre}.{number:05d}.{suffix}").touch()
    return root


def test_the_lists_hold_the_published_counts_without_overlap() -> None:
    ids = {split: gtzan_filtered_ids(split) for split in ("train", "valid", "test")}
    assert {split: len(names) for split, names in ids.items()} == {"train": 443, "valid": 197, "test": 290}
    assert len(set().union(*ids.values())) == 930
    assert ids["train"][0] == "blues.00029"
    assert "jazz.00054" in ids["train"]


def test_the_lists_name_ten_genres_with_41_to_48_training_clips_each() -> None:
    counts = Counter(name.partition(".")[0] for name in gtzan_filtered_ids("train"))
    assert tuple(sorted(counts)) == GENRES
    assert (min(counts.values()), max(counts.values())) == (41, 48)


def test_an_unknown_list_is_refused() -> None:
    with pytest.raises(DatasetError, match="'eval'"):
        gtzan_filtered_ids("eval")


@pytest.mark.parametrize(("layout", "suffix"), [("genres_original", "wav"), ("genres", "au"), (".", "mp3")])
def test_the_filtered_split_is_found_in_every_layout(tmp_path: Path, write_tone: Any, layout: str, suffix: str) -> None:
    root = write_gtzan(tmp_path / "gtzan" / layout, suffix=suffix)
    write_tone(root / "jazz" / "jazz.00054.wav").rename(root / "jazz" / f"jazz.00054.{suffix}")
    manifest = load_gtzan(tmp_path / "gtzan")
    assert Counter(clip.split for clip in manifest) == {"train": 443, "valid": 197, "test": 290}
    assert manifest.labels == GENRES
    assert {clip.path.suffix for clip in manifest} == {f".{suffix}"}


def test_the_corrupt_clip_is_left_out_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        manifest = load_gtzan(write_gtzan(tmp_path))
    assert Counter(clip.split for clip in manifest) == {"train": 442, "valid": 197, "test": 290}
    assert "jazz.00054 is left out" in caplog.text


def test_missing_listed_files_are_counted_in_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = write_gtzan(tmp_path)
    (root / "blues" / "blues.00012.wav").unlink()
    (root / "rock" / "rock.00089.wav").unlink()
    with caplog.at_level(logging.WARNING):
        manifest = load_gtzan(root)
    assert len(manifest.split("test")) == 288
    assert "2 of 930 listed files are missing: blues.00012, rock.00089" in caplog.text


def test_the_stratified_split_is_70_10_20_of_each_genre(tmp_path: Path) -> None:
    root = write_gtzan(tmp_path, per_genre=20)
    counts = Counter((clip.labels[0], clip.split) for clip in load_gtzan(root, split="stratified"))
    assert counts == {
        (genre, split): n for genre in GENRES for split, n in {"train": 14, "valid": 2, "test": 4}.items()
    }


def test_the_test_part_does_not_depend_on_the_valid_part(tmp_path: Path) -> None:
    root = write_gtzan(tmp_path, per_genre=10)
    tests = [
        {clip.id for clip in load_gtzan(root, split="stratified", valid_fraction=fraction).split("test")}
        for fraction in (0.0, 0.1, 0.3)
    ]
    assert tests[0] == tests[1] == tests[2]
    assert {clip.split for clip in load_gtzan(root, split="stratified", valid_fraction=0.0)} == {"train", "test"}


def test_another_seed_draws_another_test_part(tmp_path: Path) -> None:
    root = write_gtzan(tmp_path, per_genre=10)
    first, second = (load_gtzan(root, split="stratified", seed=seed).split("test") for seed in (0, 1))
    assert first != second


def test_kfold_deals_each_genre_out_evenly(tmp_path: Path) -> None:
    manifest = load_gtzan(write_gtzan(tmp_path, per_genre=20), split="kfold", folds=10)
    counts = Counter((clip.labels[0], clip.fold) for clip in manifest)
    assert counts == {(genre, fold): 2 for genre in GENRES for fold in range(1, 11)}


def test_odd_names_are_ignored_with_a_count(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = write_gtzan(tmp_path, per_genre=3)
    for name in ("blues/rock.00001.wav", "blues/copy of blues.00001.wav", "blues/._blues.00001.wav", "blues/a.txt"):
        (root / name).touch()
    with caplog.at_level(logging.WARNING):
        assert len(load_gtzan(root, split="kfold", folds=3)) == 30
    assert "2 audio files ignored" in caplog.text


def test_the_same_clip_in_two_formats_is_refused(tmp_path: Path) -> None:
    root = write_gtzan(tmp_path, per_genre=2)
    (root / "pop" / "pop.00001.mp3").touch()
    with pytest.raises(DatasetError, match=r"pop\.00001"):
        load_gtzan(root)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"split": "fitlered"}, "'filtered'"), ({"split": "stratified", "valid_fraction": 0.8}, "valid_fraction")],
)
def test_wrong_options_are_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        load_gtzan(write_gtzan(tmp_path, per_genre=1), **options)


def test_a_folder_without_genres_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="folders named by genre"):
        load_gtzan(tmp_path)


def test_genre_folders_without_clips_are_refused(tmp_path: Path) -> None:
    (tmp_path / "blues").mkdir()
    with pytest.raises(DatasetError, match=r"blues/blues\.00000\.wav"):
        load_gtzan(tmp_path)
