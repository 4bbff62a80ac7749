import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keraudio.errors import TagError
from keraudio.tagging import FIELDS, Organizer, Prediction, Proposal, SongTags
from keraudio.tagging.organize import check_target


def song(
    path: Path, *genres: str, artist: str = "", album: str = "", title: str = "", state: str = "change"
) -> Proposal:
    """A song that is there, and has genres or would get them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    tags = SongTags((), artist, album, title)
    return Proposal(path, state, (), genres, prediction=Prediction(path, ("Rock",), tags=tags))


def places(pattern: str, proposals: Sequence[Proposal], *roots: Path) -> list[str | None]:
    """Where each song goes, from the first of the roots."""
    organizer = Organizer(pattern, roots)
    found = [organizer.place(proposal).move_to for proposal in proposals]
    return [None if place is None else os.path.relpath(place, roots[0]) for place in found]


def carry_out(pattern: str, proposals: Sequence[Proposal], *roots: Path) -> list[Path]:
    """Moves the songs; returns where they are."""
    organizer, ends = Organizer(pattern, roots), []
    for placed in [organizer.place(proposal) for proposal in proposals]:
        if placed.move_to is not None:
            check_target(placed.path, placed.move_to)
            placed.move_to.parent.mkdir(parents=True, exist_ok=True)
            placed.path.rename(placed.move_to)
        ends.append(placed.move_to or placed.path)
    return ends


def test_each_field_stands_for_what_the_song_says(tmp_path: Path) -> None:
    one = song(tmp_path / "in" / "here" / "s 1.mp3", "Rock", "Pop", artist="Ä", album="B b", title="C")
    for field, value in zip(FIELDS, ("Rock", "Ä", "B b", "C", "s 1.mp3", "in/here"), strict=True):
        assert places(f"to/{{{field}}}/{{file}}", [one], tmp_path) == [f"to/{value}/s 1.mp3"]
    assert places("{title}", [one], tmp_path) == ["C.mp3"] and places("{file}", [one], tmp_path) == ["s 1.mp3"]
    assert places("x {genre}-{artist}/{album}, {album}/{title}", [one], tmp_path) == ["x Rock-Ä/B b, B b/C.mp3"]
    assert places("{genre}/{folder}/{file}", [one], tmp_path) == ["Rock/in/here/s 1.mp3"]
    assert places("{genre}/{folder} {file}", [one], tmp_path) == ["Rock/in_here s 1.mp3"]


def test_what_a_song_does_not_say_has_a_name_too(tmp_path: Path) -> None:
    one = song(tmp_path / "s.mp3", "Rock")
    assert places("{genre}/{artist}/{album}/{title}", [one], tmp_path) == ["Rock/Unknown Artist/Unknown Album/s.mp3"]
    # From a plan, nothing but the genre is known.
    planned = Proposal(tmp_path / "s.mp3", "change", (), ("Rock",))
    assert places("{genre}/{artist}/{title}", [planned], tmp_path) == ["Rock/Unknown Artist/s.mp3"]
    # No folder between stands for none.
    assert places("{genre}/{folder}/{file}", [one], tmp_path) == ["Rock/s.mp3"]


@pytest.mark.parametrize("state", ["change", "keep", "same"])
def test_a_song_goes_by_the_genre_that_it_will_have(tmp_path: Path, state: str) -> None:
    assert places("{genre}/{file}", [song(tmp_path / "s.mp3", "Soul", "Rock", state=state)], tmp_path) == ["Soul/s.mp3"]


@pytest.mark.parametrize("state", ["failed", "unsure", "untaggable", "change"])
def test_a_song_of_unknown_genre_stays(tmp_path: Path, state: str) -> None:
    proposal = song(tmp_path / "s.mp3", *(["Rock"] if state != "change" else []), state=state)
    assert Organizer("{genre}/{file}", [tmp_path]).place(proposal) is proposal


def test_a_link_stays(tmp_path: Path) -> None:
    one = song(tmp_path / "s.mp3", "Rock")
    (tmp_path / "link.mp3").symlink_to("s.mp3")
    assert places("{genre}/{file}", [song(tmp_path / "link.mp3", "Rock"), one], tmp_path) == [None, "Rock/s.mp3"]


@pytest.mark.parametrize(
    ("text", "folder", "name"),
    [
        ("AC/DC", "AC_DC", "AC_DC.mp3"),
        ("../../etc", "_.._etc", "_.._etc.mp3"),
        ("..", "_", "_.mp3"),
        ("/", "_", "_.mp3"),
        ("...And Justice", "And Justice", "And Justice.mp3"),
        ("So what...", "So what", "So what....mp3"),
        (" a\tb\n\x1b[31m\x7f ", "a_b__[31m_", "a_b__[31m_.mp3"),
        ('a\\b:c*d?e"f<g>h|i', "a_b_c_d_e_f_g_h_i", "a_b_c_d_e_f_g_h_i.mp3"),
        ("\u3000", "_", "_.mp3"),
        ("日本 ☃", "日本 ☃", "日本 ☃.mp3"),
        ("song.MP3", "song.MP3", "song.mp3"),
        (".mp3", "mp3", "_.mp3"),
        ("{file}", "{file}", "{file}.mp3"),
        ("x" * 300, "x" * 240, "x" * 236 + ".mp3"),
        ("é" * 200, "é" * 120, "é" * 118 + ".mp3"),
    ],
)
def test_any_text_becomes_one_name_of_any_system(tmp_path: Path, text: str, folder: str, name: str) -> None:
    one = song(tmp_path / "s.mp3", text, artist=text, title=text)
    assert places("{artist}/{genre}/{title}", [one], tmp_path) == [f"{folder}/{folder}/{name}"]


def test_a_file_keeps_its_own_name(tmp_path: Path) -> None:
    names = ["a: b?.mp3", "two\nlines.mp3", "\udcff.mp3", "no suffix", "x.tar.gz.FLAC", "dots....mp3"]
    songs = [song(tmp_path / name, "Rock") for name in names]
    assert places("{genre}/{file}", songs, tmp_path) == [f"Rock/{name}" for name in names]


def test_a_suffix_of_any_length_is_no_trouble(tmp_path: Path) -> None:
    assert places("{title}", [song(tmp_path / "song", "Rock", title="No. 5")], tmp_path) == ["No_ 5"]
    name = f"a.{'x' * 245}"
    [place] = places("{genre}/{title}", [song(tmp_path / name, "Rock", title="long")], tmp_path)
    assert place is not None and place.endswith(f".{'x' * 245}")


def test_no_two_songs_of_a_run_get_one_place(tmp_path: Path) -> None:
    songs = [song(tmp_path / f"{n}" / "s.mp3", "Rock", title="T") for n in range(3)]
    songs += [song(tmp_path / "3" / "s.mp3", "rock", title="t"), song(tmp_path / "4" / "s.flac", "Rock", title="T")]
    found = places("{genre}/{title}", songs, tmp_path)
    assert found == ["Rock/T.mp3", "Rock/T (2).mp3", "Rock/T (3).mp3", "rock/t (4).mp3", "Rock/T.flac"]
    assert places("{genre}/{file}", songs[:2], tmp_path) == ["Rock/s.mp3", "Rock/s (2).mp3"]


def test_no_file_is_in_the_way(tmp_path: Path) -> None:
    one = song(tmp_path / "in" / "s.mp3", "Rock")
    for name in ("s.mp3", "s (2).mp3"):
        song(tmp_path / "Rock" / name)
    (tmp_path / "Rock" / "s (3).mp3").symlink_to("nowhere")
    (tmp_path / "Rock" / "s (4).mp3").mkdir()
    assert places("{genre}/{file}", [one], tmp_path) == ["Rock/s (5).mp3"]


def test_a_song_in_its_place_stays_and_keeps_it(tmp_path: Path) -> None:
    stays = song(tmp_path / "Rock" / "s.mp3", "Rock")
    comes = song(tmp_path / "in" / "S.mp3", "ROCK")
    assert places("{genre}/{file}", [stays, comes], tmp_path) == [None, "ROCK/S (2).mp3"]
    comes = song(tmp_path / "in" / "s.mp3", "Rock")
    assert places("{genre}/{file}", [comes, stays], tmp_path) == ["Rock/s (2).mp3", None]


def test_a_second_run_moves_nothing(tmp_path: Path) -> None:
    tags = [("Rock", "T"), ("Rock", "T"), ("rock", "t"), ("Jazz", "..."), ("Jazz", "x" * 300), ("Jazz", "x" * 300)]
    before = [song(tmp_path / f"{n}.mp3", genre, title=title) for n, (genre, title) in enumerate(tags)]
    ends = carry_out("{genre}/{title}", before, tmp_path)
    assert len({str(end).casefold() for end in ends}) == len(ends)
    after = [song(end, genre, title=title) for end, (genre, title) in zip(ends, tags, strict=True)]
    assert places("{genre}/{title}", after, tmp_path) == [None] * len(ends)


def test_a_song_goes_below_the_folder_in_which_it_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "a" / "b"
    songs = [song(folder / "s.mp3", "Rock") for folder in (tmp_path / "a" / "x", inner / "y", tmp_path / "c")]
    roots = (tmp_path, tmp_path / "a", inner, songs[2].path)
    expected = ["a/Rock/x/s.mp3", "a/b/Rock/y/s.mp3", "Rock/c/s.mp3"]
    assert places("{genre}/{folder}/{file}", songs, *roots) == expected
    assert places("{genre}/{folder}/{file}", songs, tmp_path, *roots[:0:-1]) == expected
    # A file that was given alone goes below its own folder.
    alone = Organizer("{genre}/{folder}/{file}", [inner, songs[2].path])
    assert alone.place(songs[2]).move_to == tmp_path / "c" / "Rock" / "s.mp3"
    # Paths are as they were given; places are absolute.
    monkeypatch.chdir(tmp_path)
    relative = Proposal(Path("a/../c/s.mp3"), "change", (), ("Rock",))
    assert Organizer("{genre}/{file}", [Path("c")]).place(relative).move_to == tmp_path / "c" / "Rock" / "s.mp3"


@pytest.mark.parametrize(
    ("pattern", "rule"),
    [
        ("", "must end in {file} or {title}"),
        ("{genre}", "must end in {file} or {title}"),
        ("{file}/{genre}", "must end in {file} or {title}"),
        ("{genre}/{file}/", "must end in {file} or {title}"),
        ("{genre}/{{file}}", "must end in {file} or {title}"),
        ("{genre}/{year}/{file}", "must be among genre, artist, album, title, file, folder"),
        ("{}/{file}", "must be among"),
        ("{0}/{file}", "must be among"),
        ("{genre.__class__}/{file}", "must be among"),
        ("{genre[0]}/{file}", "must be among"),
        ("{Genre}/{file}", "must be among"),
        ("{genre!r}/{file}", "must be among"),
        ("{genre:>99999999}/{file}", "must be among"),
        ("{genre/{file}", "text with fields in braces"),
        ("genre}/{file}", "text with fields in braces"),
        ("{genre}/{file", "text with fields in braces"),
        ("/{genre}/{file}", "must be a relative path without '.' and '..'"),
        ("../{genre}/{file}", "must be a relative path without '.' and '..'"),
        ("{genre}/../{file}", "must be a relative path without '.' and '..'"),
        ("./{file}", "must be a relative path without '.' and '..'"),
        ("{genre}//{file}", "must be a relative path without '.' and '..'"),
        ("\n{year}\n/{file}", "must be among"),
    ],
)
def test_what_is_wrong_with_a_pattern_is_one_line(tmp_path: Path, pattern: str, rule: str) -> None:
    with pytest.raises(TagError) as caught:
        Organizer(pattern, [tmp_path])
    message = str(caught.value)
    assert rule in message and message.endswith(f"Received: {pattern!r}") and "\n" not in message


@settings(max_examples=150, deadline=None)
@given(
    st.text(min_size=1, max_size=300),
    st.text(max_size=300),
    st.text(max_size=300),
    st.sampled_from([".mp3", ".FLAC", ".m4a", ""]),
    st.sampled_from(["{genre}/{artist}/{title}", "{artist} {genre}/{file}", "{title}", ".{genre}./{album}/ {title} "]),
)
def test_any_song_stays_inside_with_a_name_that_fits(
    tmp_path_factory: pytest.TempPathFactory, genre: str, artist: str, title: str, suffix: str, pattern: str
) -> None:
    root = tmp_path_factory.getbasetemp() / "any"
    one = song(root / f"s{suffix}", genre, artist=artist, album=artist, title=title)
    organizer = Organizer(pattern, [root])
    found = [organizer.place(one).move_to or one.path for _ in range(2)]
    for place in found:
        below = place.relative_to(root)
        assert ".." not in below.parts and len(below.parts) <= pattern.count("/") + 1
        assert all(len(os.fsencode(part)) <= 255 for part in below.parts)
        assert not any(part.startswith(".") for part in below.parts)
        assert not any(char in str(below) for char in '\0\n\x7f\\:*?"<>|')
        assert place.suffix == suffix or not suffix
        check_target(one.path, place)


def test_a_place_that_people_have_edited_is_checked(tmp_path: Path) -> None:
    one = song(tmp_path / "s.mp3", "Rock").path
    check_target(one, tmp_path / "none" / "S.MP3")
    check_target(one, one)
    (tmp_path / "hard.mp3").hardlink_to(one)
    check_target(one, tmp_path / "hard.mp3")
    for target, rule in (
        (Path("there/s.mp3"), "`move_to` must be an absolute path. Received: there/s.mp3"),
        (tmp_path / "s.flac", f"a song must keep its suffix. Received: {tmp_path}/s.flac"),
        (tmp_path / "mp3", f"a song must keep its suffix. Received: {tmp_path}/mp3"),
        (song(tmp_path / "other.mp3").path, f"there is a file already: {tmp_path}/other.mp3"),
    ):
        with pytest.raises(TagError) as caught:
            check_target(one, target)
        assert str(caught.value) == f"{one}: {rule}"
    (tmp_path / "dangling.mp3").symlink_to("nowhere")
    with pytest.raises(TagError, match="there is a file already"):
        check_target(one, tmp_path / "dangling.mp3")
