import os
from pathlib import Path

import numpy as np
import pytest

from keraudio.errors import TagError
from keraudio.tagging import Prediction, playlist_files, write_playlists

LABELS = ("Rock", "R&B", "AC/DC")


def song(path: Path | str, *chosen: str) -> Prediction:
    return Prediction(Path(path), LABELS, np.zeros(3, "float32"), 1, chosen)


def entries(file: Path) -> list[str]:
    return [
        line for line in file.read_bytes().decode(errors="surrogateescape").splitlines() if not line.startswith("#")
    ]


def test_a_song_stands_in_the_list_of_each_of_its_labels(tmp_path: Path) -> None:
    songs = [
        song(tmp_path / "music" / "a" / "one.mp3", "Rock", "R&B"),
        song(tmp_path / "music" / "two.mp3", "Rock"),
        song(tmp_path / "music" / "unsure.mp3"),
        Prediction(tmp_path / "bad.mp3", LABELS, error="is empty"),
    ]
    files = write_playlists(songs, tmp_path / "lists")
    assert [file.name for file in files] == ["R&B.m3u8", "Rock.m3u8"]
    assert entries(files[1]) == ["../music/a/one.mp3", "../music/two.mp3"]
    assert entries(files[0]) == ["../music/a/one.mp3"]
    assert files[0].read_text().startswith("#EXTM3U\n# made by keraudio\n#PLAYLIST:R&B\n#EXTINF:-1,one\n")
    # As a player finds them: from the list's own folder.
    assert all(
        (files[1].parent / entry).resolve().parent.parent in (tmp_path / "music", tmp_path)
        for entry in entries(files[1])
    )
    assert sorted(path.name for path in (tmp_path / "lists").iterdir()) == ["R&B.m3u8", "Rock.m3u8"]


def test_odd_names_are_written_as_the_file_system_has_them(tmp_path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9.mp3")
    files = write_playlists(
        [song(tmp_path / name, "Rock") for name in (odd, "#1.mp3", "é ☃.mp3", "two\nlines.mp3")], tmp_path
    )
    content = files[0].read_bytes()
    assert b"\ncaf\xe9.mp3\n" in content and b"\n./#1.mp3\n" in content and "\né ☃.mp3\n".encode() in content
    assert b"lines.mp3" not in content


def test_labels_become_names_that_every_file_system_takes(tmp_path: Path) -> None:
    files = playlist_files(["AC/DC", "rock", "Rock", "Rock?", "..", "con:\n"], tmp_path)
    assert [file.name for file in files.values()] == [
        "AC_DC.m3u8", "rock.m3u8", "Rock (2).m3u8", "Rock_.m3u8", "_.m3u8", "con__.m3u8",
    ]  # fmt: skip


def test_only_lists_of_our_own_are_replaced(tmp_path: Path) -> None:
    write_playlists([song(tmp_path / "a.mp3", "Rock")], tmp_path)
    write_playlists([song(tmp_path / "b.mp3", "Rock")], tmp_path)
    assert entries(tmp_path / "Rock.m3u8") == ["b.mp3"]
    mine = "#EXTM3U\nmine.mp3\n"
    (tmp_path / "Rock.m3u8").write_text(mine)
    with pytest.raises(TagError, match="must not replace another's. Received: .*Rock.m3u8"):
        write_playlists([song(tmp_path / "c.mp3", "Rock", "R&B")], tmp_path)
    assert (tmp_path / "Rock.m3u8").read_text() == mine and not (tmp_path / "R&B.m3u8").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TagError, match="cannot be (written|read): Not a directory"):
        write_playlists([song(tmp_path / "a.mp3", "Rock")], tmp_path / "file" / "lists")
