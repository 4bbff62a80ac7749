from pathlib import Path
from typing import Any

import pytest

from keraudio.datasets import Clip, Manifest, load_audio_folder, load_manifest, without_labels
from keraudio.errors import DatasetError


def test_every_file_below_a_folder_is_a_clip(tmp_path: Path, write_tone: Any) -> None:
    for name in ("1.wav", "band/2.flac", "band/live/3.wav"):
        write_tone(tmp_path / name)
    (tmp_path / "notes.txt").touch()
    manifest = load_manifest(f"audio:{tmp_path}")
    assert [clip.id for clip in manifest] == ["1.wav", "band/2.flac", "band/live/3.wav"]
    assert manifest.labels == ("sound",) and {clip.labels for clip in manifest} == {("sound",)}


def test_what_holds_no_audio_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="a folder with audio is needed. Received: none below it"):
        load_audio_folder(tmp_path)
    (tmp_path / "file.wav").touch()
    with pytest.raises(DatasetError, match="a folder is needed"):
        load_audio_folder(tmp_path / "file.wav")


def test_labels_are_taken_off_and_the_rest_stays() -> None:
    clips = (Clip(Path("a.wav"), ("dog", "cat"), "a", "train", 1, "g"), Clip(Path("b.wav"), (), "b", "test", 2))
    bare = without_labels(Manifest("pets", clips, ("cat", "dog"), True))
    assert bare.labels == ("sound",) and not bare.multi_label
    assert [(c.id, c.split, c.fold, c.group) for c in bare] == [("a", "train", 1, "g"), ("b", "test", 2, None)]
    more = without_labels(bare, prefix="2/", split="train")
    assert [(c.id, c.split, c.group) for c in more] == [("2/a", "train", "2/g"), ("2/b", "train", None)]
