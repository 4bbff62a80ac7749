import os
import random
from pathlib import Path

import pytest

from keraudio.audio import AUDIO_SUFFIXES, find_audio
from keraudio.errors import AudioError


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_a_folder_gives_its_own_files_then_its_subfolders_in_order(tmp_path) -> None:
    names = ["b.mp3", "z.wav", "a/c.flac", "a/x/y.ogg", "b/a.opus"]
    shuffled = random.Random(0).sample(names, len(names))
    touch(tmp_path, *shuffled)
    assert find_audio([tmp_path]) == [tmp_path / name for name in names]


@pytest.mark.parametrize("suffix", sorted(AUDIO_SUFFIXES))
def test_every_audio_suffix_is_found_in_any_case(tmp_path, suffix) -> None:
    touch(tmp_path, f"a{suffix}", f"b{suffix.upper()}")
    assert len(find_audio([tmp_path])) == 2


def test_the_suffixes_are_those_of_the_contract() -> None:
    wanted = ["mp3", "flac", "ogg", "oga", "opus", "m4a", "mp4", "aac", "wav", "aif", "aiff"]
    assert {f".{suffix}" for suffix in wanted} == AUDIO_SUFFIXES


def test_other_files_in_a_folder_are_passed_over(tmp_path) -> None:
    touch(tmp_path, "cover.jpg", "notes.txt", "mp3", "a.mp3.part")
    assert find_audio([tmp_path]) == []


def test_a_file_given_by_name_is_kept_whatever_its_suffix(tmp_path) -> None:
    touch(tmp_path, "song.bin", ".hidden.wav")
    assert find_audio([tmp_path / "song.bin", tmp_path / ".hidden.wav"]) == [
        tmp_path / "song.bin",
        tmp_path / ".hidden.wav",
    ]


def test_hidden_files_and_folders_are_skipped(tmp_path) -> None:
    touch(tmp_path, ".a.mp3", "._b.mp3", ".trash/c.mp3", "d/.e.mp3")
    assert find_audio([tmp_path]) == []


def test_a_hidden_folder_given_by_name_is_walked(tmp_path) -> None:
    touch(tmp_path, ".music/a.mp3")
    assert find_audio([tmp_path / ".music"]) == [tmp_path / ".music/a.mp3"]


def test_subfolders_are_left_out_on_demand(tmp_path) -> None:
    touch(tmp_path, "a.mp3", "b/c.mp3")
    assert find_audio([tmp_path], recursive=False) == [tmp_path / "a.mp3"]


def test_links_to_folders_are_not_followed_unless_given(tmp_path) -> None:
    touch(tmp_path, "music/a.mp3")
    (tmp_path / "music/loop").symlink_to(tmp_path / "music")
    (tmp_path / "link").symlink_to(tmp_path / "music")
    assert find_audio([tmp_path]) == [tmp_path / "music/a.mp3"]
    assert find_audio([tmp_path / "link"]) == [tmp_path / "link/a.mp3"]


def test_a_link_to_a_file_is_a_file(tmp_path) -> None:
    touch(tmp_path, "store/a.mp3")
    (tmp_path / "list").mkdir()
    (tmp_path / "list/b.mp3").symlink_to(tmp_path / "store/a.mp3")
    assert find_audio([tmp_path / "list"]) == [tmp_path / "list/b.mp3"]


def test_a_file_met_twice_is_listed_once_where_it_came_first(tmp_path) -> None:
    touch(tmp_path, "a.mp3", "b/c.mp3")
    found = find_audio([tmp_path / "b/c.mp3", tmp_path, tmp_path / "b", tmp_path / "b/../a.mp3"])
    assert found == [tmp_path / "b/c.mp3", tmp_path / "a.mp3"]


def test_relative_paths_stay_relative(tmp_path, monkeypatch) -> None:
    touch(tmp_path, "music/a.mp3")
    monkeypatch.chdir(tmp_path)
    assert find_audio(["music"]) == [Path("music/a.mp3")]


def test_one_path_need_not_stand_in_a_list(tmp_path) -> None:
    touch(tmp_path, "a.mp3")
    assert find_audio(str(tmp_path)) == find_audio(tmp_path) == [tmp_path / "a.mp3"]


def test_a_name_that_is_not_utf8_survives(tmp_path) -> None:
    name = os.fsencode(tmp_path) + b"/\xff\xe9.mp3"
    os.close(os.open(name, os.O_CREAT))
    assert [os.fsencode(path) for path in find_audio([tmp_path])] == [name]


def test_a_missing_path_is_an_audio_error(tmp_path) -> None:
    touch(tmp_path, "a.mp3")
    with pytest.raises(AudioError) as caught:
        find_audio([tmp_path, tmp_path / "none"])
    assert str(caught.value) == f"{tmp_path / 'none'}: does not exist"


def test_a_subfolder_that_cannot_be_listed_is_left_out_with_a_warning(tmp_path, monkeypatch, caplog) -> None:
    touch(tmp_path, "a.mp3", "shut/b.mp3", "z/c.mp3")
    scandir = os.scandir

    # chmod would not stop root, who runs tests in containers.
    def refusing(path: str) -> object:
        if Path(path).name == "shut":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert find_audio([tmp_path]) == [tmp_path / "a.mp3", tmp_path / "z/c.mp3"]
    assert caplog.messages == [f"{tmp_path / 'shut'}: left out, permission denied"]
    with pytest.raises(AudioError, match="shut: permission denied"):
        find_audio([tmp_path / "shut"])


def test_links_to_folders_are_followed_on_demand_and_no_folder_is_entered_twice(tmp_path) -> None:
    touch(tmp_path, "music/a.mp3", "music/album/b.mp3", "elsewhere/c.mp3")
    music = tmp_path / "music"
    (music / "album/circle").symlink_to(music)
    (music / "far").symlink_to(tmp_path / "elsewhere")
    (music / "far_again").symlink_to(tmp_path / "elsewhere")
    (music / "nowhere").symlink_to(tmp_path / "none")
    assert find_audio(music) == [music / "a.mp3", music / "album/b.mp3"]
    assert find_audio(music, follow=True) == [music / "a.mp3", music / "album/b.mp3", music / "far/c.mp3"]
