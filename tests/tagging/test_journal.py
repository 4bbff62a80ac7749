import os
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from command_line import ODD_NAMES, run_child

from keraudio.errors import TagError
from keraudio.tagging import Change, Journal, JournalBusyError, journal_file

# Notes a change that is about to be made, holds the lock, and waits to be killed.
HOLD = """
import sys
from pathlib import Path
from keraudio.tagging.journal import Journal
journal = Journal(Path(sys.argv[1]))
with journal.writing():
    run = journal.begin_run("killed")
    journal.settle(journal.begin(run, "genre", Path("/a.mp3"), "token", {}), "written")
    journal.begin(run, "genre", Path("/b.mp3"), "token", {})
    print("held", flush=True)
    sys.stdin.read()
"""
TRY = """
import sys
from pathlib import Path
from keraudio.tagging.journal import Journal
with Journal(Path(sys.argv[1])) as journal, journal.writing():
    print("free")
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "below" / "journal.sqlite3"


def begin(journal: Journal, run: int, name: str = "a.mp3", kind: str = "genre") -> Change:
    return journal.begin(run, kind, Path("/music") / name, "token", {"old": {}, "size": 3})


def test_a_change_is_known_from_its_beginning_to_its_end(file: Path) -> None:
    with Journal(file) as journal:
        run = journal.begin_run("tag music")
        details = {"old": {"values": ["Ünï"], "version": None}, "new": {"values": []}, "size": 2**40, "backup": None}
        change = journal.begin(run, "genre", Path("/music/a.mp3"), "0a1b", details)
        assert change == Change(change.id, run, "genre", "writing", Path("/music/a.mp3"), "0a1b", details)
        assert journal.changes() == [change]
        written = journal.settle(change, "written")
        assert (written.state, written.reason) == ("written", None) and journal.changes() == [written]
        undoing = journal.settle(written, "undoing")
        failed = journal.settle(undoing, "written", "a.mp3: is read-only")
        assert failed.reason == "a.mp3: is read-only" and journal.changes() == [failed]
        undone = journal.settle(journal.settle(failed, "undoing"), "undone")
        assert undone.reason is None and journal.changes() == [undone]
    with Journal(file) as journal:
        assert journal.changes() == [undone]


def test_a_move_knows_where_it_went(file: Path) -> None:
    with Journal(file) as journal:
        run = journal.begin_run("tag")
        change = journal.begin(run, "move", Path("/a/s.mp3"), "t", {"made": ["/b"]}, Path("/b/s.mp3"))
        assert change.target == Path("/b/s.mp3") and journal.changes() == [change]


def test_any_name_comes_back(file: Path) -> None:
    names = [*ODD_NAMES, os.fsdecode(bytes(n for n in range(1, 256) if n != ord("/"))), "é", "é"]
    with Journal(file) as journal:
        run = journal.begin_run("tag")
        begun = [
            journal.begin(run, "move", Path("/m") / name, "t", {"backup": f"/{name}"}, Path("/t") / name)
            for name in names
        ]
        assert [os.fsencode(one.path) for one in journal.changes()] == [b"/m/" + os.fsencode(name) for name in names]
        assert journal.changes() == begun
        assert [one.details["backup"] for one in journal.changes()] == [f"/{name}" for name in names]


def test_changes_are_asked_for_by_run_and_by_state_in_their_order(file: Path) -> None:
    with Journal(file) as journal:
        one, two = journal.begin_run("one"), journal.begin_run("two")
        changes = [begin(journal, run, f"{n}.mp3") for n, run in enumerate((two, one, two, one, two))]
        for change, state in zip(changes[:4], ("written", "failed", "written", "undone"), strict=True):
            journal.settle(change, state)
        assert [change.path.name[0] for change in journal.changes()] == ["0", "1", "2", "3", "4"]
        assert [change.path.name[0] for change in journal.changes(two)] == ["0", "2", "4"]
        assert [change.path.name[0] for change in journal.changes(two, ("written",))] == ["0", "2"]
        assert [change.path.name[0] for change in journal.changes(states=("writing", "failed"))] == ["1", "4"]
        assert journal.changes(99) == journal.changes(states=("other",)) == []


def test_runs_are_listed_with_what_became_of_their_changes(file: Path) -> None:
    with Journal(file) as journal:
        first = journal.begin_run("tag a")
        for state in ("written", "written", "failed"):
            journal.settle(begin(journal, first), state)
        second = journal.begin_run("apply 'b'; ü")
        begin(journal, second)
        third = journal.begin_run("tag c")
        runs = journal.runs()
        assert [run.id for run in runs] == [third, second, first]
        assert [run.states for run in runs] == [{}, {"writing": 1}, {"written": 2, "failed": 1}]
        assert [run.command for run in runs] == ["tag c", "apply 'b'; ü", "tag a"]
        for run in runs:
            assert abs(datetime.fromisoformat(run.started) - datetime.now(UTC)) < timedelta(minutes=5)


def test_a_run_without_changes_can_be_forgotten_and_its_number_is_not_given_again(file: Path) -> None:
    with Journal(file) as journal:
        kept, empty = journal.begin_run("kept"), journal.begin_run("empty")
        journal.settle(begin(journal, kept), "failed")
        for run in (kept, empty, 99):
            journal.forget_run(run)
        assert [run.id for run in journal.runs()] == [kept]
    with Journal(file) as journal:
        assert journal.begin_run("next") > empty


def test_the_journal_is_where_the_user_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAUDIO_JOURNAL", str(tmp_path / "a" / "mine"))
    assert journal_file() == tmp_path / "a" / "mine"
    with Journal() as journal:
        assert journal.path == tmp_path / "a" / "mine" and journal.path.is_file()
    monkeypatch.delenv("KERAUDIO_JOURNAL")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    assert journal_file() == tmp_path / "xdg" / "keraudio" / "journal.sqlite3"


def test_a_journal_has_any_name(tmp_path: Path) -> None:
    for name in ("\udcff ?%41#.sqlite3", "ü\n"):
        with Journal(tmp_path / name) as journal, journal.writing():
            begin(journal, journal.begin_run("tag"))
        with Journal(tmp_path / name) as journal:
            assert len(journal.changes()) == 1


def test_only_one_may_write(file: Path) -> None:
    message = f"{file}: another keraudio is writing; let it finish, or give --journal"
    with Journal(file) as one, Journal(file) as two:
        with one.writing():
            with pytest.raises(JournalBusyError) as caught, two.writing():
                pass
            assert str(caught.value) == message
            child = run_child(TRY, file)
            assert child.code == 1 and child.err.decode().rstrip().endswith(f"JournalBusyError: {message}")
            # All may read, and another journal is another matter.
            begin(one, one.begin_run("tag"))
            assert len(two.changes()) == 1
            with Journal(file.with_name("other")) as other, other.writing():
                pass
        with two.writing():
            pass
    assert run_child(TRY, file).out == b"free\n"


def test_the_lock_is_free_after_an_error(file: Path) -> None:
    with Journal(file) as one, Journal(file) as two:
        with pytest.raises(ZeroDivisionError), one.writing():
            raise ZeroDivisionError
        with pytest.raises(KeyboardInterrupt), one.writing():
            raise KeyboardInterrupt
        with two.writing():
            pass


def test_a_killed_process_leaves_what_it_noted_and_no_lock(file: Path) -> None:
    checkout = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [checkout, os.environ.get("PYTHONPATH")]))
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(file)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    try:
        assert child.stdout is not None and child.stdout.readline() == b"held\n"
        with Journal(file) as journal, pytest.raises(JournalBusyError), journal.writing():
            pass
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    assert child.returncode == -signal.SIGKILL
    with Journal(file) as journal, journal.writing():
        assert [(one.path.name, one.state) for one in journal.changes()] == [("a.mp3", "written"), ("b.mp3", "writing")]


def test_many_that_open_a_new_journal_at_once_find_one(file: Path) -> None:
    def run(number: int) -> int:
        with Journal(file) as journal:
            return journal.begin_run(str(number))

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(run, range(24))) == list(range(1, 25))


def test_what_is_no_journal_is_refused_in_one_line_and_stays(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database\n" * 100)
    (tmp_path / "folder").mkdir()
    for name, statement in (("other", "CREATE TABLE runs (id INTEGER)"), ("newer", "PRAGMA user_version = 2")):
        with sqlite3.connect(tmp_path / name) as other:
            other.execute(statement)
        other.close()
    for name, reason in (
        ("text", "file is not a database"),
        ("folder", "unable to open database file"),
        ("text/below", "file exists"),
        ("other", "no journal of schema 1"),
        ("newer", "no journal of schema 1"),
    ):
        with pytest.raises(TagError) as caught:
            Journal(tmp_path / name)
        message = str(caught.value)
        assert message.startswith(f"{tmp_path / name}: the journal cannot be opened: ") and reason in message
        assert "\n" not in message
    assert (tmp_path / "text").read_text() == "no database\n" * 100
    with sqlite3.connect(tmp_path / "other") as other:
        assert [row[0] for row in other.execute("SELECT name FROM sqlite_master")] == ["runs"]
    other.close()


def test_an_empty_file_becomes_a_journal(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with Journal(tmp_path / "empty") as journal:
        assert journal.runs() == []


def test_a_lock_that_cannot_be_held_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "journal.lock").mkdir()
    refused = pytest.raises(TagError, match="the journal cannot be locked: ")
    with Journal(tmp_path / "journal") as journal, refused, journal.writing():
        pass


def test_another_programs_database_is_left_as_it_is(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other") as other:
        other.execute("CREATE TABLE songs (id INTEGER)")
    other.close()
    before = (tmp_path / "other").read_bytes()
    with pytest.raises(TagError, match="no journal of schema 1"):
        Journal(tmp_path / "other")
    assert (tmp_path / "other").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_without_filelock_writing_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "filelock", None)
    refused = pytest.raises(TagError, match=r"^The journal needs filelock: pip install 'keraudio\[tagging\]'$")
    with Journal(tmp_path / "journal") as journal, refused, journal.writing():
        pass
