from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from keraudio_desktop.songs import Rules, Song, State, genres_of

from keraudio.tagging import Outcome, Prediction, SongTags, propose

LABELS = ("jazz", "metal", "pop")


def heard(genres: tuple[str, ...] = (), chosen: tuple[str, ...] = ("metal", "pop"), **fields) -> Song:
    song = Song(Path("/m/a.mp3"))
    values = np.float32([0.1, 0.9, 0.6])
    song.hear(Prediction(song.path, LABELS, values, 3, chosen, tags=SongTags(genres, "Anna"), **fields), Rules())
    return song


def test_a_song_waits_until_it_is_heard_and_then_has_a_proposal() -> None:
    song = Song(Path("/m/a.mp3"))
    assert (song.state, song.new, song.confidence, song.to_write()) == (State.WAITING, (), None, None)
    song = heard()
    assert (song.state, song.new, song.artist) == (State.PROPOSED, ("metal", "pop"), "Anna")
    assert song.confidence == pytest.approx(0.9)


def test_nothing_is_written_before_it_is_accepted() -> None:
    song = heard()
    assert song.to_write() is None
    song.accept()
    assert song.state == State.ACCEPTED and song.to_write() == song.proposal
    song.reject()
    assert song.state == State.REJECTED and song.to_write() is None
    assert song.decided().changes is False and song.listed().chosen == ()


def test_genres_that_are_typed_are_written_and_none_goes_back_to_the_proposal() -> None:
    song = heard(("Rock",))
    assert song.state == State.KEEP
    song.edit([" Dub ", "dub", "Ska"])
    proposal = song.to_write()
    assert proposal is not None and (proposal.state, proposal.new) == ("change", ("Dub", "Ska"))
    assert song.state == State.EDITED and song.listed().chosen == ("Dub", "Ska")
    song.edit([])
    assert (song.state, song.to_write()) == (State.KEEP, None)


def test_typing_what_is_there_already_writes_nothing() -> None:
    song = heard(("Rock",))
    song.edit(["Rock"])
    assert song.to_write() is None


@pytest.mark.parametrize(("limit", "new"), [(0.0, ("metal", "pop")), (0.61, ("metal",)), (0.95, ())])
def test_another_confidence_limit_gives_what_the_engine_would_propose(limit: float, new: tuple[str, ...]) -> None:
    song = heard()
    song.propose(Rules(limit))
    assert song.proposal == propose(song.prediction.above(limit))
    assert song.new == new and (song.state == State.UNSURE) == (not new)


def test_a_limit_is_known_to_matter_wherever_it_changes_the_answers() -> None:
    song = heard()
    limits = np.linspace(0, 1, 101)
    for before, after in pairwise(limits):
        differ = song.prediction.above(before).chosen != song.prediction.above(after).chosen
        assert song.answers_change(before, after) or not differ
    assert not song.answers_change(0.1, 0.5) and song.answers_change(0.95, 0.5)


def test_rules_for_genres_that_are_there_reach_the_proposal() -> None:
    song = heard(("Rock",))
    song.propose(Rules(existing="append"))
    assert song.new == ("Rock", "metal", "pop")
    song.propose(Rules(existing="replace"))
    assert song.new == ("metal", "pop")


def test_what_failed_cannot_be_decided_on_and_says_why() -> None:
    song = Song(Path("/m/a.mp3"))
    song.hear(Prediction(song.path, LABELS, error="a.mp3: is empty"), Rules())
    song.accept()
    song.edit(["Rock"])
    song.reject()
    assert (song.state, song.reason, song.to_write()) == (State.FAILED, "a.mp3: is empty", None)


def test_what_cannot_be_tagged_is_heard_and_not_written() -> None:
    song = Song(Path("/m/a.aac"))
    song.hear(Prediction(song.path, LABELS, np.float32([0.1, 0.9, 0.2]), 3, ("metal",), tag_error="no tags"), Rules())
    song.accept()
    assert (song.state, song.reason, song.to_write()) == (State.UNTAGGABLE, "no tags", None)


def test_a_written_song_has_its_genre_and_may_be_changed_and_undone() -> None:
    song = heard()
    song.accept()
    song.apply(Outcome(song.to_write(), written=True), SongTags(("metal", "pop"), "Anna"), Rules())
    assert song.state == State.WRITTEN and song.current == ("metal", "pop")
    song.edit(["Rock"])
    # Or else the engine would refuse: the song's genre is not what it was when it was heard.
    assert song.state == State.EDITED and song.to_write().current == ("metal", "pop")
    song.edit([])
    song.undo(None, SongTags((), "Anna"), Rules())
    assert song.state == State.PROPOSED and song.current == ()


def test_a_song_that_could_not_be_written_says_why_and_stays_accepted() -> None:
    song = heard()
    song.accept()
    song.apply(Outcome(song.to_write(), error="a.mp3: is read-only"), None, Rules())
    assert (song.state, song.reason) == (State.FAILED, "a.mp3: is read-only") and song.to_write() is not None


def test_a_name_that_is_no_text_can_be_shown() -> None:
    song = Song(Path("/m/\udcff\udc80.mp3"))
    assert song.name.encode("utf-8") and song.name.endswith(".mp3")


def test_genres_stand_between_semicolons() -> None:
    assert genres_of(" Rock;R&B ; ;Folk, World") == ["Rock", "R&B", "Folk, World"]
