import contextlib
import errno
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import songs as made
from command_line import run_child
from mediafile import MediaFile

from keraudio.audio.sound import readable
from keraudio.errors import TagError
from keraudio.tagging import (
    Change,
    Journal,
    JournalBusyError,
    Outcome,
    Prediction,
    Proposal,
    Undone,
    apply_proposals,
    finish_interrupted,
    propose,
    read_plan,
    undo_run,
    write,
    write_plan,
)
from keraudio.tagging.payload import payload_digest
from keraudio.tagging.song_tags import read_field, read_tags
from keraudio.tagging.write import recover

OLD, NEW = ("Old",), ("Nü Metal", "日本のロック")
# Containers that come back to the byte from a genre where there was none.
PADDED = ("flac", "wav", "aiff")
Songs = dict[str, Path]


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, ...], tuple[Path, Songs]]:
    """The collection with a genre and without: made once, copied for each test."""
    found = {}
    for genres in (OLD, ()):
        folder = tmp_path_factory.mktemp("template")
        found[genres] = (folder, made.write_collection(folder, genres=genres))
    return found


def copied(template: tuple[Path, Songs], folder: Path) -> Songs:
    origin, paths = template
    shutil.copytree(origin, folder, dirs_exist_ok=True)
    return {kind: folder / path.relative_to(origin) for kind, path in paths.items()}


@pytest.fixture
def songs(templates: dict[tuple[str, ...], tuple[Path, Songs]], tmp_path: Path) -> Songs:
    return copied(templates[OLD], tmp_path / "songs")


@pytest.fixture
def bare(templates: dict[tuple[str, ...], tuple[Path, Songs]], tmp_path: Path) -> Songs:
    """Songs without a genre."""
    return copied(templates[()], tmp_path / "bare")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.sqlite3") as opened:
        yield opened


def change(path: Path, genres: tuple[str, ...] = NEW, move_to: Path | None = None) -> Proposal:
    """As a plan's row has it."""
    return Proposal(path, "change", OLD, genres, move_to)


def heard(path: Path, genres: tuple[str, ...] = NEW) -> Proposal:
    """As a prediction has it, which knows the tags and the sound."""
    tags, payload = read_tags(path), payload_digest(path)
    values = np.full(len(genres), 0.9, "float32")
    return propose(Prediction(path, genres, values, 1, genres, tags=tags, payload=payload), existing="replace")


def applied(journal: Journal, proposals: Iterable[Proposal], **options: Any) -> list[Outcome]:
    return list(apply_proposals(proposals, journal, command="test", **options))


def undone(journal: Journal, run: int = 1) -> list[Undone]:
    return list(undo_run(journal, run))


def states(journal: Journal) -> list[str]:
    return [one.state for one in journal.changes()]


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder with its bytes, and every folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def leftovers(folder: Path) -> list[Path]:
    """Temporary files: they are hidden, which no song of the collection is."""
    return [path for path in folder.rglob(".*") if path.is_file()]


def one_line(error: str | None, *phrases: str) -> bool:
    return error is not None and "\n" not in error and all(phrase in error for phrase in phrases)


# Writing and undoing.


@pytest.mark.parametrize("proposal", [change, heard])
def test_every_container_gets_its_genres_and_keeps_its_sound_and_all_else(
    songs: Songs, journal: Journal, proposal: Callable[[Path], Proposal]
) -> None:
    names = ("artist", "album", "title", "lyrics", "comments")
    before = {kind: (payload_digest(path), MediaFile(path)) for kind, path in songs.items()}
    outcomes = applied(journal, map(proposal, songs.values()))
    assert [(one.proposal.path, one.written, one.error) for one in outcomes] == [
        (p, True, None) for p in songs.values()
    ]
    for kind, path in songs.items():
        digest, old = before[kind]
        now = MediaFile(path)
        assert tuple(now.genres) == NEW, kind
        assert payload_digest(path) == digest, kind
        assert [getattr(now, name) for name in names] == [getattr(old, name) for name in names], kind
        assert [image.data for image in now.images] == [image.data for image in old.images] != [], kind
    assert states(journal) == ["written"] * len(songs) and leftovers(songs["mp3"].parent) == []
    assert [(run.command, run.states) for run in journal.runs()] == [("test", {"written": len(songs)})]


def test_undoing_a_changed_genre_restores_every_byte(songs: Songs, journal: Journal, tmp_path: Path) -> None:
    before = contents(tmp_path / "songs")
    applied(journal, map(change, songs.values()))
    assert contents(tmp_path / "songs") != before
    took_back = undone(journal)
    # The latest first.
    assert [one.change.path for one in took_back] == list(songs.values())[::-1]
    assert all(one.error is None and one.change.state == "undone" for one in took_back)
    assert contents(tmp_path / "songs") == before
    assert states(journal) == ["undone"] * len(songs)


def test_undoing_a_first_genre_restores_every_tag_and_the_bytes_where_padding_can(
    bare: Songs, journal: Journal
) -> None:
    before = {kind: (path.read_bytes(), read_field(path), payload_digest(path)) for kind, path in bare.items()}
    applied(journal, map(change, bare.values()))
    assert all(tuple(MediaFile(path).genres) == NEW for path in bare.values())
    assert all(one.error is None for one in undone(journal))
    for kind, path in bare.items():
        data, field, digest = before[kind]
        assert (read_field(path), payload_digest(path)) == (field, digest), kind
        assert not MediaFile(path).genres and MediaFile(path).title == "Title", kind
        if kind in PADDED:
            assert path.read_bytes() == data, kind


