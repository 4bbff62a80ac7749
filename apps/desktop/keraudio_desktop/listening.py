"""The window's side of the process that hears songs: runs, their pause and end, and looks along single songs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from keraudio_desktop.child_process import ChildProcess

# Time for the song under way; after it the process is ended, so that cancelling takes less than a second.
_CANCEL_MS = 600
_COLUMNS = 600


class Listening(QObject):
    """Has songs heard, one run at a time.

    Signals:
        found(paths): the run's songs.
        heard(number, prediction): what the model says of one of them.
        ended(error): the run is over; empty where every song was heard, `CANCELLED` where it was cancelled.
        paused(still): the run stands still, or goes on.
        looked(path, message): what is to be seen of one song; an `error` in it where it cannot be.
        ready(model): its file is loaded.
        trouble(reason): the process broke, or a model cannot be loaded.
    """

    CANCELLED = "cancelled"

    found = Signal(list)
    heard = Signal(int, object)
    ended = Signal(str)
    paused = Signal(bool)
    looked = Signal(object, dict)
    ready = Signal(str)
    trouble = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.child = ChildProcess("keraudio_desktop.listener", self)
        self.child.said.connect(self._hear)
        self.child.broke.connect(self._broke)
        self._last_run = 0
        self._run: int | None = None
        self._labels: tuple[str, ...] = ()
        self._impatience = QTimer(self, interval=_CANCEL_MS, singleShot=True)
        self._impatience.timeout.connect(self.child.end)

    @property
    def active(self) -> bool:
        """Whether a run is under way."""
        return self._run is not None

    def prepare(self, model: Path) -> None:
        """Loads a model ahead."""
        self.child.ask(do="prepare", model=str(model))

    def listen(self, paths: Sequence[Path], model: Path, *, refresh: bool = False) -> None:
        """Begins a run over folders and files."""
        if self.active:
            self.cancel()
        if self._impatience.isActive():
            # The run before has not said yet that it ended.
            self._impatience.stop()
            self.child.end()
        self._last_run += 1
        self._run = self._last_run
        self.child.ask(
            do="listen", run=self._run, paths=[str(path) for path in paths], model=str(model), refresh=refresh
        )

    def pause(self, still: bool) -> None:
        """Has the run stand still after the song under way, or go on."""
        if self.active:
            self.child.ask(do="pause" if still else "resume", run=self._run)

    def cancel(self) -> None:
        """Ends the run; what was heard is kept."""
        if not self.active:
            return
        self.child.ask(do="cancel", run=self._run)
        self._run = None
        self._impatience.start()
        self.ended.emit(self.CANCELLED)

    def look(self, path: Path, model: Path) -> None:
        """Asks for the pictures of a song."""
        self.child.ask(do="look", path=str(path), model=str(model), columns=_COLUMNS)

    def close(self) -> None:
        """Ends the process."""
        self._run = None
        self._impatience.stop()
        self.child.end()

    def _hear(self, message: dict[str, Any]) -> None:
        if "run" in message:
            self._hear_run(message)
        elif "look" in message:
            self.looked.emit(Path(message["look"]), message)
        elif "error" in message:
            self.trouble.emit(message["error"])
        elif "ready" in message:
            self.ready.emit(message["model"])

    def _hear_run(self, message: dict[str, Any]) -> None:
        if "cancelled" in message:
            self._impatience.stop()
        if message["run"] != self._run:
            return
        if "songs" in message:
            self._labels = tuple(message["labels"])
            self.found.emit([Path(song) for song in message["songs"]])
        elif "prediction" in message:
            from keraudio_desktop.messages import unpack_prediction

            self.heard.emit(message["number"], unpack_prediction(message["prediction"], self._labels))
        elif "paused" in message:
            self.paused.emit(message["paused"])
        else:
            self._run = None
            self.ended.emit(message.get("error", ""))

    def _broke(self, reason: str) -> None:
        self._impatience.stop()
        text = f"The process that listens broke: {reason}"
        self.trouble.emit(text)
        if self.active:
            self._run = None
            self.ended.emit(f"{text}. What was heard is kept; listen again to go on.")
