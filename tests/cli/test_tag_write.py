import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import ENTRY, Outcome, run_child, snapshot, write_song
from mediafile import MediaFile
from songs import tag_song, write_collection, write_kind

Command = Callable[..., Outcome]
pytestmark = pytest.mark.usefixtures("fast_load")


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Three songs: without tags, with tags but no genre, and with two genres."""
    folder = tmp_path / "album"
    write_kind(folder, "mp3", name="a.mp3")
    tag_song(write_kind(folder, "flac", name="b.flac"), artist="Anna")
    tag_song(write_kind(folder, "ogg", name="c.ogg"), ["Rock", "Jazz"], artist="Bert")
    return folder


def genres(folder: Path) -> dict[str, list[str]]:
    """Genres by name, as mediafile reads them."""
    return {path.name: MediaFile(path).genres or [] for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_preview_shows_old_and_new_and_writes_nothing(command: Command, album: Path, model_file: Path) -> None:
    before = snapshot(album)
    outcome = command("tag", album, "--model", model_file)
    assert outcome.code == 0 and snapshot(album) == before
    assert outcome.lines[0].startswith("a.mp3: no genre -> ")
    assert outcome.lines[1].startswith("b.flac: no genre -> ")
    assert outcome.lines[2].startswith("c.ogg: Rock, Jazz, kept  (")
    assert outcome.message == "3 songs: 2 would change, 1 keep their genre. Nothing is written without --write."


@pytest.mark.parametrize("existing", ["keep", "append", "replace"])
def test_writing_does_what_the_preview_said_and_undo_takes_it_back(
    command: Command, album: Path, model_file: Path, existing: str
) -> None:
    before = genres(album)
    options = ["--model", model_file, "--existing", existing, "--jsonl"]
    shown = [json.loads(line) for line in command("tag", album, *options).lines]
    outcome = command("tag", album, *options, "--write")
    records = [json.loads(line) for line in outcome.lines]
    assert (outcome.code, outcome.err) == (0, b"")
    assert [record["new"] for record in records] == [record["new"] for record in shown]
    assert [record["written"] for record in records] == [record["state"] == "change" for record in shown]
    assert list(genres(album).values()) == [record["new"] for record in records]
    heard = records[2]["labels"]
    assert (
        records[2]["new"] == {"keep": ["Rock", "Jazz"], "append": ["Rock", "Jazz", *heard], "replace": heard}[existing]
    )
    outcome = command("undo", "--last")
    assert outcome.code == 0 and genres(album) == before
    count = 2 if existing == "keep" else 3
    assert outcome.message == f"run 1: {count} of {count} changes undone"
    assert command("undo", "--last").message == "keraudio: nothing to undo"
    assert command("undo", "1").message == "run 1: 0 of 0 changes undone"


def test_a_second_run_decodes_nothing_and_imports_no_backend(
    command: Command, album: Path, model_file: Path, own_cache: Path
) -> None:
    first = command("tag", album, "--model", model_file, "--jsonl")
    assert first.code == 0 and (own_cache / "results.sqlite3").is_file()
    arguments = ["tag", str(album), "--model", str(model_file), "--jsonl"]
    code = "from keraudio.cli.main import run; run(sys.argv[1:]); print('keras' in sys.modules, file=sys.stderr)"
    done = run_child(f"import sys; {code}", *arguments)
    assert done.out == first.out and done.err == b"False\n"


def test_known_results_are_heard_again_on_demand_and_with_other_settings(
    command: Command, album: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keraudio.classifier

    loads = []
    load = keraudio.classifier.load
    monkeypatch.setattr(keraudio.classifier, "load", lambda path: loads.append(path) or load(path))
    for options in ([], [], ["--refresh"], ["--windows", "3"], ["--windows", "3"], ["--min-confidence", "0.9"]):
        assert command("tag", album, "--model", model_file, *options).code == 0
    assert len(loads) == 3


def test_a_plan_is_edited_and_applied_and_undone(
    command: Command, album: Path, model_file: Path, tmp_path: Path
) -> None:
    before, plan = genres(album), tmp_path / "plan.csv"
    assert command("tag", album, "--model", model_file, "--plan", plan).code == 0
    assert genres(album) == before
    rows = list(csv.DictReader(io.StringIO(plan.read_text(encoding="utf-8-sig"))))
    assert [Path(row["path"]).name for row in rows] == ["a.mp3", "b.flac", "c.ogg"]
    assert [row["state"] for row in rows] == ["change", "change", "keep"]
    rows[0]["new"] = "My Own|Другой"
    rows[1]["new"] = ""
    rows[2]["new"] = "Rock"
    with plan.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    outcome = command("apply", plan)
    assert outcome.code == 0 and outcome.message == "2 songs: 2 written."
    assert outcome.lines[0].endswith("a.mp3: no genre -> My Own, Другой")
    assert genres(album) == {"a.mp3": ["My Own", "Другой"], "b.flac": [], "c.ogg": ["Rock"]}
    # The songs are no longer those of the plan.
    outcome = command("apply", plan)
    assert outcome.code == 3
    assert outcome.message.splitlines()[0].endswith("a.mp3: has changed since the plan was written")
    assert command("undo", "1").code == 0 and genres(album) == before


def test_songs_are_organized_by_genre_and_brought_back(command: Command, album: Path, model_file: Path) -> None:
    before = snapshot(album)
    options = ["--model", model_file, "--existing", "keep", "--organize", "{genre}/{artist}/{file}", "--json"]
    shown = json.loads(command("tag", album, *options).out)["files"]
    assert snapshot(album) == before
    assert shown[2]["move_to"] == str(album / "Rock" / "Bert" / "c.ogg")
    outcome = command("tag", album, *options, "--write")
    assert outcome.code == 0
    there = {path for path in album.rglob("*") if path.is_file()}
    assert there == {Path(record["move_to"]) for record in shown}
    assert genres(album)["a.mp3"] == shown[0]["new"]
    history = json.loads(command("history", "1", "--json").out)
    assert [change["kind"] for change in history["changes"]] == ["genre", "move", "genre", "move", "move"]
    assert command("undo", "1").code == 0
    after = snapshot(album)
    # Whole files but for their times, and no folder is left behind.
    assert {path: content for path, (content, *_) in after.items()} == {
        p: content for p, (content, *_) in before.items()
    }


def test_playlists_know_where_songs_have_gone(command: Command, album: Path, model_file: Path, tmp_path: Path) -> None:
    options = ["--model", model_file, "--organize", "{genre}/{file}", "--playlists", tmp_path / "lists"]
    assert command("tag", album, *options, "--write").code == 0
    listed = [
        line for file in (tmp_path / "lists").iterdir() for line in file.read_text().splitlines() if line[0] != "#"
    ]
    assert len(listed) == 3 and all((tmp_path / "lists" / line).is_file() for line in listed)


def test_history_tells_what_was_done(command: Command, album: Path, model_file: Path) -> None:
    assert command("history").lines == ["nothing was written yet"]
    assert json.loads(command("history", "--json").out) == {"schema": 1, "runs": []}
    command("tag", album, "--model", model_file, "--write")
    command("tag", album, "--model", model_file, "--write", "--existing", "append")
    # A run that has nothing to do is no run.
    command("tag", album, "--model", model_file, "--write")
    command("undo", "2")
    lines = command("history").lines
    assert [line.split()[0] for line in lines] == ["2", "1"]
    assert "1 undone" in lines[0] and "2 written" in lines[1] and lines[0].endswith(f"tag {album}")
    runs = json.loads(command("history", "--json").out)["runs"]
    assert [run["states"] for run in runs] == [{"undone": 1}, {"written": 2}] or runs[0]["states"] == {"undone": 3}
    changes = command("history", "1").lines
    assert changes[0].startswith(f"{album / 'a.mp3'}: no genre -> ") and changes[0].endswith(", written")
    for verb in ("history", "undo"):
        outcome = command(verb, "7")
        assert outcome.code == 1
        assert outcome.message == "keraudio: A run must be one of `keraudio history`. Received: 7"


def test_a_genre_changed_since_is_left_alone_by_undo(command: Command, album: Path, model_file: Path) -> None:
    command("tag", album, "--model", model_file, "--write")
    song = MediaFile(album / "a.mp3")
    song.genres = ["Mine"]
    song.save()
    outcome = command("undo", "--last")
    assert outcome.code == 3
    assert outcome.message.splitlines() == [
        f"{album / 'a.mp3'}: its genre has changed since; left as it is",
        "run 1: 1 of 2 changes undone",
    ]
    assert genres(album)["a.mp3"] == ["Mine"] and genres(album)["b.flac"] == []


def test_what_cannot_be_written_is_named_and_the_rest_is_done(command: Command, album: Path, model_file: Path) -> None:
    (album / "a.mp3").chmod(0o444)
    (album / "d.mp3").write_bytes(b"no song at all")
    outcome = command("tag", album, "--model", model_file, "--write")
    assert outcome.code == 3
    assert outcome.message.splitlines() == [
        f"{album / 'a.mp3'}: is read-only",
        f"{album / 'd.mp3'}: not audio, or damaged",
        "4 songs: 1 written, 1 keep their genre, 2 failed.",
    ]


def test_a_song_that_can_be_heard_but_not_tagged_says_so(command: Command, tmp_path: Path, model_file: Path) -> None:
    # Raw AAC has no place for tags.
    song = write_kind(tmp_path / "songs", "adts")
    outcome = command("tag", song, "--model", model_file)
    assert outcome.code == 0 and "%, cannot be tagged" in outcome.lines[0]
    assert outcome.message == "1 song: 1 cannot be tagged."
    outcome = command("tag", song, "--model", model_file, "--write")
    assert (outcome.code, outcome.out) == (3, b"")
    said = "tags can be written to mp3, flac, ogg, opus, m4a, wav and aiff alone"
    assert outcome.message.splitlines()[0] == f"{song}: {said}"


def test_backups_are_whole_songs_as_they_were(command: Command, album: Path, model_file: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in album.iterdir()}
    assert command("tag", album, "--model", model_file, "--write", "--backup", tmp_path / "saved").code == 0
    saved = {path.name: path.read_bytes() for path in (tmp_path / "saved").rglob("*") if path.is_file()}
    assert saved == {name: before[name] for name in ("a.mp3", "b.flac")}


def test_id3v23_is_written_on_demand(command: Command, tmp_path: Path, model_file: Path) -> None:
    from mutagen.id3 import ID3

    song = tag_song(write_kind(tmp_path / "x", "mp3"), ["Rock"])
    options = ["--model", model_file, "--existing", "append", "--write", "--id3v23"]
    assert command("tag", song, *options).code == 0
    tags = ID3(song, translate=False)
    assert tags.version == (2, 3, 0) and tags["TCON"].text[0].startswith("Rock/")
    assert command("undo", "--last").code == 0
    assert MediaFile(song).genres == ["Rock"]


def test_every_kind_and_name_is_tagged_and_undone(command: Command, tmp_path: Path, model_file: Path) -> None:
    songs = write_collection(tmp_path / "all")
    outcome = command("tag", tmp_path / "all", "--model", model_file, "--write", "--jsonl")
    assert outcome.code == 0 and len(outcome.lines) == len(songs)
    new = {json.loads(line)["path"]: json.loads(line)["new"] for line in outcome.lines}
    assert {str(path): MediaFile(path).genres for path in songs.values()} == new
    assert command("undo", "--last").code == 0
    assert not any(MediaFile(path).genres for path in songs.values())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--demo", "--write"], "--write does not go with --demo"),
        (["x", "--write", "--plan", "p.csv"], "--write does not go with --plan"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage(command: Command, arguments: list[str], said: str) -> None:
    outcome = command("tag", *arguments)
    assert (outcome.code, outcome.out) == (2, b"") and said in outcome.message


def test_undo_asks_which_run(command: Command) -> None:
    for arguments in ([], ["1", "--last"]):
        outcome = command("undo", *arguments)
        assert outcome.code == 2 and "Give a run of `keraudio history`, or --last" in outcome.message


def test_wrong_plans_patterns_and_journals_are_one_line_before_anything_is_heard(
    command: Command, album: Path, model_file: Path, tmp_path: Path
) -> None:
    before = snapshot(album)
    (tmp_path / "notes.csv").write_text("my notes\n")
    tag = ["tag", album, "--model", model_file]
    for arguments, said in (
        (["apply", tmp_path / "missing.csv"], "cannot be read: no such file"),
        (["apply", tmp_path / "notes.csv"], "a plan must have the columns"),
        ([*tag, "--plan", tmp_path / "notes.csv"], "A plan must not replace another file"),
        ([*tag, "--organize", "{genre}/{year}/{file}"], "The fields of a pattern must be among"),
        ([*tag, "--organize", "../{file}"], "A pattern must be a relative path"),
        ([*tag, "--write", "--journal", tmp_path / "notes.csv"], "the journal cannot be opened"),
        (["undo", "--last", "--journal", tmp_path / "notes.csv"], "the journal cannot be opened"),
    ):
        outcome = command(*arguments)
        assert (outcome.code, outcome.out) == (1, b"") and said in outcome.message and "\n" not in outcome.message
    assert snapshot(album) == before and (tmp_path / "notes.csv").read_text() == "my notes\n"


def test_without_mutagen_songs_are_heard_but_not_written(
    command: Command, album: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = album.parent / "blocked"
    blocked.mkdir()
    (blocked / "mutagen.py").write_text("raise ImportError\n")
    # For the decoders; this process has it loaded already.
    monkeypatch.syspath_prepend(blocked)
    monkeypatch.setitem(sys.modules, "mutagen", None)
    outcome = command("tag", album, "--model", model_file)
    assert outcome.code == 0 and outcome.lines[2].split(":")[1].split()[0] in ("high", "low")
    outcome = command("tag", album, "--model", model_file, "--write")
    assert outcome.code == 1 and outcome.message.endswith("Tags need mutagen: pip install 'keraudio[tagging]'")


def test_an_interruption_stops_within_a_second_and_keeps_what_is_done(
    album: Path, model_file: Path, tmp_path: Path
) -> None:
    for number in range(300):
        write_song(album / f"{number}.wav", frequency=200 + number)
    arguments = [sys.executable, "-c", ENTRY, "tag", str(album), "--model", str(model_file), "--write", "--jsonl"]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ)
    assert process.stdout is not None and process.stderr is not None
    first = [process.stdout.readline() for _ in range(3)]
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    rest, message = process.communicate(timeout=30)
    taken = time.monotonic() - began
    assert process.returncode == 130 and taken < 1
    assert message.decode().splitlines()[-1] == "keraudio: interrupted; everything finished so far is kept"
    told = [json.loads(line) for line in [*first, *rest.splitlines()] if line.endswith((b"}", b"}\n"))]
    assert 3 <= len(told) < 303
    for record in told:
        if record["written"]:
            assert MediaFile(record["path"]).genres == record["new"]
    assert not [path for path in album.iterdir() if path.name.startswith(".")]
