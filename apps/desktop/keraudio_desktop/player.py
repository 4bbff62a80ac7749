"""The window's side of the process that plays songs."""

from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from keraudio_desktop.child_process import ChildProcess


class Player(QObject):
    """Plays one song at a time, from any second on.

    Signals:
        moved(seconds): the place that is heard.
        playing_changed(playing): it began, or stopped.
        unavailable(reason): there is nothing to play with.
    """

    moved = Signal(float)
    playing_changed = Signal(bool)
    unavailable = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.child = ChildProcess("keraudio_desktop.playing", self)
        self.child.said.connect(self._hear)
        self.child.broke.connect(self._broke)
        self.available = True
        self.playing = False

    def play(self, path: Path, at: float) -> None:
        """Plays a song from `at` seconds on."""
        if self.available:
            self.child.ask(do="play", path=str(path), at=at)
            self._set_playing(True)

    def stop(self) -> None:
        """Is silent."""
        if self.playing:
            self.child.ask(do="stop")
            self._set_playing(False)

    def close(self) -> None:
        """Ends the process."""
        self.playing = False
        self.child.end()

    def _hear(self, message: dict[str, Any]) -> None:
        if "at" in message:
            if self.playing:
                self.moved.emit(message["at"])
        elif "error" in message:
            self._set_playing(False)
            self.available = self.available and not message.get("fatal")
            self.unavailable.emit(message["error"])
        elif "stopped" in message:
            self._set_playing(False)

    def _broke(self, reason: str) -> None:
        self._set_playing(False)
        if self.available:
            self.unavailable.emit(f"the player broke: {reason}")

    def _set_playing(self, playing: bool) -> None:
        if playing != self.playing:
            self.playing = playing
            self.playing_changed.emit(playing)
