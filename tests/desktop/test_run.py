"""What the app does to songs, from a folder to files on the disk and back."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import write_song
from keraudio_desktop.main_window import MainWindow
from keraudio_desktop.songs import Song, State
from mediafile import MediaFile
from pytestqt.qtbot import QtBot

from keraudio.tagging import Journal, read_plan
from keraudio.tagging.payload import payload_digest
from keraudio.tagging.song_tags import other_tags, read_field

Listen = Callable[[MainWindow, Path], None]


def song_named(window: MainWindow, name: str) -> Song:
    return next(song for song in window.controller.table.songs if song.path.name == name)


def row_named(window: MainWindow, name: str) -> int:
    return window.controller.table.songs.index(song_named(window, name))


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def wait_for_files(qtbot: QtBot, window: MainWindow) -> None:
    qtbot.waitUntil(lambda: not window.controller.background.busy, timeout=120_000)


def children_of(pid: int) -> list[int]:
    """Processes that a process has started, as Linux knows them."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name in brackets may hold anything.
            if int(status.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(status.parent.name))
    return found


def test_a_folder_is_heard_and_the_bad_file_is_listed_with_its_reason(
    window: MainWindow, album: Path, listen: Listen
) -> None:
    listen(window, album)
    songs = window.controller.table.songs
    assert [song.path.name[:5] for song in songs] == ["a.mp3", "b.fla", "bad.w", "c.ogg", "a ver"]
    assert [song.state for song in songs] == [
        State.PROPOSED,
        State.PROPOSED,
        State.FAILED,
        State.KEEP,
        State.PROPOSED,
    ]
    assert songs[3].artist == "Bert" and songs[3].current == ("Rock", "Jazz")
    assert window.failures.count() == 1 and window.failures.item(0).text().startswith("bad.wav: ")
    assert window.tabs.tabText(1) == "Failures (1)"
    assert window.shown.rowCount() == 5 and window.counts.text()


def test_accepted_and_edited_genres_are_written_and_undo_brings_the_very_bytes_back(
    qtbot: QtBot, window: MainWindow, album: Path, listen: Listen
) -> None:
    listen(window, album)
    before = contents(album)
    sounds = {path: payload_digest(path) for path in before if path.suffix != ".wav"}
    others = {path: other_tags(path) for path in sounds}
    controller = window.controller
    window.act["accept_shown"].trigger()
    controller.edit([row_named(window, "b.flac"), row_named(window, "c.ogg")], ["Dub", "Ska"])
    controller.reject([len(controller.table.songs) - 1])
    assert contents(album) == before
    window.act["apply"].trigger()
    wait_for_files(qtbot, window)

    after = contents(album)
    changed = {path.name for path in before if after[path] != before[path]}
    assert changed == {"a.mp3", "b.flac", "c.ogg"}
    assert MediaFile(album / "b.flac").genres == MediaFile(album / "c.ogg").genres == ["Dub", "Ska"]
    assert tuple(MediaFile(album / "a.mp3").genres) == song_named(window, "a.mp3").current
    assert {path: payload_digest(path) for path in sounds} == sounds
    assert {path: other_tags(path) for path in sounds if path.name != "a.mp3"} == {
        path: value for path, value in others.items() if path.name != "a.mp3"
    }
    assert song_named(window, "b.flac").state == State.WRITTEN
    assert "3 of 3 songs written" in window.progress.text.text()

    window.act["undo"].trigger()
    wait_for_files(qtbot, window)
    # Another genre that is taken back leaves no byte behind; of a first one the engine promises the tag alone.
    assert contents(album)[album / "b.flac"] == before[album / "b.flac"]
    assert contents(album)[album / "c.ogg"] == before[album / "c.ogg"]
    assert read_field(album / "a.mp3").values == ()
    assert song_named(window, "c.ogg").current == ("Rock", "Jazz")
    assert not {State.WRITTEN, State.FAILED} & {s.state for s in controller.table.songs if s.path.suffix != ".wav"}
    assert "3 of 3 changes undone" in window.progress.text.text()
    window.act["undo"].trigger()
    wait_for_files(qtbot, window)
    assert window.progress.text.text() == "There is nothing to undo."


def test_a_song_that_changed_since_it_was_heard_is_left_alone_and_listed(
    qtbot: QtBot, window: MainWindow, album: Path, listen: Listen
) -> None:
    listen(window, album)
    song = MediaFile(album / "b.flac")
    song.genres = ["Polka"]
    song.save()
    window.act["accept_shown"].trigger()
    window.act["apply"].trigger()
    wait_for_files(qtbot, window)
    assert MediaFile(album / "b.flac").genres == ["Polka"]
    assert song_named(window, "b.flac").state == State.FAILED
    assert "has changed since it was read" in window.failures.item(1).text()
    assert song_named(window, "a.mp3").state == State.WRITTEN


