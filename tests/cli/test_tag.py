import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import ODD_NAMES, Outcome, snapshot, write_broken_songs, write_song

Command = Callable[..., Outcome]
pytestmark = pytest.mark.usefixtures("fast_load")


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """Two songs, a third in a folder inside, and what is no song."""
    folder = tmp_path / "songs"
    (folder / "album").mkdir(parents=True)
    write_song(folder / "a.wav", frequency=250)
    write_song(folder / "b.flac", frequency=1200)
    write_song(folder / "album" / "c.wav", frequency=600)
    (folder / "cover.jpg").write_bytes(b"no song")
    return folder


def test_a_folder_gives_a_line_a_song(command: Command, songs: Path, model_file: Path) -> None:
    outcome = command("tag", songs, "--model", model_file)
    assert outcome.code == 0
    assert outcome.message == "3 songs: 3 would change. Nothing is written without --write."
    assert [line.split(": ")[0] for line in outcome.lines] == ["a.wav", "b.flac", "album/c.wav"]
    assert all(line.split(" -> ")[1].split()[0] in ("high", "low") for line in outcome.lines)


def test_no_recursive_leaves_out_folders_inside(command: Command, songs: Path, model_file: Path) -> None:
    outcome = command("tag", songs, "--model", model_file, "--no-recursive")
    assert [line.split(": ")[0] for line in outcome.lines] == ["a.wav", "b.flac"]


def test_files_and_folders_may_be_mixed_and_each_is_tagged_once(
    command: Command, songs: Path, model_file: Path
) -> None:
    outcome = command("tag", songs / "b.flac", songs, songs / "a.wav", "--model", model_file, "--jsonl")
    paths = [json.loads(line)["path"] for line in outcome.lines]
    assert paths == [str(songs / name) for name in ("b.flac", "a.wav", "album/c.wav")]


def test_every_form_gives_the_same_answers(command: Command, songs: Path, model_file: Path) -> None:
    outcomes = {form: command("tag", songs, "--model", model_file, f"--{form}") for form in ("json", "jsonl", "csv")}
    assert all(outcome.code == 0 and outcome.err == b"" for outcome in outcomes.values())
    document = json.loads(outcomes["json"].out)
    assert (document["schema"], document["model"], document["failed"]) == (1, "tones", 0)
    records = [json.loads(line) for line in outcomes["jsonl"].lines]
    assert [record | {"schema": 1, "model": "tones"} for record in document["files"]] == records
    rows = list(csv.DictReader(io.StringIO("\n".join(outcomes["csv"].lines))))
    for row, record in zip(rows, records, strict=True):
        assert row["path"] == record["path"]
        assert row["label"] == "|".join(record["labels"]) == row["label_1"] == record["top"][0]["label"]
        assert float(row["probability"]) == pytest.approx(record["top"][0]["probability"], abs=1e-6)


def test_the_last_form_wins_where_two_are_given(command: Command, songs: Path, model_file: Path) -> None:
    outcome = command("tag", songs / "a.wav", "--model", model_file, "--csv", "--json")
    assert json.loads(outcome.out)["schema"] == 1


@pytest.mark.parametrize("form", [None, "json", "jsonl", "csv"])
def test_broken_songs_are_named_with_their_reason_and_the_rest_is_done(
    command: Command, songs: Path, model_file: Path, form: str | None
) -> None:
    reasons = write_broken_songs(songs)
    flags = [] if form is None else [f"--{form}"]
    outcome = command("tag", songs, "--model", model_file, *flags)
    assert outcome.code == 3
    if form is None:
        assert [line.split(": ")[0] for line in outcome.lines] == ["a.wav", "b.flac", "album/c.wav"]
        lines = outcome.message.splitlines()
        assert lines[-1] == (
            f"{len(reasons) + 3} songs: 3 would change, {len(reasons)} failed. Nothing is written without --write."
        )
        found = {Path(line.split(": ")[0]).name: line for line in lines[:-1]}
    else:
        if form == "csv":
            records = list(csv.DictReader(io.StringIO("\n".join(outcome.lines))))
        elif form == "json":
            records = json.loads(outcome.out)["files"]
        else:
            records = [json.loads(line) for line in outcome.lines]
        assert len(records) == len(reasons) + 3
        found = {Path(record["path"]).name: record["error"] for record in records if record["error"]}
        assert outcome.message == ""
    assert found.keys() == reasons.keys()
    assert all(phrase in found[name] and "\n" not in found[name] for name, phrase in reasons.items())


