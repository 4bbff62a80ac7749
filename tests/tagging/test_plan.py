import csv
import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import ODD_NAMES
from hypothesis import given, settings
from hypothesis import strategies as st

from keraudio.errors import TagError
from keraudio.tagging import EXISTING, Prediction, Proposal, SongTags, check_plan, propose, read_plan, write_plan
from keraudio.tagging.plan import file_digest, without_doubles

LABELS = ("Rock", "Metal", "Jazz", "R&B")
COLUMNS = ["path", "state", "current", "new", "confidence", "move_to", "sha256"]


def heard(
    *chosen: str, genres: Sequence[str] | None = (), path: Path | str = "song.mp3", tag_error: str | None = None
) -> Prediction:
    """What a model says of a song that has genres; None: its tags were not read."""
    tags = None if genres is None or tag_error else SongTags(tuple(genres))
    values = np.float32([0.9, 0.6, 0.5, 0.25])
    return Prediction(Path(path), LABELS, values, 3, chosen, tags=tags, tag_error=tag_error)


def rows(file: Path) -> list[dict[str, str]]:
    text = file.read_bytes().decode("utf-8-sig", "surrogateescape")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def save(file: Path, table: Sequence[dict[str, str]], delimiter: str = ",", columns: Sequence[str] = COLUMNS) -> None:
    """As a program for tables would save it: without a mark, with its own delimiter and ends of lines."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, delimiter=delimiter, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(table)
    file.write_bytes(text.getvalue().encode("utf-8", "surrogateescape"))


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song.mp3"
    path.write_bytes(b"sound")
    return path


@pytest.fixture
def plan(tmp_path: Path, song: Path) -> Path:
    """A plan of one change: Old to Rock and Metal."""
    write_plan(tmp_path / "plan.csv", [propose(heard("Rock", "Metal", genres=["Old"], path=song), existing="replace")])
    return tmp_path / "plan.csv"


@pytest.mark.parametrize(
    ("chosen", "genres", "existing", "state", "new"),
    [
        # No genre, or its tags not asked for: it gets one, whatever becomes of those that are there.
        (["Rock"], [], "keep", "change", ["Rock"]),
        (["Rock", "Metal"], [], "append", "change", ["Rock", "Metal"]),
        (["Rock"], [], "replace", "change", ["Rock"]),
        (["Rock"], None, "keep", "change", ["Rock"]),
        # A genre of its own.
        (["Rock"], ["Pop"], "keep", "keep", ["Pop"]),
        (["Rock"], ["Rock"], "keep", "keep", ["Rock"]),
        (["Rock"], ["Pop"], "append", "change", ["Pop", "Rock"]),
        (["Rock", "Metal"], ["Pop", "metal"], "append", "change", ["Pop", "metal", "Rock"]),
        (["Rock"], ["rock", "Pop"], "append", "same", ["rock", "Pop"]),
        (["Rock"], ["Pop"], "replace", "change", ["Rock"]),
        (["Rock"], ["Rock"], "replace", "same", ["Rock"]),
        (["Rock"], ["Rock", "Pop"], "replace", "change", ["Rock"]),
        (["Rock"], ["ROCK"], "replace", "change", ["Rock"]),
        # Nothing heard: nothing to write.
        ([], [], "keep", "unsure", []),
        ([], ["Pop"], "append", "unsure", ["Pop"]),
        ([], ["Pop"], "replace", "unsure", ["Pop"]),
    ],
)
def test_a_proposal_follows_from_what_is_heard_and_what_is_there(
    chosen: list[str], genres: list[str] | None, existing: str, state: str, new: list[str]
) -> None:
    prediction = heard(*chosen, genres=genres)
    proposal = propose(prediction, existing=existing)
    assert (proposal.state, proposal.new) == (state, tuple(new))
    assert proposal.current == (None if genres is None else tuple(genres))
    assert proposal.changes == (state == "change") and proposal.prediction is prediction and proposal.error is None
    assert replace(proposal, move_to=Path("/there")).changes


@pytest.mark.parametrize("existing", EXISTING)
def test_what_cannot_be_heard_or_tagged_changes_nothing(existing: str) -> None:
    failed = propose(Prediction(Path("a.mp3"), LABELS, error="is empty"), existing=existing)
    assert (failed.state, failed.error, failed.new, failed.changes) == ("failed", "is empty", (), False)
    tagged = Prediction(Path("a.mp3"), LABELS, error="is cut", tags=SongTags(("Pop",)))
    assert propose(tagged, existing=existing).current == ("Pop",)
    untaggable = propose(heard("Rock", "Metal", tag_error="no tags there"), existing=existing, most=1)
    assert (untaggable.state, untaggable.current, untaggable.new) == ("untaggable", None, ("Rock",))
    assert not untaggable.changes


def test_no_more_genres_are_new_than_asked_for() -> None:
    prediction = heard(*LABELS, genres=["Pop", "Soul"])
    assert propose(prediction, existing="replace").new == LABELS[:3]
    assert propose(prediction, existing="replace", most=1).new == ("Rock",)
    assert propose(prediction, existing="append", most=2).new == ("Pop", "Soul", "Rock", "Metal")
    assert propose(prediction, existing="replace", most=9).new == LABELS


def test_a_proposal_is_asked_for_in_its_own_words() -> None:
    with pytest.raises(ValueError, match="`existing` must be one of keep, append, replace. Received: existing='add'"):
        propose(heard("Rock"), existing="add")
    with pytest.raises(ValueError, match="`most` must be at least 1. Received: most=0"):
        propose(heard("Rock"), most=0)


def test_the_first_spelling_stays_in_its_place() -> None:
    assert without_doubles(["Rock", "Pop", "rock"]) == ("Rock", "Pop")
    assert without_doubles(["straße", "STRASSE", "Ünï", "ÜNÏ"]) == ("straße", "Ünï")


@given(st.lists(st.one_of(st.text(max_size=4), st.sampled_from(["a", "A", "b", "B", "ß", "SS", "ss"]))))
def test_genres_stand_in_their_order_each_once(genres: list[str]) -> None:
    found = without_doubles(genres)
    folded = [genre.casefold() for genre in genres]
    assert [genre.casefold() for genre in found] == sorted(set(folded), key=folded.index)
    assert all(genre == genres[folded.index(genre.casefold())] for genre in found)


def test_a_plan_is_a_table_that_people_can_read(tmp_path: Path, song: Path) -> None:
    write_plan(
        tmp_path / "plan.csv",
        [
            propose(heard("Rock", "R&B", genres=["Old", "Older"], path=song), existing="replace"),
            propose(heard("Rock", genres=["Old"], path=song)),
            replace(
                propose(heard("Rock", genres=["Rock"], path=song), existing="replace"), move_to=tmp_path / "to.mp3"
            ),
            propose(heard(genres=None, path=song)),
            propose(heard("Rock", path=song, tag_error="none")),
            propose(Prediction(tmp_path / "bad.mp3", LABELS, error="is empty")),
        ],
    )
    # The mark by which spreadsheets know UTF-8.
    assert (tmp_path / "plan.csv").read_bytes().startswith(b"\xef\xbb\xbf" + ",".join(COLUMNS).encode())
    digest = hashlib.sha256(b"sound").hexdigest()
    assert [list(row.values()) for row in rows(tmp_path / "plan.csv")] == [
        [str(song), "change", "Old|Older", "Rock|R&B", "0.9000", "", digest],
        [str(song), "keep", "Old", "", "0.9000", "", digest],
        [str(song), "same", "Rock", "", "0.9000", str(tmp_path / "to.mp3"), digest],
        [str(song), "unsure", "", "", "", "", digest],
        [str(song), "untaggable", "", "", "0.9000", "", digest],
        [str(tmp_path / "bad.mp3"), "failed", "", "", "", "", ""],
    ]
    first, third = read_plan(tmp_path / "plan.csv")
    assert first == Proposal(song, "change", ("Old", "Older"), ("Rock", "R&B"))
    assert third == Proposal(song, "same", ("Rock",), ("Rock",), tmp_path / "to.mp3")


def test_paths_are_absolute_wherever_the_plan_is_applied(song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(song.parent)
    write_plan(Path("plan.csv"), [propose(heard("Rock", path="song.mp3"))])
    monkeypatch.chdir("/")
    assert [(one.path, one.error) for one in read_plan(song.with_name("plan.csv"))] == [(song, None)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_odd_names_come_back_from_any_program(tmp_path: Path, delimiter: str) -> None:
    names = [*ODD_NAMES, "semi;colon.wav", "tab\there.wav", "return\r\n.wav", " blank .wav", "=1+1.wav", "'quote'.wav"]
    songs = [tmp_path / name for name in names]
    for path in songs:
        path.write_bytes(os.fsencode(path.name))
    write_plan(
        tmp_path / "plan",
        [replace(propose(heard("Rock", path=path)), move_to=path.with_suffix(".x")) for path in songs],
    )
    if delimiter != ",":
        save(tmp_path / "plan", rows(tmp_path / "plan"), delimiter)
    found = read_plan(tmp_path / "plan")
    assert [one.path for one in found] == songs and not any(one.error for one in found)
    assert [one.move_to for one in found] == [path.with_suffix(".x") for path in songs]


# Any bytes but "/" and NUL are a name.
NAMES = st.binary(min_size=1, max_size=60).map(lambda data: data.replace(b"/", b"-").replace(b"\0", b"_"))


def test_any_name_and_any_genre_come_back(tmp_path: Path) -> None:
    genre = st.text(st.characters(exclude_characters="|", codec="utf-8"), min_size=1, max_size=20)

    @settings(max_examples=40, deadline=None)
    @given(NAMES.filter(lambda name: name not in (b".", b"..")), st.lists(genre, min_size=1, max_size=3))
    def round_trip(name: bytes, genres: list[str]) -> None:
        path = tmp_path / os.fsdecode(b"a" + name)
        path.write_bytes(b"sound")
        genres = list(without_doubles(genre.strip() for genre in genres if genre.strip().strip("\0")))
        write_plan(tmp_path / "plan", [Proposal(path, "change", (), tuple(genres))])
        found = read_plan(tmp_path / "plan")
        assert [(one.path, one.new, one.error) for one in found] == ([(path, tuple(genres), None)] if genres else [])

    round_trip()


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_plan_that_another_program_has_saved_is_read(
    plan: Path, song: Path, delimiter: str, end: bytes, mark: bytes
) -> None:
    table = rows(plan)
    table[0]["new"] = "Ünï|R&B, or so"
    save(plan, table, delimiter)
    plan.write_bytes(mark + plan.read_bytes().replace(b"\n", end))
    assert read_plan(plan) == [Proposal(song, "change", ("Old",), ("Ünï", "R&B, or so"))]


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        ("Soul", ("change", ("Soul",))),
        (" Soul | Funk |", ("change", ("Soul", "Funk"))),
        ("Soul|soul|SOUL", ("change", ("Soul",))),
        ("Old", ("same", ("Old",))),
        ("old", ("change", ("old",))),
        ("", None),
        (" | ", None),
    ],
)
def test_a_row_means_what_it_was_edited_to(
    plan: Path, song: Path, new: str, expected: tuple[str, tuple[str, ...]] | None
) -> None:
    table = rows(plan)
    table[0]["new"] = new
    save(plan, table)
    assert [(one.state, one.new) for one in read_plan(plan)] == ([expected] if expected else [])


def test_rows_are_taken_out_put_in_and_put_in_order(plan: Path, song: Path) -> None:
    other = song.with_name("other.mp3")
    other.write_bytes(b"other")
    table = rows(plan)
    added = {"path": str(other), "new": "Jazz", "sha256": hashlib.sha256(b"other").hexdigest()}
    moved = table[0] | {"new": "", "move_to": str(song.with_name("moved.mp3"))}
    save(plan, [added | dict.fromkeys(set(COLUMNS) - set(added), ""), moved], columns=[*COLUMNS[::-1], "mine"])
    assert read_plan(plan) == [
        Proposal(other, "change", (), ("Jazz",)),
        Proposal(song, "same", ("Old",), ("Old",), song.with_name("moved.mp3")),
    ]
    save(plan, [])
    assert read_plan(plan) == []
    plan.write_bytes(plan.read_bytes() + b"\n\n")
    assert read_plan(plan) == []


def test_a_song_that_has_changed_or_gone_has_an_error_and_stops_no_other(tmp_path: Path) -> None:
    songs = [tmp_path / f"{n}.mp3" for n in range(4)]
    for path in songs:
        path.write_bytes(path.name.encode())
    write_plan(tmp_path / "plan.csv", [propose(heard("Rock", path=path)) for path in songs])
    songs[0].write_bytes(b"0.MP3")
    songs[1].unlink()
    songs[2].unlink()
    songs[2].mkdir()
    found = read_plan(tmp_path / "plan.csv")
    assert [one.error for one in found] == [
        f"{songs[0]}: has changed since the plan was written",
        f"{songs[1]}: no such file or directory",
        f"{songs[2]}: is a folder",
        None,
    ]
    assert [one.state for one in found] == ["failed", "failed", "failed", "change"]


def test_a_song_that_goes_while_the_plan_is_written_stops_no_other(tmp_path: Path, song: Path) -> None:
    gone = propose(heard("Rock", path=tmp_path / "gone.mp3"))
    write_plan(tmp_path / "plan.csv", [gone, propose(heard("Rock", path=song))])
    assert [(one.path.name, bool(one.error)) for one in read_plan(tmp_path / "plan.csv")] == [
        ("gone.mp3", True),
        ("song.mp3", False),
    ]


HEAD = ",".join(COLUMNS)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "a plan must have the columns path, state, current, new, confidence, move_to, sha256. Missing: path"),
        ("\n\n\n", "Missing: path"),
        (HEAD.replace("new", "neu"), "Missing: new"),
        (HEAD.replace(",sha256", ""), "Missing: sha256"),
        (HEAD.upper(), "Missing: path"),
        (f"{HEAD}\n/a.mp3,change,,Rock", "line 2: a row must have 7 cells"),
        (f'{HEAD}\n/a.mp3,,,,,,\n"/b\n.mp3"', "line 4: a row must have 7 cells"),
        (f"{HEAD}\n,change,,Rock,,,", "line 2: a row must have a path"),
        (f"{HEAD}\n/a\0.mp3,change,,Rock,,,", "a plan must be CSV|a row must have a path"),
        (f"{HEAD}\n/a.mp3,change,,,,/b\0.mp3,", "a plan must be CSV|a row must have a path"),
        (f'{HEAD}\n"/a.mp3"x,change,,Rock,,,', "a plan must be CSV: "),
        (f'{HEAD}\n"/a.mp3,change,,Rock,,,', "a plan must be CSV: unexpected end of data"),
        (f'"{HEAD}', "a plan must be CSV: unexpected end of data"),
        (f"{HEAD}\n{'x' * 200_000},change,,Rock,,,", "a plan must be CSV: field larger than field limit"),
        (f"{HEAD}\n/a.mp3,,,,,,".encode("utf-16"), "Missing: path"),
        (np.random.default_rng(0).bytes(500), "Missing: path|must be CSV"),
    ],
)
def test_what_is_wrong_with_a_plan_is_one_line(tmp_path: Path, text: str | bytes, rule: str) -> None:
    plan = tmp_path / "plan.csv"
    plan.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(TagError) as caught:
        read_plan(plan)
    message = str(caught.value)
    assert message.startswith(f"{plan}: ") and any(part in message for part in rule.split("|")) and "\n" not in message


@settings(max_examples=60, deadline=None)
@given(st.text(st.sampled_from('a",;\t\n\r|\ufeff\0é'), max_size=60), st.booleans())
def test_any_text_is_a_plan_or_one_line(tmp_path_factory: pytest.TempPathFactory, text: str, head: bool) -> None:
    plan = tmp_path_factory.getbasetemp() / "any.csv"
    plan.write_bytes((f"{HEAD}\n{text}" if head else text).encode())
    try:
        assert all(one.error for one in read_plan(plan))
    except TagError as error:
        assert "\n" not in str(error) and str(error).startswith(f"{plan}: ")


def test_a_plan_that_cannot_be_read_or_written_is_named(tmp_path: Path, song: Path) -> None:
    with pytest.raises(TagError, match="none.csv: cannot be read: no such file or directory$"):
        read_plan(tmp_path / "none.csv")
    with pytest.raises(TagError, match=f"{tmp_path}: cannot be read: is a directory$"):
        read_plan(tmp_path)
    for place in (tmp_path / "none" / "plan.csv", song / "plan.csv"):
        with pytest.raises(TagError, match=r"plan.csv: cannot be written: (no such file or|not a) directory$"):
            write_plan(place, [propose(heard("Rock", path=song))])


def test_a_plan_is_whole_or_as_it_was(plan: Path, song: Path) -> None:
    before = plan.read_bytes()

    def interrupted() -> Iterator[Proposal]:
        yield propose(heard("Jazz", path=song))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_plan(plan, interrupted())
    assert plan.read_bytes() == before and sorted(path.name for path in plan.parent.iterdir()) == [
        "plan.csv",
        "song.mp3",
    ]


def test_only_a_plan_is_replaced_by_a_plan(tmp_path: Path, plan: Path, song: Path) -> None:
    check_plan(plan)
    check_plan(tmp_path / "new.csv")
    check_plan(Path("new.csv"))
    for name, content in (("mine.csv", b"title,artist\na,b\n"), ("empty.csv", b""), ("song.flac", b"fLaC\xff\xfe")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(TagError, match=f"A plan must not replace another file. Received: .*{name}$"):
            check_plan(tmp_path / name)
        assert (tmp_path / name).read_bytes() == content


def test_a_plan_has_a_folder(tmp_path: Path) -> None:
    with pytest.raises(TagError, match="none/plan.csv: cannot be written: no such folder$"):
        check_plan(tmp_path / "none" / "plan.csv")
    with pytest.raises(TagError, match=f"^{tmp_path}: cannot be written: is a folder$"):
        check_plan(tmp_path)


def test_a_file_is_known_by_all_its_bytes(song: Path) -> None:
    song.write_bytes(bytes(3_000_000))
    assert file_digest(song) == hashlib.sha256(bytes(3_000_000)).hexdigest()
    with pytest.raises(TagError, match="none.mp3: no such file or directory$"):
        file_digest(song.with_name("none.mp3"))


def test_a_genres_own_bar_survives_a_plan(tmp_path: Path, song: Path) -> None:
    written = Proposal(song, "change", ("A|B", "C"), ("A|B", "C", "Jazz"))
    write_plan(tmp_path / "plan.csv", [written])
    assert "A\\|B|C|Jazz" in (tmp_path / "plan.csv").read_text(encoding="utf-8-sig")
    (read,) = read_plan(tmp_path / "plan.csv")
    assert (read.current, read.new) == (written.current, written.new)