def test_the_limit_and_the_rule_for_genres_draw_proposals_anew_without_hearing_again(
    qtbot: QtBot, window: MainWindow, album: Path, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen(window, album)
    monkeypatch.setattr(window.controller.listening.child, "ask", lambda **request: pytest.fail(f"asked {request}"))
    window.filters.limit.setValue(100)
    qtbot.waitUntil(lambda: not window.controller.slices.busy, timeout=5000)
    heard = [song for song in window.controller.table.songs if song.state != State.FAILED]
    assert {song.state for song in heard} == {State.UNSURE}
    window.filters.limit.setValue(0)
    window.filters.existing.setCurrentIndex(window.filters.existing.findData("append"))
    qtbot.waitUntil(lambda: not window.controller.slices.busy, timeout=5000)
    assert song_named(window, "c.ogg").new[:2] == ("Rock", "Jazz") and len(song_named(window, "c.ogg").new) == 3


def test_plan_table_and_playlists_hold_what_was_decided(
    qtbot: QtBot, window: MainWindow, album: Path, listen: Listen, tmp_path: Path
) -> None:
    listen(window, album)
    window.controller.edit([row_named(window, "b.flac")], ["Dub"])
    window.controller.reject([row_named(window, "a.mp3")])
    for export, target in (
        (window.controller.export_plan, tmp_path / "plan.csv"),
        (window.controller.export_table, tmp_path / "songs.csv"),
        (window.controller.export_playlists, tmp_path / "lists"),
    ):
        export(target)
        wait_for_files(qtbot, window)
        assert target.exists() and str(target) in window.progress.text.text()
    plan = {one.path.name: one.new for one in read_plan(tmp_path / "plan.csv")}
    assert plan["b.flac"] == ("Dub",) and "a.mp3" not in plan and "c.ogg" not in plan
    table = (tmp_path / "songs.csv").read_text(encoding="utf-8-sig").splitlines()
    assert len(table) == 6 and any("bad.wav" in line and ",failed," in line for line in table)
    assert "../album/b.flac" in (tmp_path / "lists" / "Dub.m3u8").read_text()
    assert not any("a.mp3" in file.read_text() for file in (tmp_path / "lists").iterdir())


def test_an_export_that_fails_says_why(qtbot: QtBot, window: MainWindow, album: Path, listen: Listen) -> None:
    listen(window, album)
    window.controller.export_plan(album / "bad.wav")
    wait_for_files(qtbot, window)
    assert "must not replace another file" in window.progress.text.text()
    assert (album / "bad.wav").read_bytes() == b"no song" * 100


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """More songs than are heard before a test does something."""
    (tmp_path / "many").mkdir()
    whole = write_song(tmp_path / "many" / "000.wav", seconds=60.0, sample_rate=16000).read_bytes()
    for number in range(1, 400):
        (tmp_path / "many" / f"{number:03d}.wav").write_bytes(whole)
    return tmp_path / "many"


def begin(qtbot: QtBot, window: MainWindow, folder: Path) -> None:
    """Hears a folder anew, until the first songs are heard."""
    window.open_paths([folder])
    window.controller.open([folder], refresh=True)
    heard = window.controller.table.songs
    qtbot.waitUntil(lambda: sum(s.state != State.WAITING for s in window.controller.table.songs) >= 3, timeout=240_000)
    assert window.controller.busy and heard is not None


def test_cancel_ends_a_run_within_a_second_and_keeps_what_was_heard(
    qtbot: QtBot, window: MainWindow, many: Path
) -> None:
    begin(qtbot, window, many)
    listener = window.controller.listening.child.pid
    began = time.monotonic()
    window.act["cancel"].trigger()
    assert not window.controller.busy and time.monotonic() - began < 0.2
    # The decoders end with the run, or all of them with their process.
    qtbot.waitUntil(lambda: not children_of(listener), timeout=1000)
    states = [song.state for song in window.controller.table.songs]
    assert len(states) == 400 and states[0] == State.PROPOSED and states[-1] == State.WAITING
    assert "Cancelled after" in window.progress.text.text() and not window.progress.bar.isVisible()
    count = states.count(State.WAITING)
    qtbot.wait(300)
    assert [song.state for song in window.controller.table.songs].count(State.WAITING) == count


def test_pause_stands_still_until_it_goes_on(qtbot: QtBot, window: MainWindow, many: Path) -> None:
    begin(qtbot, window, many)
    window.act["pause"].trigger()
    qtbot.waitUntil(lambda: window.controller.paused, timeout=60_000)
    assert window.act["pause"].isChecked()
    done = sum(song.state != State.WAITING for song in window.controller.table.songs)
    qtbot.wait(400)
    assert sum(song.state != State.WAITING for song in window.controller.table.songs) == done < 400
    window.act["pause"].trigger()
    qtbot.waitUntil(
        lambda: sum(song.state != State.WAITING for song in window.controller.table.songs) > done, timeout=60_000
    )
    assert not window.controller.paused
    window.act["cancel"].trigger()


def test_a_crash_of_what_listens_is_reported_and_the_app_goes_on(qtbot: QtBot, window: MainWindow, many: Path) -> None:
    begin(qtbot, window, many)
    os.kill(window.controller.listening.child.pid, signal.SIGSEGV)
    qtbot.waitUntil(lambda: not window.controller.busy, timeout=60_000)
    reasons = [window.failures.item(row).text() for row in range(window.failures.count())]
    assert any("listens broke: it crashed (SIGSEGV)" in reason for reason in reasons)
    heard = [song for song in window.controller.table.songs if song.state == State.PROPOSED]
    assert heard
    # What was heard can be decided on, and the next run starts a process of its own.
    window.controller.accept([0])
    assert window.controller.table.songs[0].state == State.ACCEPTED
    window.open_paths([many / "000.wav"])
    qtbot.waitUntil(lambda: not window.controller.busy, timeout=240_000)
    assert [song.state for song in window.controller.table.songs] == [State.PROPOSED]


def test_closing_while_songs_are_heard_leaves_no_process_and_touches_no_song(
    qtbot: QtBot, window: MainWindow, many: Path
) -> None:
    begin(qtbot, window, many)
    before = {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in many.iterdir()}
    listener = window.controller.listening.child.pid
    window.close()
    assert not Path(f"/proc/{listener}").exists()
    qtbot.waitUntil(lambda: not children_of(listener), timeout=2000)
    assert {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in many.iterdir()} == before


def test_closing_while_songs_are_written_leaves_each_whole_and_undo_finds_it(
    qtbot: QtBot, make_window: Callable[[], MainWindow], album: Path, listen: Listen, tmp_path: Path
) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    whole = (album / "b.flac").read_bytes()
    for number in range(60):
        (folder / f"{number:02d}.flac").write_bytes(whole)
    window = make_window()
    listen(window, folder)
    window.act["accept_shown"].trigger()
    window.act["apply"].trigger()
    qtbot.waitUntil(lambda: song_named(window, "02.flac").state == State.WRITTEN, timeout=120_000)
    window.close()
    songs = sorted(folder.iterdir())
    # No copy lies about, and every song is as it was or as it should be.
    assert [song.name for song in songs] == [f"{number:02d}.flac" for number in range(60)]
    written = [song for song in songs if read_field(song).values]
    assert all(song.read_bytes() == whole for song in songs if song not in written)
    with Journal() as journal:
        (run,) = journal.runs()
        assert run.states == {"written": len(written)} and len(written) >= 3
    again = make_window()
    again.act["undo"].trigger()
    wait_for_files(qtbot, again)
    assert all(song.read_bytes() == whole for song in songs)


def test_details_show_what_the_model_hears_along_the_song(
    qtbot: QtBot, window: MainWindow, album: Path, listen: Listen
) -> None:
    listen(window, album)
    window.view.go_to(row_named(window, "b.flac"))
    detail = window.detail
    qtbot.waitUntil(lambda: detail.waveform.duration > 0, timeout=240_000)
    assert detail.strip.words().split(" from ")[0] in ("high", "low")
    assert detail.mel.duration == pytest.approx(0.6, abs=0.05) and detail.strip.accessibleDescription()
    assert detail.top.rowCount() == 2 and "→" not in detail.top.item(0, 0).text()
    # A click on a picture plays from there.
    places: list[float] = []
    window.player.moved.connect(places.append)
    detail.sought.emit(0.3)
    assert window.player.playing and window.act["play"].isChecked()
    qtbot.waitUntil(lambda: not window.player.playing, timeout=120_000)
    assert not window.act["play"].isChecked()
    window.view.go_to(row_named(window, "bad.wav"))
    assert detail.waveform.duration == 0 and not detail.strip.words()
