"""Everything about one song: what it has, what was heard and how surely, how that runs through it, and its sound."""

from html import escape
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from keraudio_desktop.confidence_bar import ConfidenceBar
from keraudio_desktop.genre_strip import GenreStrip
from keraudio_desktop.mel_picture import MelPicture
from keraudio_desktop.play_line import PlayLine
from keraudio_desktop.song_table import CONFIDENCE_ROLE
from keraudio_desktop.songs import Song
from keraudio_desktop.waveform import Waveform

_TOP = 5
_NO_SONG = "Select a song to see and hear what the model heard."


class DetailPane(QScrollArea):
    """One song.

    Args:
        decisions: actions that take the song, as buttons.
        play: checkable action.

    Signals:
        sought(seconds): the user wants to hear it from there.
    """

    sought = Signal(float)

    def __init__(self, decisions: list[QAction], play: QAction) -> None:
        super().__init__()
        self.path: Path | None = None
        self._title = _label(bold=True)
        self._artist = _label()
        self._diff = _label()
        self._diff.setTextFormat(Qt.TextFormat.RichText)
        self._diff.setAccessibleName("Old and new genre")
        self._note = _label()
        self._buttons = QWidget()
        row = QHBoxLayout(self._buttons)
        row.setContentsMargins(0, 0, 0, 0)
        for action in decisions:
            button = QToolButton()
            button.setDefaultAction(action)
            button.setAccessibleName(action.text().replace("&", "").rstrip("…"))
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            row.addWidget(button)
        self.top = _top_table(self)
        self.strip, self.waveform, self.mel = GenreStrip(), Waveform(), MelPicture()
        self.play_line = PlayLine(play)
        self.play_line.sought.connect(self.sought)
        inside = QWidget()
        layout = QVBoxLayout(inside)
        for widget in (self._title, self._artist, self._diff, self._buttons, self.top, self._note):
            layout.addWidget(widget)
        for picture in (self.strip, self.waveform, self.mel):
            picture.picked.connect(self.sought)
            layout.addWidget(picture)
        layout.addWidget(self.play_line)
        layout.addStretch()
        self.setWidget(inside)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Song's details")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.show_song(None)

    def show_song(self, song: Song | None) -> None:
        """Shows what the table knows of a song; its pictures follow with `show_sound`."""
        path = None if song is None else song.path
        if path != self.path or song is None:
            self.path = path
            for picture in (self.strip, self.waveform, self.mel):
                picture.clear()
            self.play_line.set_duration(0.0)
            self.say("")
        self._artist.setVisible(song is not None and bool(song.artist))
        for widget in (self._diff, self._buttons, self.top, self.strip, self.waveform, self.mel, self.play_line):
            widget.setVisible(song is not None)
        if song is None:
            self._title.setText(_NO_SONG)
            return
        self._title.setText(song.name)
        self._artist.setText(song.artist)
        self._diff.setText(_difference(song))
        self._show_top(song)
        if song.reason is not None:
            self.say(song.reason)

    def show_sound(self, message: dict[str, Any]) -> None:
        """Shows what the listening process found along the song (`keraudio_desktop.listener`)."""
        if "error" in message:
            self.say(message["error"])
            return
        from keraudio_desktop.messages import unpack_array

        duration, heard = message["duration"], message["heard"]
        probabilities = unpack_array(message["probabilities"])
        self.strip.show_song(message["labels"], unpack_array(message["starts"]), probabilities, duration)
        self.waveform.show_song(unpack_array(message["outline"]), heard, duration)
        self.mel.show_song(unpack_array(message["mel"]), heard, duration)
        self.play_line.set_duration(duration)
        self.say("" if heard > duration - 1 else f"The first {heard / 60:.0f} minutes of the song are drawn.")

    def set_position(self, seconds: float) -> None:
        """Marks the place that is played."""
        for picture in (self.strip, self.waveform, self.mel):
            picture.set_position(seconds)
        self.play_line.set_position(seconds)

    def say(self, text: str) -> None:
        """Shows a sentence above the pictures; none: nothing."""
        self._note.setText(text.encode(errors="surrogateescape").decode(errors="replace"))
        self._note.setVisible(bool(text))

    def _show_top(self, song: Song) -> None:
        found = song.prediction.top(_TOP) if song.prediction else []
        self.top.setRowCount(len(found))
        for row, (label, value) in enumerate(found):
            name, bar = QTableWidgetItem(label), QTableWidgetItem(f"{value:.0%}")
            bar.setData(CONFIDENCE_ROLE, value)
            bar.setData(Qt.ItemDataRole.AccessibleTextRole, f"{value:.0%} sure of {label}")
            self.top.setItem(row, 0, name)
            self.top.setItem(row, 1, bar)
        height = sum(self.top.rowHeight(row) for row in range(len(found)))
        self.top.setFixedHeight(height + 2 * self.top.frameWidth())
        self.top.setVisible(bool(found))


def _difference(song: Song) -> str:
    """Old and new genres: what goes is struck out and has a minus, what comes is bold and has a plus."""
    if song.proposal is None:
        return "Not heard yet"
    old, new = song.current, song.new
    if not new and not old:
        return f"No genre, {escape(song.state)}"
    if not new or old == new:
        return f"{escape('; '.join(old))}, {escape(song.state)}"
    gone = [f"<s>&minus; {escape(name)}</s>" for name in old if name not in new]
    stay = [escape(name) for name in old if name in new]
    come = [f"<b>+ {escape(name)}</b>" for name in new if name not in old]
    before = escape("; ".join(old)) or "no genre"
    return f"{before} &rarr; {escape('; '.join(new))}<br>{' &nbsp; '.join([*gone, *stay, *come])}"


def _top_table(parent: QWidget) -> QTableWidget:
    table = QTableWidget(0, 2)
    table.setAccessibleName("Likeliest labels")
    table.verticalHeader().setVisible(False)
    table.horizontalHeader().setVisible(False)
    table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    table.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
    table.verticalHeader().setDefaultSectionSize(table.fontMetrics().height() + 8)
    table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    table.setShowGrid(False)
    table.setItemDelegateForColumn(1, ConfidenceBar(CONFIDENCE_ROLE, parent))
    return table


def _label(*, bold: bool = False) -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    # A name without spaces would widen the pane; it is cut by the pane's edge otherwise.
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    font = label.font()
    font.setBold(bold)
    label.setFont(font)
    return label
