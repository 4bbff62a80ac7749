"""Playing: a button, a slider that seeks, and the time."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QToolButton, QWidget

from keraudio_desktop.time_picture import clock

_PER_SECOND = 10
_ARROW_SECONDS = 5


class PlayLine(QWidget):
    """Plays the song of the detail pane.

    Args:
        play: checkable action.

    Signals:
        sought(seconds): the user moved to there.
    """

    sought = Signal(float)

    def __init__(self, play: QAction) -> None:
        super().__init__()
        self.button = QToolButton()
        self.button.setDefaultAction(play)
        self.button.setAccessibleName("Play")
        self.button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName("Position")
        self.slider.setToolTip("Seek: arrows move by five seconds")
        self.slider.setSingleStep(_ARROW_SECONDS * _PER_SECOND)
        self.slider.setPageStep(6 * _ARROW_SECONDS * _PER_SECOND)
        # A drag seeks once, where it ends; keys and clicks seek at once.
        self.slider.setTracking(False)
        self.slider.valueChanged.connect(self._moved)
        self._time = QLabel()
        self._time.setAccessibleName("Time")
        self._note = QLabel()
        self._note.setVisible(False)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.button)
        line.addWidget(self.slider, stretch=1)
        line.addWidget(self._time)
        line.addWidget(self._note)
        self._duration = 0.0
        self._following = False
        self.set_duration(0.0)

    @property
    def seconds(self) -> float:
        """The place that is marked."""
        return self.slider.value() / _PER_SECOND

    def set_duration(self, seconds: float) -> None:
        """Sets the length of the song, and goes to its beginning."""
        self._duration = seconds
        self._follow(0, int(seconds * _PER_SECOND))
        self.slider.setEnabled(seconds > 0)
        self.set_position(0.0)

    def set_position(self, seconds: float) -> None:
        """Follows what is played."""
        if not self.slider.isSliderDown():
            self._follow(int(seconds * _PER_SECOND))
        text = f"{clock(seconds)} / {clock(self._duration)}"
        self._time.setText(text)
        self.slider.setAccessibleDescription(text)

    def set_unavailable(self, reason: str) -> None:
        """Says why nothing can be played."""
        self._note.setText(reason)
        self._note.setVisible(bool(reason))

    def _follow(self, value: int, most: int | None = None) -> None:
        self._following = True
        if most is not None:
            self.slider.setRange(0, most)
        self.slider.setValue(value)
        self._following = False

    def _moved(self, value: int) -> None:
        if not self._following:
            self.sought.emit(value / _PER_SECOND)
