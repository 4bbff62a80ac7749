"""A song of the table: what was heard in it, what the user decided, and what would be written."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from keraudio.tagging import propose
from keraudio.tagging.plan import without_doubles

if TYPE_CHECKING:
    from keraudio.tagging import Outcome, Prediction, Proposal, SongTags

SEPARATOR = "; "


class State(StrEnum):
    """What has become of a song, in the words of the table."""

    WAITING = "waiting"
    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    EDITED = "edited"
    REJECTED = "rejected"
    UNSURE = "unsure"
    KEEP = "keeps its genre"
    SAME = "right already"
    WRITTEN = "written"
    UNTAGGABLE = "cannot be tagged"
    FAILED = "failed"


_OF_ENGINE = {
    "change": State.PROPOSED,
    "same": State.SAME,
    "keep": State.KEEP,
    "unsure": State.UNSURE,
    "untaggable": State.UNTAGGABLE,
    "failed": State.FAILED,
}


@dataclass(slots=True)
class Rules:
    """What of a model's answers becomes a proposal.

    Attributes:
        min_confidence: below it an answer is "unsure".
        existing: what becomes of genres that a song has, as `keraudio.tagging.propose` knows it.
    """

    min_confidence: float = 0.0
    existing: str = "keep"


@dataclass(slots=True, eq=False)
class Song:
    """One row of the table.

    Attributes:
        path: of the song.
        name: of the file, as it can be shown.
        prediction: as the model gave it, whatever the threshold; None as long as it waits.
        proposal: what follows from that under the rules.
        decision: `"open"`, `"accepted"` or `"rejected"`.
        edited: genres that the user typed, or None.
        error: why it could not be written, or None.
        written: the genre in its tags is from this run.
        state: of all that, in one word.
        confidence: probability of the likeliest answer, unsure ones too; None where nothing was heard.
        haystack: text in which the filter searches.
    """

    path: Path
    name: str = field(init=False)
    prediction: "Prediction | None" = None
    proposal: "Proposal | None" = None
    decision: str = "open"
    edited: tuple[str, ...] | None = None
    error: str | None = None
    written: bool = False
    state: State = State.WAITING
    confidence: float | None = field(init=False)
    haystack: str = field(init=False)

    def __post_init__(self) -> None:
        # Bytes that are not UTF-8 have no character.
        self.name = self.path.name.encode(errors="surrogateescape").decode(errors="replace")
        self._settle()

    @property
    def artist(self) -> str:
        """Of its tags; empty where they do not say."""
        tags = self.prediction.tags if self.prediction else None
        return tags.artist if tags else ""

    @property
    def current(self) -> tuple[str, ...]:
        """Genres in its tags."""
        return (self.proposal.current or ()) if self.proposal else ()

    @property
    def new(self) -> tuple[str, ...]:
        """Genres that it is to have; none where nothing is proposed."""
        if self.edited is not None:
            return self.edited
        if self.proposal is None or self.proposal.state in ("unsure", "failed"):
            return ()
        return self.proposal.new

    @property
    def reason(self) -> str | None:
        """Why it failed or cannot be tagged."""
        if self.error or self.prediction is None:
            return self.error
        return self.prediction.error or self.prediction.tag_error

    @property
    def taggable(self) -> bool:
        """Whether a genre can be written into it."""
        return self.proposal is not None and self.proposal.state not in ("failed", "untaggable")

    def hear(self, prediction: "Prediction", rules: Rules) -> None:
        """Takes what a model says of the song."""
        self.prediction, self.written, self.error = prediction, False, None
        self.propose(rules)

    def propose(self, rules: Rules) -> None:
        """Draws the proposal from what is known already, without predicting again."""
        if self.prediction is not None:
            self.proposal = propose(self.prediction.above(rules.min_confidence), existing=rules.existing)
        self._settle()

    def answers_change(self, before: float, after: float) -> bool:
        """Whether another `min_confidence` gives other answers; quick, as the slider asks it of every song."""
        one = self.prediction
        if one is None or not one.chosen:
            return False
        low, high = min(before, after), max(before, after)
        # A hair wider than the engine's comparison in float32.
        return any(low - 1e-6 <= one.probability(label) <= high + 1e-6 for label in one.chosen)

    def accept(self) -> None:
        """Has the proposal written with the next `Apply`."""
        if self.proposal is not None and (self.edited is not None or self.proposal.state == "change"):
            self.decision = "accepted"
            self._settle()

    def reject(self) -> None:
        """Leaves the song as it is."""
        if self.taggable:
            self.decision = "rejected"
            self._settle()

    def edit(self, genres: Sequence[str]) -> None:
        """Takes genres that the user typed; none: back to the proposal."""
        if not self.taggable:
            return
        typed = without_doubles(name.strip() for name in genres if name.strip())
        self.edited, self.decision = (typed, "accepted") if typed else (None, "open")
        self._settle()

    def to_write(self) -> "Proposal | None":
        """What `Apply` carries out, or None."""
        if self.proposal is None or self.decision != "accepted":
            return None
        proposal = self.decided()
        return proposal if proposal.changes else None

    def decided(self) -> "Proposal":
        """The proposal as the user left it; a rejected one changes nothing."""
        assert self.proposal is not None
        if self.decision == "rejected":
            return replace(self.proposal, state="keep", new=self.current)
        if self.edited is not None:
            return replace(self.proposal, state="same" if self.edited == self.current else "change", new=self.edited)
        return self.proposal

    def listed(self) -> "Prediction":
        """What playlists go by: the answers, or what the user made of them."""
        assert self.proposal is not None and self.proposal.prediction is not None
        chosen = self.proposal.prediction.chosen if self.edited is None else self.edited
        return replace(self.proposal.prediction, chosen=() if self.decision == "rejected" else chosen)

    def apply(self, outcome: "Outcome", tags: "SongTags | None", rules: Rules) -> None:
        """Takes what became of it when it was written."""
        self.error, self.written = outcome.error, outcome.written
        if outcome.written:
            self.decision, self.edited = "open", None
        self.retag(tags, rules)

    def undo(self, error: str | None, tags: "SongTags | None", rules: Rules) -> None:
        """Takes what became of it when it was undone."""
        self.error, self.written = error, self.written and error is not None
        self.retag(tags, rules)

    def retag(self, tags: "SongTags | None", rules: Rules) -> None:
        """Takes what its tags say now."""
        if tags is not None and self.prediction is not None:
            self.prediction = replace(self.prediction, tags=tags)
        self.propose(rules)

    def _settle(self) -> None:
        # What tables are sorted and filtered by is asked of ten thousand songs at once.
        self.state, self.confidence = self._state(), self._confidence()
        words = (self.name, self.artist, *self.current, *self.new, self.state)
        self.haystack = "\n".join(words).casefold()

    def _confidence(self) -> float | None:
        if self.prediction is None or self.prediction.probabilities is None:
            return None
        return self.prediction.confidence or float(self.prediction.probabilities.max())

    def _state(self) -> State:
        if self.proposal is None:
            return State.WAITING
        if self.error is not None or self.proposal.state == "failed":
            return State.FAILED
        if self.written and self.decision == "open":
            return State.WRITTEN
        if self.decision == "rejected":
            return State.REJECTED
        if self.edited is not None:
            return State.EDITED
        if self.decision == "accepted" and self.proposal.state == "change":
            return State.ACCEPTED
        return _OF_ENGINE[self.proposal.state]


def genres_of(text: str) -> list[str]:
    """Genres that a line of the table's own form holds."""
    return [part.strip() for part in text.split(SEPARATOR.strip()) if part.strip()]


def real_path(path: Path) -> str:
    """By which songs of the table and of the journal, which knows no links, are the same."""
    return os.path.realpath(path)
