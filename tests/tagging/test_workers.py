import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
import songs as made
import soundfile
from command_line import ODD_NAMES, write_broken_songs, write_song
from tones import tone_classifier

import keraudio
from keraudio.audio import read_windows
from keraudio.tagging import StoredModel, predict_files, read_tags
from keraudio.tagging.payload import payload_digest
from keraudio.tagging.results import Results, settings_digest
from keraudio.tagging.worker import LENGTHS
from keraudio.tagging.workers import Examined, Workers

CUT: dict[str, Any] = {"sample_rate": 4000, "window": 2000, "hop": 1000, "limit": 10}
SETTINGS = CUT | {"silence": None, "tags": True, "results": None}

# What Python runs when it starts in a worker: opening a file of one of these names breaks the process, as a fault in a
# decoder's native code would. One that hangs says so, and who it is, through a named pipe.
BREAKS = """
import os, signal, sys

def broken(event, arguments):
    if event != "open" or not isinstance(arguments[0], (str, bytes, os.PathLike)):
        return
    match os.path.basename(os.fsdecode(arguments[0])).partition(".")[0]:
        case "abort":
            os.abort()
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "exit":
            os._exit(7)
        case "leave":
            os._exit(0)
        case "hang":
            pipe = os.open(os.environ["HANGING"], os.O_WRONLY)
            os.write(pipe, b"%d\\n" % os.getpid())
            while True:
                signal.pause()
        case "talk":
            for _ in range(100):
                os.write(1, b"Note: this is no reply\\n" * 1000)
            print("neither is this", flush=True)
        case "raise":
            raise RuntimeError("what nobody\\nexpected")
        case "memory":
            raise MemoryError

sys.addaudithook(broken)
"""
CRASHES = {
    "abort.wav": "its decoder crashed (SIGABRT)",
    "segfault.wav": "its decoder crashed (SIGSEGV)",
    "exit.wav": "its decoder crashed (exit code 7)",
    "leave.wav": "its decoder crashed (exit code 0)",
}


@pytest.fixture
def hanging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BinaryIO]:
    """Lets workers break; gives the numbers of those that hang, a line each."""
    (tmp_path / "start").mkdir()
    (tmp_path / "start" / "sitecustomize.py").write_text(BREAKS)
    monkeypatch.syspath_prepend(tmp_path / "start")
    os.mkfifo(tmp_path / "hanging")
    monkeypatch.setenv("HANGING", str(tmp_path / "hanging"))
    # For writing too, so that it neither waits for the first nor ends after the last.
    with open(os.open(tmp_path / "hanging", os.O_RDWR), "rb", buffering=0) as pipe:
        yield pipe


@pytest.fixture
def song(tmp_path: Path) -> Path:
    return write_song(tmp_path / "good.wav", seconds=3.0)


def broken(folder: Path, name: str) -> Path:
    return write_song(folder / name)


def children() -> set[int]:
    """Processes that this one has started, those included that have ended and were not waited for."""
    found = set()
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            try:
                status = Path(entry.path, "stat").read_text(errors="replace")
            except OSError:
                continue
            # The name of a process stands in brackets and may hold any.
            if int(status.rpartition(")")[2].split()[1]) == os.getpid():
                found.add(int(entry.name))
    return found


@pytest.fixture(autouse=True)
def _leaves_no_process() -> Iterator[None]:
    before = children()
    yield
    assert children() <= before


def fine(found: Examined, path: Path) -> bool:
    assert (found.error, found.tag_error) == (None, None)
    np.testing.assert_array_equal(found.windows, read_windows(path, **CUT))
    return found.count == len(found.windows) and found.tags == read_tags(path)  # type: ignore[arg-type]


# What a worker finds.


def test_a_worker_finds_what_this_process_would_have_found(tmp_path: Path) -> None:
    songs = made.write_collection(tmp_path, genres=["Köln", "R&B"])
    odd = [write_song(tmp_path / name) for name in ODD_NAMES]
    with Workers(SETTINGS, 60) as workers:
        for path in [*songs.values(), *odd]:
            found = workers.examine(path)
            assert fine(found, path) and found.seconds > 0
            assert found.windows is not None and found.windows.dtype == np.float32 and found.payload is None


