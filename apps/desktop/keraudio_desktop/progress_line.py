"""The one progress bar, what it stands for, and the buttons that hold it."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QSizePolicy, QToolButton, QWidget


class ProgressLine(QWidget):
    """Progress of a run, or the last sentence about one.

    Args:
        pause: checkable action.
        cancel: action.
    """

    def __init__(self, pause: QAction, cancel: QAction) -> None:
        super().__init__()
        self.bar = QProgressBar()
        self.bar.setAccessibleName("Progress")
        self.bar.setTextVisible(False)
        self.bar.setFixedWidth(180)
        self.text = QLabel()
        self.text.setAccessibleName("Status")
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        # Long names must not widen the window.
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.buttons = []
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.bar)
        line.addWidget(self.text, stretch=1)
        for action in (pause, cancel):
            button = QToolButton()
            button.setDefaultAction(action)
            button.setAccessibleName(action.text().replace("&", ""))
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            self.buttons.append(button)
            line.addWidget(button)
        self.set_active(False, can_pause=False)

    def set_active(self, active: bool, *, can_pause: bool) -> None:
        """Shows the bar and the buttons that there is something for."""
        self.bar.setVisible(active)
        self.buttons[0].setVisible(active and can_pause)
        self.buttons[1].setVisible(active)

    def show_progress(self, done: int, total: int, text: str) -> None:
        """Shows how far a run is; a total of 0 is not known."""
        self.bar.setRange(0, total)
        self.bar.setValue(done)
        self.bar.setAccessibleDescription(text)
        self.say(text)

    def say(self, text: str) -> None:
        """Shows a sentence."""
        self.text.setText(text)
        self.text.setToolTip(text)
