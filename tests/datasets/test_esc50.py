import logging
from pathlib import Path

import pytest

from keraudio.datasets import assign_splits, load_esc50
from keraudio.errors import DatasetError

HEADER = "filename,fold,target,category,esc10,src_file,take"
# The real names of real clips: recording 131943 is in two of the published folds, under two labels.
CLIPS = [
    ("1-100032-A-0", 1, 0, "dog", True),
    ("1-100210-A-36", 1, 36, "vacuum_cleaner", False),
    ("2-131943-A-38", 2, 38, "clock_tick", True),
    ("3-131943-A-37", 3, 37, "clock_alarm", False),
    ("3-134049-A-1", 3, 1, "rooster", True),
]


def write_esc50(root: Path, *, table: str = "esc50.csv", named: str = "wav", kept: str = "wav") -> Path:
    rows = [HEADER]
    (root / "audio").mkdir(parents=True)
    for stem, fold, target, category, esc10 in CLIPS:
        _, source, take, _ = stem.split("-")
        rows.append(f"{stem}.{named},{fold},{target},{category},{esc10},{source},{take}")
        (root / "audio" / f"{stem}.{kept}").touch()
    (root / table).parent.mkdir(exist_ok=True)
    (root / table).write_text("\n".join(rows) + "\n")
    return root


@pytest.mark.parametrize(
    ("table", "named", "kept"),
    [("meta/esc50.csv", "wav", "wav"), ("esc50.csv", "ogg", "ogg"), ("meta/esc50.csv", "wav", "ogg")],
)
def test_the_release_and_copies_in_other_formats_are_read(tmp_path: Path, table: str, named: str, kept: str) -> None:
    manifest = load_esc50(write_esc50(tmp_path / "e", table=table, named=named, kept=kept))
    assert [clip.id for clip in manifest] == [stem for stem, *_ in CLIPS]
    assert {clip.path.suffix for clip in manifest} == {f".{kept}"}
    assert [clip.fold for clip in manifest] == [1, 1, 2, 3, 3]
    assert [clip.group for clip in manifest] == ["100032", "100210", "131943", "131943", "134049"]
    assert not manifest.multi_label


def test_labels_stand_in_the_order_of_the_targets(tmp_path: Path) -> None:
    labels = load_esc50(write_esc50(tmp_path / "e")).labels
    assert labels == ("dog", "rooster", "vacuum_cleaner", "clock_alarm", "clock_tick")


def test_esc10_keeps_its_clips_and_labels_only(tmp_path: Path) -> None:
    manifest = load_esc50(write_esc50(tmp_path / "e"), subset="esc10")
    assert manifest.labels == ("dog", "rooster", "clock_tick")
    assert len(manifest) == 3
    assert manifest.name == "esc10"


def test_a_recording_that_the_folds_divide_is_never_trained_and_tested_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manifest = load_esc50(write_esc50(tmp_path / "e"))
    with caplog.at_level(logging.WARNING):
        result = assign_splits(manifest, method="folds", train_folds=[1, 2], test_folds=[3])
    assert {clip.id: clip.split for clip in result}["2-131943-A-38"] is None
    assert len(result.split("test")) == 2
    assert "131943" in caplog.text


def test_an_unknown_subset_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"'esc-10'.*'esc10'"):
        load_esc50(write_esc50(tmp_path / "e"), subset="esc-10")


def test_a_folder_without_the_table_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"esc50\.csv or meta/esc50\.csv"):
        load_esc50(tmp_path)


def test_a_missing_file_is_named_with_its_line(tmp_path: Path) -> None:
    root = write_esc50(tmp_path / "e")
    (root / "audio" / "1-100210-A-36.wav").unlink()
    with pytest.raises(DatasetError, match=r"line 3: .*'1-100210-A-36\.wav'"):
        load_esc50(root)


def test_a_target_with_two_categories_is_an_error(tmp_path: Path) -> None:
    root = write_esc50(tmp_path / "e")
    (root / "esc50.csv").write_text((root / "esc50.csv").read_text().replace(",1,rooster", ",0,rooster"))
    with pytest.raises(DatasetError, match="line 6: a target must have one category"):
        load_esc50(root)