def test_tags_are_read_only_where_they_are_asked_for(tmp_path: Path) -> None:
    path = made.tag_song(made.write_kind(tmp_path, "mp3"), ["Rock"])
    with Workers(SETTINGS | {"tags": False}, 60) as workers:
        found = workers.examine(path)
    assert (found.tags, found.tag_error, found.error) == (None, None, None)


def test_a_song_that_cannot_be_tagged_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "other.wav"
    soundfile.write(path, made.sound(1.0, 8000), 8000, format="AU")
    with Workers(SETTINGS, 60) as workers:
        found = workers.examine(path)
    assert found.error is None and found.windows is not None and found.tags is None
    assert found.tag_error is not None and "\n" not in found.tag_error and str(path) in found.tag_error


def test_what_cannot_be_read_is_an_answer(tmp_path: Path, song: Path) -> None:
    reasons = write_broken_songs(tmp_path)
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "folder.wav").mkdir()
    reasons |= {"pipe.wav": "is not a regular file", "folder.wav": "is a folder", "gone.wav": "does not exist"}
    before = children()
    with Workers(SETTINGS, 60) as workers:
        for name, phrase in reasons.items():
            found = workers.examine(tmp_path / name)
            assert found.windows is None and found.error is not None
            assert phrase in found.error and "\n" not in found.error
        assert fine(workers.examine(song), song)
        # All of it was one process.
        assert len(children() - before) == 1


# Decoders that break.


@pytest.mark.parametrize("name", CRASHES)
def test_a_decoder_that_crashes_costs_one_file(hanging: BinaryIO, tmp_path: Path, song: Path, name: str) -> None:
    bad = broken(tmp_path, name)
    with Workers(SETTINGS, 60) as workers:
        for _ in range(2):
            assert fine(workers.examine(song), song)
            found = workers.examine(bad)
            assert (found.error, found.windows) == (f"{bad}: {CRASHES[name]}", None)
        assert fine(workers.examine(song), song)


def test_what_a_decoder_prints_is_no_answer(hanging: BinaryIO, tmp_path: Path, capfdbinary: Any) -> None:
    talking = broken(tmp_path, "talk.wav")
    with Workers(SETTINGS, 60) as workers:
        assert fine(workers.examine(talking), talking) and fine(workers.examine(talking), talking)
    assert capfdbinary.readouterr() == (b"", b"")


@pytest.mark.parametrize(
    ("name", "phrase"),
    [("raise.wav", "cannot be read: RuntimeError: what nobody expected"), ("memory.wav", "does not fit into memory")],
)
def test_an_error_that_nobody_expected_is_an_answer_and_its_worker_goes_on(
    hanging: BinaryIO, tmp_path: Path, song: Path, name: str, phrase: str
) -> None:
    bad = broken(tmp_path, name)
    before = children()
    with Workers(SETTINGS, 60) as workers:
        found = workers.examine(bad)
        assert found.error is not None and found.error.startswith(f"{bad}: {phrase}") and "\n" not in found.error
        assert fine(workers.examine(song), song) and len(children() - before) == 1


def test_a_file_that_hangs_is_given_up_at_the_time_limit(hanging: BinaryIO, tmp_path: Path, song: Path) -> None:
    bad = broken(tmp_path, "hang.wav")
    with Workers(SETTINGS, 4) as workers:
        found = workers.examine(bad)
        assert (found.error, found.windows) == (f"{bad}: took longer than 4 s", None)
        hung = int(hanging.readline())
        assert hung not in children()
        assert fine(workers.examine(song), song)


