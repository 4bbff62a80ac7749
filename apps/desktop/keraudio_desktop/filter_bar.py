"""Which songs are shown, and which answers count."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QLineEdit, QSlider, QWidget

from keraudio_desktop.settings import EXISTING
from keraudio_desktop.songs import State

_EVERYTHING = "All songs"
_EXISTING_TEXTS = {"keep": "Keep genres there", "append": "Add to genres there", "replace": "Replace genres there"}


class FilterBar(QWidget):
    """Words, states, the confidence limit, and what becomes of genres that songs have.

    Signals:
        text_changed(text): words that shown songs must have.
        states_changed(states): tuple of states that are shown; empty: all.
        percent_changed(percent): answers below it are unsure.
        existing_changed(name): one of keep, append, replace.
    """

    text_changed = Signal(str)
    states_changed = Signal(tuple)
    percent_changed = Signal(int)
    existing_changed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.words = QLineEdit()
        self.words.setPlaceholderText("Filter songs, artists, genres")
        self.words.setClearButtonEnabled(True)
        self.words.setAccessibleName("Filter")
        self.words.setToolTip("Words that shown songs must have (Ctrl+F)")
        self.words.setAcceptDrops(False)
        self.words.textChanged.connect(self.text_changed)
        self.states = QComboBox()
        self.states.setAccessibleName("Shown states")
        self.states.setToolTip("Show songs of one state alone")
        self.states.addItem(_EVERYTHING)
        self.states.addItems([str(state) for state in State])
        self.states.currentIndexChanged.connect(self._state_chosen)
        self.limit = QSlider(Qt.Orientation.Horizontal)
        self.limit.setRange(0, 100)
        self.limit.setPageStep(10)
        self.limit.setMinimumWidth(90)
        self.limit.setAccessibleName("Confidence limit")
        self.limit.setToolTip("Answers below it are unsure; songs are not heard again (Ctrl+T)")
        self.limit.valueChanged.connect(self._limit_moved)
        self._number = QLabel()
        self._number.setMinimumWidth(self.fontMetrics().horizontalAdvance("model's own"))
        caption = QLabel("Co&nfidence from")
        caption.setBuddy(self.limit)
        self.existing = QComboBox()
        self.existing.setAccessibleName("Genres that songs have")
        self.existing.setToolTip("What becomes of genres that stand in songs already")
        for name in EXISTING:
            self.existing.addItem(_EXISTING_TEXTS[name], name)
        self.existing.currentIndexChanged.connect(lambda: self.existing_changed.emit(str(self.existing.currentData())))
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.words, stretch=3)
        line.addWidget(self.states)
        line.addSpacing(8)
        line.addWidget(caption)
        line.addWidget(self.limit, stretch=1)
        line.addWidget(self._number)
        line.addWidget(self.existing)
        self._limit_moved(0)

    def _state_chosen(self, place: int) -> None:
        self.states_changed.emit((list(State)[place - 1],) if place else ())

    def _limit_moved(self, percent: int) -> None:
        text = f"{percent} %" if percent else "model's own"
        self._number.setText(text)
        self.limit.setAccessibleDescription(text)
        self.percent_changed.emit(percent)