def test_songs_without_any_tags_get_them_and_are_without_them_again(tmp_path: Path, journal: Journal) -> None:
    plain = {kind: made.write_kind(tmp_path / "plain", kind) for kind in made.KINDS}
    before = {kind: (path.read_bytes(), read_field(path), payload_digest(path)) for kind, path in plain.items()}
    assert all(one.error is None for one in applied(journal, map(change, plain.values())))
    assert all(tuple(MediaFile(path).genres) == NEW for path in plain.values())
    assert all(one.error is None for one in undone(journal))
    for kind, path in plain.items():
        data, field, digest = before[kind]
        assert (read_field(path), payload_digest(path)) == (field, digest), kind
        if kind in PADDED:
            assert path.read_bytes() == data, kind


def test_id3_of_version_2_3_is_written_on_request_and_its_undoing_brings_the_old_version_back(
    songs: Songs, journal: Journal
) -> None:
    chosen = [songs[kind] for kind in ("mp3", "wav", "aiff")]
    assert all(one.error is None for one in applied(journal, map(change, chosen), id3v23=True))
    for path in chosen:
        assert read_field(path).version == 3 and read_field(path).values == ("/".join(NEW),)
        assert re.search(rb"ID3([\x02-\x04])\x00", path.read_bytes())[1] == b"\x03"  # type: ignore[index]
    assert all(one.error is None for one in undone(journal))
    assert [read_field(path).values for path in chosen] == [OLD] * 3
    assert [read_field(path).version for path in chosen] == [4] * 3
    assert [MediaFile(path).title for path in chosen] == ["Title"] * 3


def test_songs_with_nothing_to_do_pass_through_and_leave_no_run(songs: Songs, journal: Journal, tmp_path: Path) -> None:
    before = contents(tmp_path / "songs")
    path = songs["flac"]
    deaf = Prediction(path, NEW, tag_error="no tags here")
    proposals = [
        Proposal(path, "same", OLD, OLD),
        Proposal(path, "keep", OLD, OLD),
        Proposal(path, "unsure", OLD, OLD),
        Proposal(path, "untaggable", None, NEW, None, deaf),
        Proposal(path, "failed", None, (), None, None, "cannot be heard"),
    ]
    outcomes = applied(journal, proposals)
    assert [one.error for one in outcomes] == [None, None, None, "no tags here", "cannot be heard"]
    assert not any(one.written or one.moved_to for one in outcomes)
    assert journal.runs() == [] and journal.changes() == [] and contents(tmp_path / "songs") == before


# What a file is beside its bytes.


def test_permissions_owner_and_extended_attributes_are_kept_and_the_time_of_change_is_new(
    songs: Songs, journal: Journal
) -> None:
    kept = {}
    for number, path in enumerate(songs.values()):
        os.chmod(path, 0o600 + 8 * number)
        try:
            os.setxattr(path, "user.rating", b"\xff5")
        except OSError as error:
            # This file system has none.
            assert error.errno == errno.ENOTSUP
        with contextlib.suppress(OSError):
            # Root alone gives files away.
            os.chown(path, 12345, -1)
        os.utime(path, (1e9, 1e9))
        status = path.stat()
        attributes = {name: os.getxattr(path, name) for name in os.listxattr(path)}
        kept[path] = (status.st_mode, status.st_uid, status.st_gid, attributes)
    for run in (lambda: applied(journal, map(change, songs.values())), lambda: undone(journal)):
        assert all(one.error is None for one in run())
        for path, expected in kept.items():
            status = path.stat()
            attributes = {name: os.getxattr(path, name) for name in os.listxattr(path)}
            assert (status.st_mode, status.st_uid, status.st_gid, attributes) == expected
            assert status.st_mtime > 1e9 + 1e8
            os.utime(path, (1e9, 1e9))