def test_a_worker_that_is_killed_is_replaced(hanging: BinaryIO, tmp_path: Path, song: Path) -> None:
    bad = broken(tmp_path, "hang.wav")
    before = children()
    with Workers(SETTINGS, 600) as workers:
        assert fine(workers.examine(song), song)
        (idle,) = children() - before
        os.kill(idle, signal.SIGKILL)
        # Until it has ended; it is not waited for, which is for the other side to do.
        os.waitid(os.P_PID, idle, os.WEXITED | os.WNOWAIT)
        # It had no file, so no file pays for it.
        assert fine(workers.examine(song), song)
        assert idle not in children()
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(workers.examine, bad)
            os.kill(int(hanging.readline()), signal.SIGKILL)
            assert answer.result().error == f"{bad}: its decoder crashed (SIGKILL)"
        assert fine(workers.examine(song), song)


def test_closing_ends_workers_that_are_busy_and_their_files_are_answered(hanging: BinaryIO, tmp_path: Path) -> None:
    paths = [broken(tmp_path, f"hang.{n}.wav") for n in range(3)]
    before = children()
    with ThreadPoolExecutor(3) as pool:
        with Workers(SETTINGS, 600) as workers:
            answers = [pool.submit(workers.examine, path) for path in paths]
            busy = {int(hanging.readline()) for _ in paths}
            assert children() - before == busy
        assert children() == before
        for path, answer in zip(paths, answers, strict=True):
            assert answer.result().error == f"{path}: its decoder crashed (SIGKILL)"
    # Whoever comes too late gets an answer, too.
    found = workers.examine(paths[0])
    assert found.error is not None and found.error.startswith(f"{paths[0]}: no decoder starts")
    assert children() == before


def test_without_a_python_to_start_every_file_says_so(song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(song.parent / "no python"))
    with Workers(SETTINGS, 60) as workers:
        assert workers.examine(song).error == f"{song}: no decoder starts: no such file or directory"


def test_many_threads_at_once_each_get_their_own_answer(hanging: BinaryIO, tmp_path: Path) -> None:
    good = [write_song(tmp_path / f"{n}.wav", frequency=100 + 30 * n, seconds=0.5 + n / 10) for n in range(30)]
    bad = [broken(tmp_path, name) for name in CRASHES]
    reasons = write_broken_songs(tmp_path)
    paths = [path for n in range(10) for path in (*good[3 * n : 3 * n + 3], bad[n % 4], tmp_path / [*reasons][n % 8])]
    order = np.random.default_rng(0).permutation(len(paths))
    before = children()
    threads = 6
    with Workers(SETTINGS, 120) as workers:
        begin = threading.Barrier(threads)
        with ThreadPoolExecutor(threads, initializer=begin.wait) as pool:
            answers = list(pool.map(workers.examine, [paths[i] for i in order]))
        assert len(children() - before) <= threads
    for i, found in zip(order, answers, strict=True):
        path = paths[i]
        if path in good:
            assert fine(found, path)
        else:
            assert found.error is not None and found.error.startswith(f"{path}: ")
            assert (CRASHES | reasons)[path.name] in found.error


# A worker by itself.


def worker(settings: dict[str, Any]) -> "subprocess.Popen[bytes]":
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-m", "keraudio.tagging.worker"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    assert process.stdin is not None
    process.stdin.write(json.dumps(settings | {"time_limit": 1}).encode() + b"\n")
    process.stdin.flush()
    return process


def test_a_worker_ends_with_its_input(song: Path) -> None:
    process = worker(SETTINGS)
    out, _ = process.communicate(json.dumps(str(song)).encode() + b"\n")
    assert process.returncode == 0
    head, body = LENGTHS.unpack(out[: LENGTHS.size])
    assert len(out) == LENGTHS.size + head + body and body == 4 * read_windows(song, **CUT).size
    assert json.loads(out[LENGTHS.size : LENGTHS.size + head])["error"] is None


def test_a_worker_whose_parent_is_gone_does_not_hang_for_ever(hanging: BinaryIO, tmp_path: Path) -> None:
    process = worker(SETTINGS)
    process.communicate(json.dumps(str(broken(tmp_path, "hang.wav"))).encode() + b"\n")
    assert process.returncode == -signal.SIGALRM


