import logging
from pathlib import Path
from typing import Any

import pytest

from keraudio.datasets import load_folder
from keraudio.errors import DatasetError


def test_sub_folders_are_labels_and_ids_are_relative_paths(tmp_path: Path, write_tone: Any) -> None:
    for name in ("rock/band/2.wav", "rock/1.wav", "jazz/3.flac"):
        write_tone(tmp_path / name)
    manifest = load_folder(tmp_path)
    assert manifest.labels == ("jazz", "rock")
    assert {clip.id: clip.labels for clip in manifest} == {
        "jazz/3.flac": ("jazz",),
        "rock/1.wav": ("rock",),
        "rock/band/2.wav": ("rock",),
    }
    assert manifest.name == tmp_path.name


def test_what_is_no_audio_or_hidden_is_passed_over(tmp_path: Path, write_tone: Any) -> None:
    for name in ("a/1.wav", "b/1.wav", ".hidden/1.wav"):
        write_tone(tmp_path / name)
    (tmp_path / "a" / "notes.txt").touch()
    (tmp_path / "a" / ".1.wav").touch()
    assert [clip.id for clip in load_folder(tmp_path)] == ["a/1.wav", "b/1.wav"]


def test_files_outside_label_folders_are_ignored_with_a_count(
    tmp_path: Path, write_tone: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a/1.wav", "b/1.wav", "loose1.wav", "loose2.wav"):
        write_tone(tmp_path / name)
    with caplog.at_level(logging.WARNING):
        assert len(load_folder(tmp_path)) == 2
    assert "2 audio files ignored" in caplog.text


def test_a_folder_without_audio_is_no_label(tmp_path: Path, write_tone: Any, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("a/1.wav", "b/1.wav"):
        write_tone(tmp_path / name)
    (tmp_path / "artwork").mkdir()
    with caplog.at_level(logging.WARNING):
        assert load_folder(tmp_path).labels == ("a", "b")
    assert "'artwork'" in caplog.text


def test_links_to_folders_are_not_followed(tmp_path: Path, write_tone: Any) -> None:
    for name in ("root/a/1.wav", "root/b/1.wav", "elsewhere/1.wav"):
        write_tone(tmp_path / name)
    (tmp_path / "root" / "link").symlink_to(tmp_path / "elsewhere")
    assert load_folder(tmp_path / "root").labels == ("a", "b")


def test_fewer_than_two_labels_are_refused(tmp_path: Path, write_tone: Any) -> None:
    write_tone(tmp_path / "a/1.wav")
    write_tone(tmp_path / "loose.wav")
    with pytest.raises(DatasetError, match=r"Received: 1 \(a\), 1 audio files in no sub-folder"):
        load_folder(tmp_path)


def test_a_file_is_no_folder_of_folders(tmp_path: Path, write_tone: Any) -> None:
    with pytest.raises(DatasetError, match="a folder of folders is needed"):
        load_folder(write_tone(tmp_path / "a.wav"))
