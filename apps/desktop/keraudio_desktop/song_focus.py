"""The song that the user looks at: its details follow the table, and its sound the player."""

from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer

from keraudio_desktop.controller import Controller
from keraudio_desktop.detail_pane import DetailPane
from keraudio_desktop.player import Player
from keraudio_desktop.song_view import SongView

# Nobody looks at the songs that an arrow key held down passes.
_LOOK_MS = 250


class SongFocus(QObject):
    """Keeps the detail pane and the player with the table's current song.

    Args:
        controller: of the songs.
        view: the table.
        detail: the pane.
        player: of songs.
        parent: owner.
    """

    def __init__(
        self, controller: Controller, view: SongView, detail: DetailPane, player: Player, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._controller, self._view, self._detail, self._player = controller, view, detail, player
        self._row = -1
        self._later = QTimer(self, interval=_LOOK_MS, singleShot=True)
        self._later.timeout.connect(self._look)
        self._drawn: Path | None = None
        view.current_changed.connect(self._current_changed)
        controller.table.changed.connect(self._songs_changed)
        controller.table.modelReset.connect(lambda: self._current_changed(-1))
        controller.listening.looked.connect(self._looked)
        detail.sought.connect(self._seek)
        player.moved.connect(detail.set_position)
        player.playing_changed.connect(detail.play_line.button.defaultAction().setChecked)
        player.unavailable.connect(detail.play_line.set_unavailable)

    def play(self, on: bool) -> None:
        """Plays the song from the marked place, or stops."""
        if on and self._detail.path is not None and self._player.available:
            self._player.play(self._detail.path, self._detail.play_line.seconds)
        else:
            self._player.stop()
            self._detail.play_line.button.defaultAction().setChecked(False)

    def _seek(self, seconds: float) -> None:
        self._detail.set_position(seconds)
        if self._detail.path is not None:
            self._player.play(self._detail.path, seconds)

    def _current_changed(self, row: int) -> None:
        songs = self._controller.table.songs
        song = songs[row] if 0 <= row < len(songs) else None
        self._row = row if song else -1
        if song is None or song.path != self._detail.path:
            self._player.stop()
            self._drawn = None
            self._later.start()
        self._detail.show_song(song)

    def _songs_changed(self, first: int, last: int) -> None:
        if first <= self._row <= last:
            song = self._controller.table.songs[self._row]
            self._detail.show_song(song)
            if self._drawn is None and not self._later.isActive():
                self._later.start()

    def _look(self) -> None:
        song = self._controller.table.songs[self._row] if self._row >= 0 else None
        # What cannot be heard at all has no pictures either; what waits will be heard.
        if song is None or self._drawn == song.path or song.prediction is None or song.prediction.error:
            return
        self._drawn = song.path
        self._detail.say("Listening along the song…")
        self._controller.listening.look(song.path, self._controller.model)

    def _looked(self, path: Path, message: dict[str, Any]) -> None:
        if path == self._detail.path:
            self._detail.show_sound(message)