def test_ctrl_c_is_left_to_the_parent(hanging: BinaryIO, tmp_path: Path, song: Path) -> None:
    bad = broken(tmp_path, "hang.wav")
    with Workers(SETTINGS, 600) as workers, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(workers.examine, bad)
        hung = int(hanging.readline())
        os.kill(hung, signal.SIGINT)
        os.kill(hung, signal.SIGTERM)
        assert answer.result().error == f"{bad}: its decoder crashed (SIGTERM)"


# Results that are known.


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERAUDIO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "results.sqlite3"


def test_a_known_result_is_found_by_the_sound_and_nothing_is_decoded(cache: Path, tmp_path: Path) -> None:
    # Nothing could be decoded here, so nothing was.
    deaf = tmp_path / "deaf.wav"
    deaf.write_text("no sound at all")
    digest = settings_digest("model", {"windows": 10})
    results = Results(cache, digest)
    probabilities = np.float32([0.1, 1 / 3, np.nextafter(np.float32(0.7), np.float32(1))])
    results.put(payload_digest(deaf), probabilities, 4)
    results.close()
    known = SETTINGS | {"results": str(cache), "settings": digest, "refresh": False}
    with Workers(known, 60) as workers:
        found = workers.examine(deaf)
    assert (found.error, found.windows, found.count, found.payload) == (None, None, 4, payload_digest(deaf))
    assert found.probabilities is not None and found.probabilities.tobytes() == probabilities.tobytes()
    for other in (known | {"refresh": True}, known | {"settings": settings_digest("model", {"windows": 9})}):
        with Workers(other, 60) as workers:
            found = workers.examine(deaf)
        assert found.error is not None and "not audio, or damaged" in found.error
        assert found.payload == payload_digest(deaf)


@pytest.mark.backends
def test_a_second_run_over_the_same_sounds_needs_no_model_and_gives_the_same_bits(cache: Path, tmp_path: Path) -> None:
    songs = list(made.write_collection(tmp_path / "songs").values())
    file = tmp_path / "tones.keras"
    keraudio.save(tone_classifier(), file)
    description = keraudio.model_file.check_model_file(file)
    loads: list[Path] = []

    def load(path: Path) -> Any:
        loads.append(path)
        return keraudio.load(path)

    def refuse(path: Path) -> Any:
        raise AssertionError("a model is loaded")

    first = list(predict_files(StoredModel(file, description, load), songs, tags=True, keep_results=True))
    assert loads == [file] and all(one.error is None for one in first)
    # Other tags and another name: the sound is the same.
    for path in songs:
        made.tag_song(path, ["Rock"], title="Other")
    moved = [path.rename(path.with_name(f"moved {path.name}")) for path in songs]
    idle = StoredModel(file, description, refuse)
    second = list(predict_files(idle, moved, tags=True, keep_results=True))
    for old, new, path in zip(first, second, moved, strict=True):
        assert old.probabilities is not None and new.probabilities is not None
        assert old.probabilities.tobytes() == new.probabilities.tobytes()
        assert (new.path, new.windows, new.chosen, new.payload) == (path, old.windows, old.chosen, old.payload)
        assert new.tags is not None and (new.tags.genres, new.tags.title) == (("Rock",), "Other")
    # Another question is another result.
    for options in ({"windows": 3}, {"how": "max"}, {"refresh": True}):
        with pytest.raises(AssertionError, match="a model is loaded"):
            list(predict_files(idle, moved, keep_results=True, **options))


@pytest.mark.backends
def test_files_whose_decoders_crash_stand_in_their_places_among_the_predictions(
    hanging: BinaryIO, tmp_path: Path
) -> None:
    good = [write_song(tmp_path / f"{n}.wav", frequency=200 + 100 * n) for n in range(len(CRASHES))]
    paths = [path for pair in zip(good, (broken(tmp_path, name) for name in CRASHES), strict=True) for path in pair]
    predictions = list(predict_files(tone_classifier(), paths, jobs=2, tags=True))
    assert [one.path for one in predictions] == paths
    assert all(one.error is None and one.probabilities is not None for one in predictions[::2])
    expected = [f"{tmp_path / name}: {reason}" for name, reason in CRASHES.items()]
    assert [one.error for one in predictions[1::2]] == expected
