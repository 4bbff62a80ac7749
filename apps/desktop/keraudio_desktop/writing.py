"""Jobs for the background: carrying decisions out, taking them back, and writing tables and playlists."""

import contextlib
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from keraudio.audio.sound import readable

if TYPE_CHECKING:
    from keraudio.tagging import Outcome, Prediction, Proposal, SongTags, Undone


@dataclass(frozen=True)
class Written:
    """A song that Apply is done with, and what its tags say now."""

    outcome: "Outcome"
    tags: "SongTags | None"


@dataclass(frozen=True)
class TakenBack:
    """A change that Undo is done with, and what the song's tags say now."""

    undone: "Undone"
    tags: "SongTags | None"


@dataclass(frozen=True)
class Total:
    """How many items a job will have, and what it does."""

    count: int
    doing: str


@dataclass(frozen=True)
class Note:
    """A sentence for the status line."""

    text: str


def apply_job(proposals: Sequence["Proposal"], command: str) -> Generator[Total | Written | Note]:
    """Writes genres into songs, as one run of the journal."""
    from keraudio.tagging import Journal, apply_proposals

    yield Total(len(proposals), "Writing")
    written = 0
    with Journal() as journal, closing(apply_proposals(proposals, journal, command=command)) as outcomes:
        for outcome in outcomes:
            written += outcome.written
            yield Written(outcome, _tags(outcome.proposal.path))
    yield Note(f"{written} of {len(proposals)} songs written. Undo takes them back.")


def undo_job() -> Generator[Total | TakenBack | Note]:
    """Takes back the latest run of the journal that has something to take back."""
    from keraudio.tagging import Journal, undo_run

    with Journal() as journal:
        run = next((one for one in journal.runs() if one.states.get("written")), None)
        if run is None:
            yield Note("There is nothing to undo.")
            return
        total, back = run.states["written"], 0
        yield Total(total, "Undoing")
        with closing(undo_run(journal, run.id)) as undone:
            for one in undone:
                back += one.error is None
                yield TakenBack(one, _tags(one.change.path))
    yield Note(f"{back} of {total} changes undone, of {run.started[:16].replace('T', ' ')} ({run.command}).")


def plan_job(file: Path, proposals: Sequence["Proposal"]) -> Generator[Total | Note]:
    """Writes a plan that `keraudio apply` carries out."""
    from keraudio.tagging import check_plan, write_plan

    yield Total(0, "Writing the plan")
    check_plan(file)
    write_plan(file, proposals)
    yield Note(f"Plan of {len(proposals)} songs: {readable(file)}")


def table_job(file: Path, outcomes: Sequence["Outcome"]) -> Generator[Total | Note]:
    """Writes what was heard and done as CSV."""
    from keraudio.tagging import write_results

    yield Total(0, "Writing the table")
    write_results(file, outcomes)
    yield Note(f"Table of {len(outcomes)} songs: {readable(file)}")


def playlists_job(folder: Path, predictions: Sequence["Prediction"]) -> Generator[Total | Note]:
    """Writes a playlist a genre."""
    from keraudio.tagging import write_playlists

    yield Total(0, "Writing playlists")
    files = write_playlists(predictions, folder)
    yield Note(f"{len(files)} playlists: {readable(folder)}")


def settle_job() -> Generator[Note]:
    """Finishes what a killed run left half-way, before anything is heard."""
    from keraudio.tagging import finish_interrupted

    count = finish_interrupted()
    if count:
        yield Note(f"{count} changes of an interrupted run were settled.")


def _tags(path: Path) -> "SongTags | None":
    from keraudio.errors import TagError
    from keraudio.tagging import read_tags

    with contextlib.suppress(TagError):
        return read_tags(path)
    return None
