"""Ends keraudio with SIGKILL while it writes: 26 times, or as often as KERAUDIO_KILLS says; -s shows the counts."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from command_line import ENTRY, run_child, write_broken_songs
from mediafile import MediaFile
from songs import write_collection, write_kind
from tones import tone_classifier

import keraudio
from keraudio.audio import find_audio
from keraudio.cli.exit_codes import SOME_FAILED
from keraudio.tagging import Journal, Proposal, apply_proposals
from keraudio.tagging.payload import payload_digest

KILLS = int(os.environ.get("KERAUDIO_KILLS", "26"))
OLD, NEW = ("Old",), ("high", "low")
COPIES = 3


@dataclass(frozen=True)
class Library:
    """Songs with an old genre each among files that cannot be heard or written, a model, and a journal."""

    folder: Path
    model: Path
    journal: Path
    songs: list[Path]
    originals: dict[Path, bytes]
    # Not to be written to.
    others: dict[Path, bytes]
    payloads: dict[Path, str]
    environment: dict[str, str]
    # Seconds of a whole run, and of writing one song.
    whole: float
    each: float

    @property
    def tag(self) -> list[str]:
        return [
            *("tag", str(self.folder), "--model", str(self.model), "--journal", str(self.journal)),
            *("--write", "--existing", "replace"),
        ]

    @property
    def undo(self) -> list[str]:
        return ["undo", "--last", "--journal", str(self.journal)]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    root = tmp_path_factory.mktemp("kill")
    for copy in range(COPIES):
        write_collection(root / "songs" / str(copy), genres=OLD)
    songs = find_audio([root / "songs"])
    write_kind(root / "songs" / "0", "flac", name="read-only.flac").chmod(0o444)
    (root / "songs" / "broken").mkdir()
    write_broken_songs(root / "songs" / "broken")
    every = [path for path in (root / "songs").rglob("*") if path.is_file()]
    keraudio.save(tone_classifier(), root / "tiny.keras")
    checkout = str(Path(__file__).resolve().parents[2])
    environment = {"PYTHONPATH": checkout, "KERAUDIO_CACHE": str(root / "cache"), "KERAUDIO_JOURNAL": str(root / "x")}
    library = Library(
        root / "songs",
        root / "tiny.keras",
        root / "journal.sqlite3",
        songs,
        {path: path.read_bytes() for path in songs},
        {path: path.read_bytes() for path in every if path not in songs},
        {path: payload_digest(path) for path in songs},
        environment,
        0.0,
        0.0,
    )
    # The first run hears the songs; those after it know them, and need no backend.
    assert run_child(ENTRY, *library.tag[:4], **environment).code == SOME_FAILED
    began = time.perf_counter()
    process = start(library, library.tag)
    assert process.stdout is not None
    times = [time.perf_counter() for _ in process.stdout]
    assert process.wait() == SOME_FAILED and len(times) == len(songs)
    whole, each = time.perf_counter() - began, (times[-1] - times[0]) / (len(times) - 1)
    assert run_child(ENTRY, *library.undo, **environment).code == 0
    restored(library)
    return Library(**vars(library) | {"whole": whole, "each": each})


def start(library: Library, arguments: list[str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", ENTRY, *arguments],
        env=os.environ | library.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # So that its workers can be told from others when it is gone.
        start_new_session=True,
    )


def kill(library: Library, arguments: list[str], order: list[Path], rng: np.random.Generator) -> bool:
    """Runs the command line and ends it at a random time; returns whether that was before its own end."""
    inodes = {path: path.stat().st_ino for path in order}
    process = start(library, arguments)
    if rng.random() < 0.15:
        # Any time from its start to its end.
        wait(process, rng.uniform(0, library.whole))
    else:
        # Some time after one of the songs was replaced.
        chosen = order[int(rng.integers(len(order)))]
        deadline = time.monotonic() + 60
        while chosen.stat().st_ino == inodes[chosen] and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.0005)
        wait(process, rng.uniform(0, 1.5 * library.each))
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 60
    while session(process.pid):
        # Its workers find that their input has ended.
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process.returncode == -signal.SIGKILL


def wait(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)


def session(leader: int) -> list[int]:
    """Processes that a process has started, itself or through others, and that have not ended."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            try:
                fields = Path(entry.path, "stat").read_text(errors="replace").rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == leader and fields[0] not in "ZX":
                found.append(int(entry.name))
    return found