def test_a_link_stays_a_link_and_the_file_behind_it_changes(songs: Songs, journal: Journal, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    link = tmp_path / "other" / "link.flac"
    link.symlink_to(os.path.relpath(songs["flac"], link.parent))
    chain = tmp_path / "chain.flac"
    chain.symlink_to(link)
    before = songs["flac"].read_bytes()
    (outcome,) = applied(journal, [heard(chain)])
    assert (outcome.written, outcome.error) == (True, None)
    assert link.is_symlink() and chain.is_symlink() and not songs["flac"].is_symlink()
    assert tuple(MediaFile(songs["flac"]).genres) == NEW
    assert [one.path for one in journal.changes()] == [songs["flac"].resolve()]
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["link.flac"]
    # What it led through may go.
    chain.unlink()
    link.unlink()
    assert [one.error for one in undone(journal)] == [None] and songs["flac"].read_bytes() == before


def test_links_in_a_circle_and_to_nowhere_are_errors_of_one_line(
    songs: Songs, journal: Journal, tmp_path: Path
) -> None:
    circle, nowhere = tmp_path / "circle.mp3", tmp_path / "nowhere.mp3"
    circle.symlink_to(circle)
    nowhere.symlink_to(tmp_path / "gone.mp3")
    outcomes = applied(journal, [change(circle), change(nowhere), change(songs["mp3"])])
    assert one_line(outcomes[0].error, str(circle), "symbolic links")
    assert one_line(outcomes[1].error, str(nowhere), "no such file")
    assert outcomes[2].written


def test_another_name_of_the_same_file_keeps_what_it_has(songs: Songs, journal: Journal, tmp_path: Path) -> None:
    other = tmp_path / "other.wav"
    os.link(songs["wav"], other)
    before = other.read_bytes()
    assert [one.error for one in applied(journal, [change(songs["wav"])])] == [None]
    assert tuple(MediaFile(songs["wav"]).genres) == NEW and other.read_bytes() == before
    undone(journal)
    assert songs["wav"].read_bytes() == before


def test_a_read_only_file_is_refused_and_others_are_written(songs: Songs, journal: Journal) -> None:
    songs["mp3"].chmod(0o444)
    before = songs["mp3"].read_bytes()
    outcomes = applied(journal, [change(songs["mp3"]), change(songs["flac"])])
    assert one_line(outcomes[0].error, str(songs["mp3"]), "is read-only") and not outcomes[0].written
    assert songs["mp3"].read_bytes() == before and outcomes[1].written
    # Only what was begun stands in the journal.
    assert states(journal) == ["written"]


def test_a_file_made_read_only_since_is_left_as_it_is_by_undo(songs: Songs, journal: Journal) -> None:
    applied(journal, [change(songs["mp3"]), change(songs["flac"])])
    songs["mp3"].chmod(0o444)
    first, second = undone(journal)
    assert first.error is None and one_line(second.error, "is read-only")
    assert states(journal) == ["written", "undone"] and tuple(MediaFile(songs["mp3"]).genres) == NEW
    songs["mp3"].chmod(0o644)
    assert [one.error for one in undone(journal)] == [None] and states(journal) == ["undone"] * 2


def test_a_program_that_has_the_file_open_goes_on_with_the_old_one(songs: Songs, journal: Journal) -> None:
    before = songs["aiff"].read_bytes()
    with open(songs["aiff"], "rb") as player:
        half = player.read(len(before) // 2)
        assert [one.error for one in applied(journal, [change(songs["aiff"])])] == [None]
        assert half + player.read() == before
    assert tuple(MediaFile(songs["aiff"]).genres) == NEW


# Files that are no longer what they were.


def _vanish(path: Path) -> None:
    path.unlink()


def _become_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _become_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _become_read_only(path: Path) -> None:
    path.chmod(0o444)


def _become_empty(path: Path) -> None:
    path.write_bytes(b"")


def _get_genre(path: Path) -> None:
    made.tag_song(path, ["Mine"])


def _get_other_sound(path: Path) -> None:
    made.tag_song(made.write_kind(path.parent, "flac", frequency=1234.0, name=path.name), OLD)


def _become_another_kind(path: Path) -> None:
    made.tag_song(made.write_kind(path.parent, "mp3", name="x.mp3"), OLD).rename(path)


@pytest.mark.parametrize(
    ("happens", "phrase"),
    [
        (_vanish, "no such file"),
        (_become_folder, "is a folder"),
        (_become_pipe, "is not a regular file"),
        (_become_read_only, "is read-only"),
        (_become_empty, "tags can be written to"),
        (_get_genre, "its genre has changed since it was read"),
        (_get_other_sound, "its sound would not be what it was"),
        (_become_another_kind, "its sound would not be what it was"),
    ],
)
def test_what_happens_to_a_file_while_the_run_is_under_way_costs_that_file_alone(
    songs: Songs, journal: Journal, tmp_path: Path, happens: Callable[[Path], None], phrase: str
) -> None:
    victim = songs["flac"]
    proposals = [heard(songs[kind]) for kind in ("mp3", "flac", "wav")]

    def under_way() -> Iterator[Proposal]:
        yield proposals[0]
        happens(victim)
        yield from proposals[1:]

    outcomes = []
    before: dict[str, Any] = {}
    for outcome in apply_proposals(under_way(), journal, command="test"):
        outcomes.append(outcome)
        if len(outcomes) == 2:
            before = contents(victim.parent)
    assert [one.written for one in outcomes] == [True, False, True]
    assert one_line(outcomes[1].error, str(victim), phrase)
    # As the other one left it.
    assert contents(victim.parent) == before
    assert all(tuple(MediaFile(songs[kind]).genres) == NEW for kind in ("mp3", "wav"))
    assert set(states(journal)) <= {"written", "failed"} and leftovers(tmp_path / "songs") == []
    assert [one.error for one in undone(journal)] == [None, None]
    assert all(read_field(songs[kind]).values == OLD for kind in ("mp3", "wav"))


@pytest.mark.parametrize("moment", ["new_token", "write_field"])
def test_a_file_that_another_program_changes_meanwhile_is_left_as_that_program_wrote_it(
    songs: Songs, journal: Journal, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    path = songs["mp3"]
    original = getattr(write, moment)

    def interrupted(*arguments: Any, **options: Any) -> Any:
        # After what stands there was read; before, and after, it is copied.
        made.tag_song(path, ["Mine"])
        return original(*arguments, **options)

    monkeypatch.setattr(write, moment, interrupted)
    (outcome,) = applied(journal, [heard(path)])
    assert one_line(outcome.error, "has changed meanwhile; nothing is written")
    assert MediaFile(path).genres == ["Mine"] and leftovers(path.parent) == []
    assert states(journal) == ["failed"]


@pytest.mark.parametrize("undoes", [False, True])
def test_a_writer_that_would_harm_the_sound_or_another_tag_never_gets_to_the_file(
    songs: Songs, journal: Journal, monkeypatch: pytest.MonkeyPatch, undoes: bool
) -> None:
    path = songs["flac"]
    honest = write.write_field
    if undoes:
        applied(journal, [heard(path)])
    before = (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino)

    def flips(copy: Path, *arguments: Any, **options: Any) -> None:
        honest(copy, *arguments, **options)
        data = bytearray(copy.read_bytes())
        data[-100] ^= 1
        copy.write_bytes(data)

    def retitles(copy: Path, *arguments: Any, **options: Any) -> None:
        honest(copy, *arguments, **options)
        song = MediaFile(copy)
        song.title = "Other"
        song.save()

    def does_nothing(*_arguments: Any, **_options: Any) -> None:
        pass

    for harm, phrase in (
        (flips, "its sound would not be what it was"),
        (retitles, "other tags would not be what they were"),
        (does_nothing, "its tags do not take"),
    ):
        monkeypatch.setattr(write, "write_field", harm)
        (outcome,) = undone(journal) if undoes else applied(journal, [heard(path)])
        assert one_line(outcome.error, str(path), phrase)
        assert (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino) == before
        assert leftovers(path.parent) == [] and states(journal)[-1] == ("written" if undoes else "failed")


def test_undo_leaves_a_genre_that_has_changed_since(songs: Songs, journal: Journal) -> None:
    applied(journal, map(change, songs.values()))
    made.tag_song(songs["ogg"], ["Mine"])
    by_path = {one.change.path: one for one in undone(journal)}
    assert one_line(by_path[songs["ogg"]].error, "its genre has changed since; left as it is")
    assert MediaFile(songs["ogg"]).genres == ["Mine"]
    assert all(one.error is None for path, one in by_path.items() if path != songs["ogg"])
    assert all(read_field(path).values == OLD for path in songs.values() if path != songs["ogg"])
    assert sorted(states(journal)) == ["undone"] * 7 + ["written"]


def test_undo_leaves_a_song_whose_sound_is_another_and_a_file_that_is_gone_until_it_is_back(
    songs: Songs, journal: Journal, tmp_path: Path
) -> None:
    applied(journal, [change(songs["flac"]), change(songs["mp3"])])
    songs["mp3"].rename(tmp_path / "aside.mp3")
    written = songs["flac"].read_bytes()
    made.tag_song(made.write_kind(songs["flac"].parent, "flac", frequency=99.0, name=songs["flac"].name), NEW)
    gone, other = undone(journal)
    assert one_line(gone.error, "no such file") and one_line(other.error, "its sound would not be what it was")
    (tmp_path / "aside.mp3").rename(songs["mp3"])
    songs["flac"].write_bytes(written)
    assert [one.error for one in undone(journal)] == [None, None]
    assert read_field(songs["mp3"]).values == read_field(songs["flac"]).values == OLD


def test_a_genre_that_someone_has_taken_back_by_hand_counts_as_undone(songs: Songs, journal: Journal) -> None:
    before = songs["wav"].read_bytes()
    applied(journal, [change(songs["wav"])])
    songs["wav"].write_bytes(before)
    inode = songs["wav"].stat().st_ino
    assert [one.error for one in undone(journal)] == [None] and states(journal) == ["undone"]
    assert songs["wav"].stat().st_ino == inode


def test_undoing_twice_does_nothing_the_second_time(songs: Songs, journal: Journal, tmp_path: Path) -> None:
    applied(journal, [change(songs["mp3"], NEW, tmp_path / "a" / "b.mp3")])
    assert len(undone(journal)) == 2
    before = contents(tmp_path / "songs")
    assert undone(journal) == [] and undone(journal, 99) == []
    assert contents(tmp_path / "songs") == before


def test_runs_are_undone_each_for_itself(songs: Songs, journal: Journal) -> None:
    path = songs["opus"]
    original = path.read_bytes()
    applied(journal, [heard(path, ("First",))])
    applied(journal, [heard(path, ("Second", "Third"))])
    # The later run stands in the way of the earlier.
    assert one_line(undone(journal, 1)[0].error, "has changed since")
    assert undone(journal, 2)[0].error is None and MediaFile(path).genres == ["First"]
    assert undone(journal, 1)[0].error is None and path.read_bytes() == original


# Moves.


def _with_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of the same file system."""


def _across(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another file system."""

    def refuse(*_arguments: Any, **_options: Any) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", refuse)


def _without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system on which no file has two names."""

    def refuse(*_arguments: Any, **_options: Any) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)


FILE_SYSTEMS = pytest.mark.parametrize("system", [_with_links, _across, _without_links])


@FILE_SYSTEMS
def test_songs_are_moved_and_back_with_the_folders_that_were_made_for_them(
    songs: Songs,
    journal: Journal,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    system: Callable[[pytest.MonkeyPatch], None],
) -> None:
    system(monkeypatch)
    (tmp_path / "sorted" / "there already").mkdir(parents=True)
    before = contents(tmp_path / "songs")
    times = {path: path.stat().st_mtime_ns for path in songs.values()}
    targets = {path: tmp_path / "sorted" / kind / "\udcfeinner" / path.name for kind, path in songs.items()}
    outcomes = applied(journal, [Proposal(path, "keep", OLD, OLD, targets[path]) for path in songs.values()])
    assert [(one.written, one.moved_to, one.error) for one in outcomes] == [(False, t, None) for t in targets.values()]
    assert [path for path in (tmp_path / "songs").rglob("*") if path.is_file()] == []
    for path, target in targets.items():
        assert target.read_bytes() == before[str(path.relative_to(tmp_path / "songs"))]
        assert target.stat().st_mtime_ns == times[path] and target.stat().st_nlink == 1
    assert leftovers(tmp_path) == []
    assert [(one.kind, one.state, one.target) for one in journal.changes()] == [
        ("move", "written", target) for target in targets.values()
    ]
    assert all(one.error is None for one in undone(journal))
    assert contents(tmp_path / "songs") == before and leftovers(tmp_path) == []
    assert contents(tmp_path / "sorted") == {"there already": None}


@FILE_SYSTEMS
def test_a_song_is_tagged_then_moved_and_both_are_undone(
    songs: Songs,
    journal: Journal,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    system: Callable[[pytest.MonkeyPatch], None],
) -> None:
    system(monkeypatch)
    before = contents(tmp_path / "songs")
    targets = {path: tmp_path / "sorted" / path.name for path in songs.values()}
    outcomes = applied(journal, [replace(heard(path), move_to=targets[path]) for path in songs.values()])
    assert all(one.written and one.moved_to and one.error is None for one in outcomes)
    assert all(tuple(MediaFile(target).genres) == NEW for target in targets.values())
    assert [one.kind for one in journal.changes()] == ["genre", "move"] * len(songs)
    assert all(one.error is None for one in undone(journal))
    assert contents(tmp_path / "songs") == before and not (tmp_path / "sorted").exists()


@FILE_SYSTEMS
@pytest.mark.parametrize("late", [False, True])
def test_a_move_never_takes_the_place_of_another_file(
    songs: Songs,
    journal: Journal,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    system: Callable[[pytest.MonkeyPatch], None],
    late: bool,
) -> None:
    system(monkeypatch)
    in_the_way = tmp_path / "sorted" / "there.mp3"
    if late:
        # It comes into being after the place was found free.
        monkeypatch.setattr(write, "check_target", lambda *_: None)
    in_the_way.parent.mkdir()
    in_the_way.write_text("mine")
    original = songs["mp3"].read_bytes()
    outcomes = applied(
        journal,
        [
            Proposal(songs["mp3"], "keep", OLD, OLD, in_the_way),
            Proposal(songs["flac"], "keep", OLD, OLD, tmp_path / "sorted" / "free.flac"),
        ],
    )
    assert one_line(outcomes[0].error, str(songs["mp3"]), "file exists" if late else "there is a file already")
    assert outcomes[0].moved_to is None and outcomes[1].error is None
    assert in_the_way.read_text() == "mine" and songs["mp3"].read_bytes() == original
    assert leftovers(tmp_path) == []
    # A link that leads nowhere is in the way, too.
    dangling = tmp_path / "sorted" / "dangling.mp3"
    dangling.symlink_to(tmp_path / "nowhere.mp3")
    (outcome,) = applied(journal, [Proposal(songs["mp3"], "keep", OLD, OLD, dangling)])
    assert outcome.error is not None and dangling.is_symlink() and songs["mp3"].read_bytes() == original


@FILE_SYSTEMS
def test_a_song_is_not_moved_back_over_another_file(
    songs: Songs,
    journal: Journal,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    system: Callable[[pytest.MonkeyPatch], None],
) -> None:
    system(monkeypatch)
    target = tmp_path / "sorted" / "there.mp3"
    original = songs["mp3"].read_bytes()
    applied(journal, [Proposal(songs["mp3"], "keep", OLD, OLD, target)])
    songs["mp3"].write_text("mine")
    assert one_line(undone(journal)[0].error, str(songs["mp3"]), "there is another file now")
    assert songs["mp3"].read_text() == "mine" and target.read_bytes() == original
    songs["mp3"].unlink()
    target.rename(tmp_path / "aside.mp3")
    assert one_line(undone(journal)[0].error, str(target), "does not exist")
    (tmp_path / "aside.mp3").rename(target)
    # Its folder is gone, and made again; what lies beside it in the new one stays, and so that folder.
    (target.parent / "mine").touch()
    shutil.rmtree(songs["mp3"].parent)
    assert undone(journal)[0].error is None and songs["mp3"].read_bytes() == original
    assert contents(target.parent) == {"mine": b""}


@pytest.mark.parametrize("system", [_with_links, _across])
def test_a_song_that_may_not_leave_its_folder_stays_there_alone(
    songs: Songs,
    journal: Journal,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    system: Callable[[pytest.MonkeyPatch], None],
) -> None:
    system(monkeypatch)
    before = contents(tmp_path / "songs")
    unlink = os.unlink

    def refuse(path: Any, **options: Any) -> None:
        # A folder's permissions would not stop root, who runs tests in containers.
        if Path(path) == songs["mp3"]:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        unlink(path, **options)

    monkeypatch.setattr(os, "unlink", refuse)
    (outcome,) = applied(journal, [Proposal(songs["mp3"], "keep", OLD, OLD, tmp_path / "sorted" / "there.mp3")])
    assert one_line(outcome.error, str(songs["mp3"]), "permission denied") and outcome.moved_to is None
    assert contents(tmp_path / "songs") == before and not (tmp_path / "sorted").exists()
    assert songs["mp3"].stat().st_nlink == 1 and states(journal) == ["failed"]


def test_a_copy_to_another_file_system_that_differs_is_thrown_away(
    songs: Songs, journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _across(monkeypatch)
    copy = shutil.copy2

    def damaged(source: Any, target: Any) -> None:
        copy(source, target)
        os.truncate(target, os.path.getsize(target) - 1)

    monkeypatch.setattr(shutil, "copy2", damaged)
    original = songs["wav"].read_bytes()
    (outcome,) = applied(journal, [Proposal(songs["wav"], "keep", OLD, OLD, tmp_path / "sorted" / "there.wav")])
    assert one_line(outcome.error, str(songs["wav"]), "the copy differs")
    assert songs["wav"].read_bytes() == original and not (tmp_path / "sorted").exists()


@pytest.mark.parametrize(
    ("target", "phrase"), [("there.flac", "must keep its suffix"), ("relative.mp3", "must be an absolute path")]
)
def test_a_place_that_no_song_can_have_is_refused_after_its_genre_is_written(
    songs: Songs, journal: Journal, tmp_path: Path, target: str, phrase: str
) -> None:
    place = Path(target) if phrase.endswith("absolute path") else tmp_path / target
    (outcome,) = applied(journal, [change(songs["mp3"], NEW, place)])
    assert outcome.written and outcome.moved_to is None and one_line(outcome.error, str(songs["mp3"]), phrase)
    assert states(journal) == ["written"] and tuple(MediaFile(songs["mp3"]).genres) == NEW


# Backups.


def test_a_backup_is_the_whole_file_as_it_was_before_the_first_run(
    songs: Songs, journal: Journal, tmp_path: Path
) -> None:
    folder = tmp_path / "backup"
    before = {path: path.read_bytes() for path in songs.values()}
    applied(journal, map(heard, songs.values()), backup=folder)
    applied(journal, [heard(path, ("Again",)) for path in songs.values()], backup=folder)
    copies = {path: folder / path.resolve().relative_to("/") for path in songs.values()}
    assert {path: copy.read_bytes() for path, copy in copies.items()} == before
    assert {path for path in folder.rglob("*") if path.is_file()} == set(copies.values())
    assert {one.details["backup"] for one in journal.changes()} == set(map(str, copies.values()))


def test_without_room_for_its_backup_a_song_is_not_written(
    songs: Songs, journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(tmp_path / "songs")
    copy = shutil.copy2

    def full(source: Any, target: Any, **options: Any) -> Any:
        if Path(source).suffix == ".mp3":
            Path(target).write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        return copy(source, target, **options)

    monkeypatch.setattr(shutil, "copy2", full)
    outcomes = applied(journal, [change(songs["mp3"]), change(songs["flac"])], backup=tmp_path / "backup")
    assert one_line(outcomes[0].error, str(songs["mp3"]), "no space left on device") and outcomes[1].written
    assert contents(tmp_path / "songs")["a b.mp3"] == before["a b.mp3"] and states(journal) == ["failed", "written"]
    assert [path.name for path in (tmp_path / "backup").rglob("*") if path.is_file()] == [songs["flac"].name]


# Full disks.


class _Limited:
    """No file of this process may grow beyond a size, as on a full disk; Python ignores the signal."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __enter__(self) -> None:
        self.before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.before[1]))

    def __exit__(self, *_exception: object) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self.before)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.999, 1.0])