def test_files_are_told_apart_from_folders_of_the_same_suffix(command: Command, songs: Path, model_file: Path) -> None:
    (songs / "folder.wav").mkdir()
    os.mkfifo(songs / "pipe.wav")
    outcome = command("tag", songs, "--model", model_file)
    assert outcome.code == 3 and len(outcome.lines) == 3
    assert outcome.message.splitlines()[0].endswith("pipe.wav: is not a regular file")


@pytest.mark.parametrize("what", ["empty", "no audio", "hidden"])
def test_nothing_to_tag_exits_4(command: Command, tmp_path: Path, model_file: Path, what: str) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    if what == "no audio":
        (folder / "notes.txt").write_text("x")
    elif what == "hidden":
        write_song(folder / ".hidden.wav")
    for flags in ([], ["--json"]):
        outcome = command("tag", folder, "--model", model_file, *flags)
        assert (outcome.code, outcome.out) == (4, b"")
        assert outcome.message == f"keraudio: no audio found in {folder}"


def test_a_missing_path_is_fatal_before_anything_is_tagged(command: Command, songs: Path, model_file: Path) -> None:
    outcome = command("tag", songs, songs / "missing", "--model", model_file)
    assert (outcome.code, outcome.out) == (1, b"")
    assert outcome.message == f"keraudio: {songs / 'missing'}: does not exist"


def test_neither_paths_nor_demo_is_wrong_usage_and_so_are_both(command: Command, songs: Path) -> None:
    for arguments in ([], [songs, "--demo"]):
        outcome = command("tag", *arguments)
        assert (outcome.code, outcome.out) == (2, b"")
        assert outcome.message == "keraudio: Give folders or files to tag, or --demo (see `keraudio tag --help`)"


def test_a_run_folder_serves_as_the_model_and_knows_what_it_learnt(
    command: Command, tones: Path, trained_run: Path
) -> None:
    outcome = command("tag", tones, "--model", trained_run, "--jsonl")
    assert outcome.code == 0 and len(outcome.lines) == 16
    records = [json.loads(line) for line in outcome.lines]
    assert all(record["labels"] == [Path(record["path"]).parent.name] for record in records)


def test_odd_names_come_back_byte_for_byte_in_data_and_on_one_line_for_people(
    command: Command, tmp_path: Path, model_file: Path
) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    paths = sorted(str(write_song(folder / name)) for name in ODD_NAMES)
    outcome = command("tag", folder, "--model", model_file)
    assert outcome.code == 0 and len(outcome.lines) == len(ODD_NAMES)
    assert b"\x1b" not in outcome.out and b"\xff\x80" in outcome.out
    jsonl = command("tag", folder, "--model", model_file, "--jsonl")
    assert sorted(json.loads(line)["path"] for line in jsonl.lines) == paths
    document = json.loads(command("tag", folder, "--model", model_file, "--json").out)
    assert sorted(record["path"] for record in document["files"]) == paths
    table = command("tag", folder, "--model", model_file, "--csv").out.decode(errors="surrogateescape")
    assert sorted(row["path"] for row in csv.DictReader(io.StringIO(table, newline=""))) == paths


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_are_one_line_in_errors(command: Command, tmp_path: Path, model_file: Path, name: str) -> None:
    (tmp_path / name).touch()
    outcome = command("tag", tmp_path / name, "--model", model_file)
    assert outcome.code == 3
    assert len(outcome.message.splitlines()) == 2 and "\x1b" not in outcome.message
    outcome = command("tag", tmp_path / "missing" / name, "--model", model_file)
    assert outcome.code == 1 and "\n" not in outcome.message
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    outcome = command("tag", tmp_path / name, "--model", model_file)
    assert outcome.code == 4 and "\n" not in outcome.message