def temporaries(library: Library) -> list[Path]:
    known = library.originals | library.others
    return [path for path in library.folder.rglob("*") if path.is_file() and path not in known]


def genres(library: Library) -> dict[Path, tuple[str, ...]]:
    """What another program reads; each song is there, with its sound and with an old or a new genre."""
    found = {}
    for path in library.songs:
        assert payload_digest(path) == library.payloads[path]
        song = MediaFile(path)
        found[path] = tuple(song.genres)
        assert found[path] == OLD or (len(found[path]) == 1 and found[path][0] in NEW)
        assert (song.title, song.artist, len(song.images)) == ("Title", "Ärtist", 1)
    assert {path: path.read_bytes() for path in library.others} == library.others
    return found


def states(library: Library) -> Counter[str]:
    """Changes by their state, as they stand in the file."""
    with contextlib.closing(sqlite3.connect(library.journal)) as sql:
        return Counter(dict(sql.execute("SELECT state, count(*) FROM changes GROUP BY state").fetchall()))


def consistent(library: Library) -> None:
    """Nothing is half-way: no temporary file, no open change, and the journal knows the genre of each song."""
    assert temporaries(library) == []
    found = genres(library)
    with Journal(library.journal) as journal:
        changes = journal.changes()
        assert {one.state for one in changes} <= {"written", "failed", "undone"}
        now: dict[Path, tuple[str, ...]] = {}
        for one in changes:
            now[one.path] = tuple(one.details["new" if one.state == "written" else "old"]["values"])
    assert {path: now.get(path, OLD) for path in library.songs} == found


def restored(library: Library) -> None:
    consistent(library)
    assert {path: path.read_bytes() for path in library.songs} == library.originals
    with Journal(library.journal) as journal:
        assert journal.changes(states=("written",)) == []


def take_back(library: Library) -> None:
    """Undoes run after run by the command line, at least once, which settles what a killed run has left."""
    while True:
        child = run_child(ENTRY, *library.undo, **library.environment)
        assert child.code == 0, child.message
        if not states(library)["written"]:
            return


def test_killed_at_any_time_nothing_is_lost_and_everything_can_be_taken_back(library: Library) -> None:
    rng = np.random.default_rng(0)
    counts: Counter[str] = Counter()
    everything = len(library.songs)
    for number in range(KILLS):
        undoes = number % 2 == 1
        counts["kills"] += 1
        if undoes:
            with Journal(library.journal) as journal:
                proposals = [Proposal(path, "change", OLD, NEW[:1]) for path in library.songs]
                assert all(one.written for one in apply_proposals(proposals, journal, command="test"))
            killed = kill(library, library.undo, library.songs[::-1], rng)
        else:
            killed = kill(library, library.tag, library.songs, rng)
        verb = "undo" if undoes else "tag"
        found = genres(library)
        changed = sum(found[path] != OLD for path in library.songs)
        after = states(library)
        counts[f"{verb}: killed"] += killed
        counts[f"{verb}: with some songs done and some not"] += killed and 0 < changed < everything
        counts[f"{verb}: inside a song"] += after["writing"] + after["undoing"] > 0
        counts[f"{verb}: with a temporary file"] += bool(temporaries(library))
        if not undoes and rng.random() < 0.25:
            # Whoever tags again finishes what was begun.
            child = run_child(ENTRY, *library.tag, **library.environment)
            assert child.code == SOME_FAILED, child.message
            assert all(genre != OLD for genre in genres(library).values())
            consistent(library)
            counts["tagged again"] += 1
        take_back(library)
        restored(library)
    print("", *(f"{name}: {count}" for name, count in counts.items()), sep="\n")
    assert counts["tag: killed"] + counts["undo: killed"] >= 0.5 * KILLS
    for verb in ("tag", "undo"):
        assert counts[f"{verb}: with some songs done and some not"] >= KILLS / 10
    assert counts["tag: inside a song"] + counts["undo: inside a song"] >= 1
