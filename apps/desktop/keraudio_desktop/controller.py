"""What the app does, whatever it looks like: hears songs, takes decisions, writes them and takes them back."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from PySide6.QtCore import QObject, Signal

from keraudio.audio.sound import readable
from keraudio_desktop import writing
from keraudio_desktop.background import Background, Job
from keraudio_desktop.eta import Eta, in_words
from keraudio_desktop.listening import Listening
from keraudio_desktop.slices import Slices
from keraudio_desktop.song_table import SongTable
from keraudio_desktop.songs import Song

# Proposals drawn anew at a time; a turn of `Slices` ends after one such piece at the earliest.
_PIECE = 50


class Controller(QObject):
    """The app without its window.

    Args:
        model: file of the model that hears songs.
        parent: owner.

    Signals:
        said(text): a sentence for the status line.
        progressed(done, total, text): of what is under way; a total of 0 is not known.
        activity_changed: it began, paused or ended.
        failed(path, reason): a song that could not be heard or written; path is None where it is no song's fault.
    """

    said = Signal(str)
    progressed = Signal(int, int, str)
    activity_changed = Signal()
    failed = Signal(object, str)

    def __init__(self, model: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.table = SongTable(self)
        self.listening = Listening(self)
        self.background = Background(self)
        self.slices = Slices(self)
        self.model = model
        self.paths: list[Path] = []
        self.paused = False
        self._eta = Eta()
        self._doing, self._done, self._total = "", 0, 0
        self._after: Callable[[], None] | None = None
        self.listening.found.connect(self._found)
        self.listening.heard.connect(self._heard)
        self.listening.ended.connect(self._listened)
        self.listening.paused.connect(self._set_paused)
        self.listening.trouble.connect(lambda reason: self.failed.emit(None, reason))
        self.background.came.connect(self._came)
        self.background.ended.connect(self._job_ended)

    @property
    def busy(self) -> bool:
        """Whether anything is under way that can be cancelled."""
        return self.listening.active or self.background.busy

    def open(self, paths: Sequence[Path], *, refresh: bool = False) -> None:
        """Hears the songs of folders and files; decisions about songs before are gone."""
        if self.background.busy:
            # Songs are being written: first things first.
            self._after = lambda: self.open(paths, refresh=refresh)
            return
        self.paths, self._done, self._total, self._doing = list(paths), 0, 0, "Looking for songs"
        self._eta.restart()
        self.table.fill([])
        self.listening.listen(paths, self.model, refresh=refresh)
        self._set_paused(False)
        self.progressed.emit(0, 0, "Looking for songs")

    def use_model(self, model: Path) -> None:
        """Changes the model; the songs of the table are heard again by it."""
        if model != self.model:
            self.model = model
            if self.paths and (self.table.songs or self.listening.active):
                self.open(self.paths)
            else:
                self.listening.prepare(model)

    def set_rules(self, *, min_confidence: float | None = None, existing: str | None = None) -> None:
        """Draws all proposals anew, without predicting again."""
        rules = self.table.rules
        before = rules.min_confidence
        everything = existing is not None and existing != rules.existing
        rules.min_confidence = before if min_confidence is None else min_confidence
        rules.existing = rules.existing if existing is None else existing
        # An earlier pass that had not come to its end left other thresholds behind.
        self.slices.start(self._propose(before, everything or self.slices.busy))

    def _propose(self, before: float, everything: bool) -> Iterator[None]:
        rules, songs = self.table.rules, self.table.songs
        for first in range(0, len(songs), _PIECE):
            piece = range(first, min(first + _PIECE, len(songs)))
            rows = [r for r in piece if everything or songs[r].answers_change(before, rules.min_confidence)]
            self.table.each(rows, lambda song: song.propose(rules))
            yield

    def accept(self, rows: Iterable[int]) -> None:
        """Has the proposals of rows written with the next `apply`."""
        self.table.each(rows, Song.accept)

    def reject(self, rows: Iterable[int]) -> None:
        """Leaves the songs of rows as they are."""
        self.table.each(rows, Song.reject)

    def edit(self, rows: Iterable[int], genres: Sequence[str]) -> None:
        """Gives rows other genres; none: back to their proposals."""
        self.table.each(rows, lambda song: song.edit(genres))

    def apply(self) -> None:
        """Writes what was accepted."""
        proposals = [one for song in self.table.songs if (one := song.to_write()) is not None]
        command = f"app {', '.join(readable(path) for path in self.paths[:3])}"
        if proposals:
            self._start(lambda: writing.apply_job(proposals, command))

    def undo(self) -> None:
        """Takes back the latest run of the journal."""
        self._start(writing.undo_job)

    def settle(self) -> None:
        """Finishes what a killed run left."""
        self._start(writing.settle_job)

    def export_plan(self, file: Path) -> None:
        """Writes the decisions as a plan."""
        proposals = [song.decided() for song in self.table.songs if song.proposal is not None]
        self._start(lambda: writing.plan_job(file, proposals))

    def export_table(self, file: Path) -> None:
        """Writes what was heard and done as CSV."""
        from keraudio.tagging import Outcome

        outcomes = [
            Outcome(song.decided(), song.written, error=song.reason)
            for song in self.table.songs
            if song.proposal is not None
        ]
        self._start(lambda: writing.table_job(file, outcomes))

    def export_playlists(self, folder: Path) -> None:
        """Writes a playlist a genre."""
        predictions = [song.listed() for song in self.table.songs if song.proposal is not None]
        self._start(lambda: writing.playlists_job(folder, predictions))

    def pause(self, still: bool) -> None:
        """Stands still after the song under way, or goes on."""
        self.listening.pause(still)

    def cancel(self) -> None:
        """Ends what is under way; what is finished stays."""
        self.listening.cancel()
        self.background.stop()

    def close(self) -> None:
        """Ends everything; a song that is being written is finished first."""
        self.listening.close()
        self.background.finish()

    def _start(self, job: Job) -> None:
        if self.background.busy:
            self.said.emit("One thing at a time: wait, or cancel.")
            return
        self._doing, self._done, self._total = "Working", 0, 0
        self._eta.restart()
        self.background.start(job)
        self.activity_changed.emit()

    def _found(self, paths: list[Path]) -> None:
        self.table.fill(paths)
        self._total, self._doing = len(paths), "Listening"
        if not paths:
            self.said.emit("There are no songs here: mp3, flac, ogg, opus, m4a, wav or aiff.")
        else:
            self._tell()

    def _heard(self, number: int, prediction: Any) -> None:
        self.table.each([number], lambda song: song.hear(prediction, self.table.rules))
        song = self.table.songs[number]
        if song.reason is not None:
            self.failed.emit(song.path, song.reason)
        self._done += 1
        self._tell()

    def _listened(self, error: str) -> None:
        if error == Listening.CANCELLED:
            self.said.emit(f"Cancelled after {self._done} of {self._total} songs; they stay.")
        elif error:
            self.failed.emit(None, error)
        elif self.table.songs:
            self.said.emit(f"{self._done} songs heard. Nothing is written until you accept and apply.")
        self._set_paused(False)

    def _set_paused(self, still: bool) -> None:
        self.paused = still
        self._eta.restart()
        self.activity_changed.emit()

    def _came(self, item: Any) -> None:
        match item:
            case writing.Total(count, doing):
                self._total, self._doing = count, doing
            case writing.Note(text):
                self.said.emit(text)
                return
            case writing.Written(outcome, tags):
                path, error = outcome.proposal.path, outcome.error
                self.table.each(self.table.rows_of(path), lambda song: song.apply(outcome, tags, self.table.rules))
                self._count(path, error)
            case writing.TakenBack(undone, tags):
                path, error = undone.change.path, undone.error
                self.table.each(self.table.rows_of(path), lambda song: song.undo(error, tags, self.table.rules))
                self._count(path, error)
        self._tell()

    def _count(self, path: Path, error: str | None) -> None:
        self._done += 1
        if error is not None:
            self.failed.emit(path, error)

    def _job_ended(self, error: str) -> None:
        if error:
            self.failed.emit(None, error)
        self.activity_changed.emit()
        after, self._after = self._after, None
        if after is not None:
            after()

    def _tell(self) -> None:
        left = self._eta.seconds_left(monotonic(), self._done, self._total) if self._total else None
        of = f" {self._done} of {self._total}" if self._total else ""
        self.progressed.emit(self._done, self._total, f"{self._doing}{of}{f', {in_words(left)}' if left else ''}")