def test_nothing_is_written_beside_the_songs(
    command: Command, songs: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_broken_songs(songs)
    monkeypatch.chdir(songs)
    before = snapshot(songs)
    for arguments in (["tag", "."], ["tag", songs, "--json"], ["predict", model_file, "a.wav", "empty.wav", "--csv"]):
        command(*arguments, *(["--model", model_file] if arguments[0] == "tag" else []))
    assert snapshot(songs) == before


@pytest.mark.parametrize("ending", ["\n", "\0"])
def test_paths_come_from_standard_input(
    command: Command, songs: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    listed = ending.join(str(songs / name) for name in ("b.flac", "album", "a.wav")) + ending
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(listed.encode())))
    given = ["-0"] if ending == "\0" else ["-"]
    outcome = command("tag", *given, "--model", model_file, "--jsonl")
    assert outcome.code == 0
    assert [Path(json.loads(line)["path"]).name for line in outcome.lines] == ["b.flac", "c.wav", "a.wav"]


def test_an_empty_standard_input_is_code_4(command: Command, model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    outcome = command("tag", "-", "--model", model_file)
    assert (outcome.code, outcome.out) == (
        4,
        b"",
    ) and "no audio found in the paths of standard input" in outcome.message


def test_answers_below_the_least_confidence_are_unsure(command: Command, songs: Path, model_file: Path) -> None:
    records = [json.loads(line) for line in command("tag", songs, "--model", model_file, "--jsonl").lines]
    tops = [record["top"][0]["probability"] for record in records]
    assert not any(record["unsure"] for record in records)
    between = (min(tops) + max(tops)) / 2
    assert min(tops) < between < max(tops) < 1
    outcome = command("tag", songs, "--model", model_file, "--min-confidence", between, "--jsonl")
    assert [json.loads(line)["unsure"] for line in outcome.lines] == [value < between for value in tops]
    assert command("tag", songs, "--model", model_file, "--min-confidence", "1.5").code == 2


def test_aliases_are_the_users_names_in_every_form(
    command: Command, songs: Path, model_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_text('[rename]\nhigh = "treble"\nlow = "treble"\n[parent]\ntreble = "tone"\n')
    outcome = command("tag", songs, "--model", model_file, "--aliases", tmp_path / "mine.toml", "--jsonl")
    assert (outcome.code, outcome.err) == (0, b"")
    assert all(json.loads(line)["labels"] == ["treble", "tone"] for line in outcome.lines)
    (tmp_path / "mine.toml").write_text('drop = ["hihg"]\n')
    outcome = command("tag", songs, "--model", model_file, "--aliases", tmp_path / "mine.toml")
    assert outcome.code == 0
    assert outcome.message.startswith("keraudio: no label of the model is called 'hihg'. Did you mean 'high'?\n")
    (tmp_path / "mine.toml").write_text("dorp = []\n")
    outcome = command("tag", songs, "--model", model_file, "--aliases", tmp_path / "mine.toml")
    assert outcome.code == 1 and "aliases must be among drop, parent, rename. Received: 'dorp'" in outcome.message


def test_playlists_are_written_beside_the_answers_and_never_over_anothers(
    command: Command, songs: Path, model_file: Path, tmp_path: Path
) -> None:
    before = snapshot(songs)
    lists = tmp_path / "lists"
    outcome = command("tag", songs, "--model", model_file, "--playlists", lists, "--jsonl")
    assert outcome.code == 0
    for line in outcome.lines:
        record = json.loads(line)
        text = (lists / f"{record['labels'][0]}.m3u8").read_text()
        assert os.path.relpath(record["path"], lists) in text.splitlines()
    assert snapshot(songs) == before
    (lists / "high.m3u8").write_text("#EXTM3U\nmine.mp3\n")
    outcome = command("tag", songs, "--model", model_file, "--playlists", lists)
    assert outcome.code == 1 and outcome.out == b"" and "must not replace another's" in outcome.message