def test_songs_for_whose_copies_there_is_no_room_stay_as_they_are(
    songs: Songs, journal: Journal, tmp_path: Path, share: float
) -> None:
    big = made.tag_song(made.write_kind(tmp_path / "songs", "wav", seconds=30.0, name="big.wav"), OLD)
    os.truncate(big, big.stat().st_size)
    before = big.read_bytes()
    with _Limited(round(share * len(before))):
        outcomes = applied(journal, [heard(big), heard(songs["mp3"])])
        # Its own tags hold padding enough, so that a copy of its length is all it needs.
        assert outcomes[0].written == (share == 1.0)
        assert outcomes[1].written and outcomes[1].error is None
        if share < 1.0:
            assert one_line(outcomes[0].error, str(big), "file too large")
            assert big.read_bytes() == before
        assert leftovers(tmp_path / "songs") == []
    assert all(one.error is None for one in undone(journal))
    assert big.read_bytes() == before


@pytest.mark.parametrize("where", ["copyfile", "fsync", "replace"])
def test_whatever_the_system_refuses_leaves_the_song_as_it_was(
    songs: Songs, journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    owner: Any = shutil if where == "copyfile" else os
    before = contents(tmp_path / "songs")

    def full(*arguments: Any, **_options: Any) -> None:
        if where == "copyfile":
            Path(arguments[1]).write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(owner, where, full)
        outcomes = applied(journal, map(change, songs.values()))
    assert all(one_line(one.error, readable(one.proposal.path), "no space left on device") for one in outcomes)
    assert contents(tmp_path / "songs") == before and states(journal) == ["failed"] * len(songs)
    assert all(one.reason == outcome.error for one, outcome in zip(journal.changes(), outcomes, strict=True))


def test_a_folder_that_may_not_be_listed_takes_its_songs_all_the_same(
    songs: Songs, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open

    def refuse(path: Any, *arguments: Any, **options: Any) -> int:
        # Its permissions would not stop root, who runs tests in containers.
        if os.path.isdir(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)
    (outcome,) = applied(journal, [change(songs["mp3"])])
    assert outcome.error is None and states(journal) == ["written"]
    assert tuple(MediaFile(songs["mp3"]).genres) == NEW


def test_a_journal_that_cannot_grow_stops_the_run_before_a_song_is_touched_without_being_noted(
    templates: dict[tuple[str, ...], tuple[Path, Songs]], tmp_path: Path
) -> None:
    stopped = written = 0
    for room in range(0, 60_000, 4_000):
        folder = tmp_path / str(room)
        copies = copied(templates[OLD], folder / "songs")
        before = contents(folder / "songs")
        song = copies["mp3"]
        with Journal(folder / "journal.sqlite3") as journal:
            limit = (folder / "journal.sqlite3-wal").stat().st_size + room
            assert limit > 1.5 * song.stat().st_size
            try:
                with _Limited(limit):
                    (outcome,) = applied(journal, [change(song)])
                written += outcome.written
            except TagError as error:
                assert one_line(str(error), "journal.sqlite3: the journal cannot be written")
                stopped += 1
        with Journal(folder / "journal.sqlite3") as journal:
            recover(journal)
            noted = [one.state for one in journal.changes()]
            genres = tuple(MediaFile(song).genres)
            assert (genres, noted) in ((OLD, []), (OLD, ["failed"]), (NEW, ["written"]))
            assert leftovers(folder / "songs") == []
            for run in journal.runs():
                assert all(one.error is None for one in undone(journal, run.id))
        assert contents(folder / "songs") == before
    assert stopped >= 3 and written >= 1


# Two writers.


def test_two_do_not_write_at_once(songs: Songs, journal: Journal) -> None:
    running = apply_proposals([change(songs["mp3"]), change(songs["flac"])], journal, command="test")
    next(running)
    with Journal(journal.path) as other:
        for attempt in (lambda: applied(other, [change(songs["wav"])]), lambda: undone(other)):
            with pytest.raises(JournalBusyError, match="another keraudio is writing"):
                attempt()
        # Whoever only wants to tidy up lets it work.
        assert finish_interrupted(journal.path) == 0
        assert read_field(songs["wav"]).values == OLD and states(journal) == ["written"]
        assert [one.error for one in running] == [None]
        assert [one.error for one in applied(other, [change(songs["wav"])])] == [None]


def test_the_lock_of_a_killed_process_dies_with_it(songs: Songs, journal: Journal) -> None:
    code = """if True:
        import sys
        from pathlib import Path
        from keraudio.tagging import Journal
        with Journal(Path(sys.argv[1])) as journal, journal.writing():
            print("locked", flush=True)
            sys.stdin.read()
    """
    checkout = str(Path(__file__).resolve().parents[2])
    child = subprocess.Popen(
        [sys.executable, "-c", code, journal.path],
        env=os.environ | {"PYTHONPATH": checkout},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert child.stdout is not None and child.stdout.readline() == b"locked\n"
        with pytest.raises(JournalBusyError):
            applied(journal, [change(songs["mp3"])])
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    assert [one.error for one in applied(journal, [change(songs["mp3"])])] == [None]


def test_whoever_stops_in_the_middle_keeps_what_is_done_and_frees_the_journal(songs: Songs, journal: Journal) -> None:
    running = apply_proposals(map(change, songs.values()), journal, command="test")
    done = [next(running).proposal.path for _ in range(3)]
    running.close()
    assert [path for path in songs.values() if read_field(path).values == NEW] == done
    assert states(journal) == ["written"] * 3
    taking_back = undo_run(journal, 1)
    next(taking_back)
    taking_back.close()
    assert states(journal) == ["written", "written", "undone"]
    assert len(undone(journal)) == 2 and all(read_field(path).values == OLD for path in songs.values())


def test_nothing_is_finished_where_there_is_no_journal(tmp_path: Path) -> None:
    assert finish_interrupted(tmp_path / "none.sqlite3") == 0
    assert list(tmp_path.iterdir()) == []


def test_a_song_that_cannot_be_read_does_not_keep_the_journal_from_being_settled(
    songs: Songs, journal: Journal, tmp_path: Path
) -> None:
    # As a killed process leaves it, and then what it wrote to became folders.
    run = journal.begin_run("test")
    place = tmp_path / "there.mp3"
    field = read_field(songs["mp3"]).to_json()
    journal.begin(run, "move", songs["mp3"], "0123abcd", {"made": []}, place)
    journal.begin(run, "genre", place, "0123abcd", {"old": field, "new": field, "backup": None})
    songs["mp3"].unlink()
    songs["mp3"].mkdir()
    place.mkdir()
    assert recover(journal) == 2 and recover(journal) == 0
    assert set(states(journal)) <= {"written", "failed"}
    assert songs["mp3"].is_dir() and place.is_dir()
    assert all(one.error is not None for one in undone(journal))


# Every point of failure.


class _Killed(BaseException):
    """Stands for the end of the process: after it only the files count."""


class _Faults:
    """Numbers every call that touches songs or the journal, and breaks off at one of them.

    Args:
        monkeypatch: through which the calls are wrapped.
        folder: to which calls belong that count.
        at: number of the call.
        moment: break off `"before"` it - half-way through where a file is copied - or `"after"` it.
        error: KeyboardInterrupt, or `_Killed`, after which every further call fails too.
    """

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, folder: Path, at: int, moment: str, error: type[BaseException]
    ) -> None:
        self.folder, self.at, self.moment, self.error = str(folder), at, moment, error
        self.calls: list[str] = []
        self.dead = False
        # The end of a process, unlike that of power, needs nothing to be on the disk.
        monkeypatch.setattr(os, "fsync", lambda _: None)
        for name in ("open", "replace", "rename", "fsync", "link", "unlink", "rmdir", "mkdir"):
            self._wrap(monkeypatch, os, name)
        for name in ("begin", "settle"):
            self._wrap(monkeypatch, Journal, name)
        self._wrap(monkeypatch, shutil, "copyfile")
        self._wrap(monkeypatch, write, "write_field")
        changes = Journal.changes

        def alive(journal: Journal, *arguments: Any, **options: Any) -> list[Change]:
            if self.dead:
                raise _Killed
            return changes(journal, *arguments, **options)

        monkeypatch.setattr(Journal, "changes", alive)

    @property
    def fired(self) -> bool:
        return len(self.calls) > self.at

    def _wrap(self, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def wrapped(*arguments: Any, **options: Any) -> Any:
            if self.dead:
                raise _Killed
            paths = [str(one) for one in arguments if isinstance(one, (str, Path))]
            counts = name == "fsync" or owner is Journal or any(path.startswith(self.folder) for path in paths)
            if not counts or any(path.endswith(".lock") for path in paths):
                return original(*arguments, **options)
            self.calls.append(name)
            if len(self.calls) != self.at + 1:
                return original(*arguments, **options)
            self.dead = self.error is _Killed
            if self.moment == "after":
                original(*arguments, **options)
            elif name == "copyfile":
                data = Path(arguments[0]).read_bytes()
                Path(arguments[1]).write_bytes(data[: len(data) // 2])
            raise self.error

        monkeypatch.setattr(owner, name, wrapped)


def _whole(folder: Path, songs: Songs, moves: dict[Path, Path], payloads: dict[Path, str], journal: Journal) -> None:
    """Each song is in one place, old or new and whole; the journal knows which; nothing else is left."""
    assert leftovers(folder) == []
    written: dict[Path, dict[str, bool]] = {path: {"genre": False, "move": False} for path in songs.values()}
    for one in journal.changes():
        assert one.state in ("written", "failed", "undone")
        written[one.path][one.kind] = one.state == "written"
    for path in songs.values():
        places = [place for place in (path, moves.get(path)) if place is not None and os.path.lexists(place)]
        assert len(places) == 1 and places[0].stat().st_nlink == 1
        assert payload_digest(places[0]) == payloads[path]
        genres = tuple(MediaFile(places[0]).genres)
        assert genres == (NEW if written[path]["genre"] else OLD)
        assert places[0] == (moves[path] if written[path]["move"] else path)


def _fast(journal: Journal) -> Journal:
    journal._sql.execute("PRAGMA synchronous = OFF")
    return journal


@pytest.mark.parametrize("error", [KeyboardInterrupt, _Killed])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("undoes", [False, True], ids=["write", "undo"])
@FILE_SYSTEMS
def test_broken_off_anywhere_each_song_is_old_or_new_and_whole_and_the_journal_knows_which(
    templates: dict[tuple[str, ...], tuple[Path, Songs]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    system: Callable[[pytest.MonkeyPatch], None],
    undoes: bool,
    moment: str,
    error: type[BaseException],
) -> None:
    origin, paths = templates[OLD]
    # Elsewhere only the move is another.
    everywhere = system in (_across, _without_links)
    template = {kind: paths[kind] for kind in (("mp3",) if everywhere else ("mp3", "opus"))}
    calls: set[str] = set()
    at = 0
    while True:
        folder = tmp_path / str(at)
        songs = {kind: folder / "songs" / path.relative_to(origin) for kind, path in template.items()}
        for kind, path in songs.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(template[kind], path)
        original = contents(folder / "songs")
        payloads = {path: payload_digest(path) for path in songs.values()}
        moves = {songs["mp3"]: folder / "sorted" / "new" / "there.mp3"}
        proposals = [replace(heard(path), move_to=moves.get(path)) for path in songs.values()]
        if everywhere:
            proposals = [Proposal(path, "keep", OLD, OLD, target) for path, target in moves.items()]
        with monkeypatch.context() as patch, Journal(folder / "journal.sqlite3") as journal:
            system(patch)
            _fast(journal)
            if undoes:
                applied(journal, proposals, backup=folder / "backup")
            faults = _Faults(patch, folder, at, moment, error)
            try:
                if undoes:
                    undone(journal)
                else:
                    applied(journal, proposals, backup=folder / "backup")
            except error:
                assert faults.fired
        with monkeypatch.context() as patch, Journal(folder / "journal.sqlite3") as journal:
            system(patch)
            settled = recover(_fast(journal))
            # An interruption, unlike a kill, leaves nothing to settle.
            assert error is _Killed or settled == 0
            _whole(folder, songs, moves, payloads, journal)
            for run in journal.runs():
                assert all(one.error is None for one in undone(journal, run.id))
            assert contents(folder / "songs") == original and not (folder / "sorted").exists()
            assert leftovers(folder) == []
        shutil.rmtree(folder)
        calls.update(faults.calls)
        if not faults.fired:
            break
        at += 1
    # No point was forgotten.
    if everywhere:
        moved = {"link", "rename", "unlink"} if system is _across else {"rename"}
        assert calls >= moved | ({"settle", "rmdir"} if undoes else {"begin", "settle", "mkdir"})
    else:
        moved = {"link", "unlink", "rmdir"} if undoes else {"link", "unlink", "mkdir", "begin"}
        assert calls >= moved | {"open", "copyfile", "write_field", "fsync", "replace", "settle"}


def test_a_child_that_is_killed_while_it_holds_a_song_leaves_it_to_the_next_run(songs: Songs, tmp_path: Path) -> None:
    # A real end of a real process, at the worst moment: the copy is ready and has not taken the song's place.
    code = """if True:
        import os, signal, sys
        from pathlib import Path
        from keraudio.tagging import Journal, Proposal, apply_proposals
        os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        song = Path(os.fsdecode(sys.argv[2]))
        with Journal(Path(sys.argv[1])) as journal:
            list(apply_proposals([Proposal(song, "change", ("Old",), ("New",))], journal, command="killed"))
    """
    path, file = songs["ogg"], tmp_path / "journal.sqlite3"
    before = path.read_bytes()
    assert run_child(code, file, path).code == -signal.SIGKILL
    assert len(leftovers(path.parent)) == 1
    with Journal(file) as journal:
        assert states(journal) == ["writing"]
        assert [one.error for one in applied(journal, [heard(songs["mp3"])])] == [None]
        first, second = journal.changes()
        assert (first.state, second.state) == ("failed", "written")
        assert first.reason == "interrupted before it was written"
    assert leftovers(path.parent) == [] and path.read_bytes() == before


APE_FOOTER = b"APETAGEX" + (2000).to_bytes(4, "little") + (64).to_bytes(4, "little") + bytes(4) + bytes(12)


@pytest.mark.parametrize("added", [made.ID3V1, bytes(32) + APE_FOOTER, bytes(32) + APE_FOOTER + made.ID3V1])
def test_undoing_does_not_mind_tags_that_others_have_added_at_the_end(
    tmp_path: Path, journal: Journal, added: bytes
) -> None:
    song = made.write_kind(tmp_path / "songs", "mp3")
    before = song.read_bytes()
    list(apply_proposals([Proposal(song, "change", (), ("Rock",))], journal, command="test"))
    with song.open("ab") as file:
        file.write(added)
    (undone,) = undo_run(journal, journal.runs()[0].id)
    assert undone.error is None and song.read_bytes() == before + added


def test_links_are_not_moved_and_songs_edited_after_their_plan_was_read_are_left(
    tmp_path: Path, journal: Journal
) -> None:
    song = made.write_kind(tmp_path / "songs", "flac")
    link = tmp_path / "link.flac"
    link.symlink_to(song)
    plan = tmp_path / "plan.csv"
    write_plan(plan, [Proposal(song, "change", (), ("Rock",))])
    (proposal,) = read_plan(plan)
    moved = Proposal(link, "same", (), (), tmp_path / "new.flac")
    (outcome,) = apply_proposals([moved], journal, command="test")
    assert outcome.error == f"{link}: a link is not moved" and link.is_symlink() and song.is_file()
    made.tag_song(song, ["Mine"])
    before = song.read_bytes()
    (outcome,) = apply_proposals([proposal], journal, command="test")
    assert outcome.error == f"{song}: has changed since the plan was written" and song.read_bytes() == before


@pytest.mark.parametrize("kind", ["ogg", "opus"])
def test_a_damaged_head_page_is_not_made_to_look_right(tmp_path: Path, journal: Journal, kind: str) -> None:
    song = made.write_kind(tmp_path / "songs", kind)
    content = bytearray(song.read_bytes())
    # In the page of the comments, its checksum.
    content[content.index(b"OggS", 4) + 22] ^= 1
    song.write_bytes(content)
    (outcome,) = apply_proposals([Proposal(song, "change", (), ("Rock",))], journal, command="test")
    assert outcome.error is not None and "a page's checksum is wrong" in outcome.error
    assert song.read_bytes() == content
