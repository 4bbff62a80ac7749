"""What the window shows before there are songs: what to do, and what will not happen."""

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from keraudio.audio.sound import readable
from keraudio_desktop.action_button import ActionButton

_WORDS = """\
<p>keraudio listens to your songs and proposes genres.</p>
<p><b>Nothing is written</b> until you accept a proposal and press Apply.<br>Undo takes it back.</p>
<p>mp3, flac, ogg, opus, m4a, wav and aiff.</p>"""


class FirstRun(QWidget):
    """Where to begin.

    Args:
        open_action: opens a folder.
        demo_action: opens the demo songs.

    Signals:
        again(folder): the user wants the last folder.
    """

    again = Signal(object)

    def __init__(self, open_action: QAction, demo_action: QAction) -> None:
        super().__init__()
        frame = QFrame()
        frame.setObjectName("drop_here")
        frame.setMaximumWidth(620)
        frame.setStyleSheet("#drop_here { border: 2px dashed palette(mid); border-radius: 12px; }")
        title = QLabel("Drop a folder of songs here")
        font = title.font()
        font.setPointSizeF(font.pointSizeF() * 1.7)
        font.setBold(True)
        title.setFont(font)
        title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        words = QLabel(_WORDS)
        words.setWordWrap(True)
        words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.open_button = ActionButton("Open folder…", open_action)
        self.open_button.setDefault(True)
        self.demo_button = ActionButton("Try the demo songs", demo_action)
        self.last_button = QPushButton()
        self.last_button.setAccessibleName("Open the last folder")
        self.last_button.setVisible(False)
        self.last_button.clicked.connect(lambda: self.again.emit(self._last))
        self._last: Path | None = None

        buttons = QHBoxLayout()
        buttons.addStretch()
        for button in (self.open_button, self.demo_button):
            buttons.addWidget(button)
        buttons.addStretch()
        inside = QVBoxLayout(frame)
        inside.setContentsMargins(40, 36, 40, 36)
        inside.setSpacing(14)
        inside.addWidget(title)
        inside.addWidget(words)
        inside.addLayout(buttons)
        inside.addWidget(self.last_button, alignment=Qt.AlignmentFlag.AlignHCenter)
        outside = QVBoxLayout(self)
        outside.addStretch()
        row = QHBoxLayout()
        row.addStretch()
        row.addWidget(frame, stretch=3)
        row.addStretch()
        outside.addLayout(row)
        outside.addStretch()

    def offer(self, folder: Path | None) -> None:
        """Offers the folder of last time."""
        self._last = folder
        self.last_button.setVisible(folder is not None)
        if folder is not None:
            name = self.fontMetrics().elidedText(readable(folder), Qt.TextElideMode.ElideMiddle, 420)
            self.last_button.setText(f"Last time: {name.replace('&', '&&')}")
            self.last_button.setToolTip(readable(folder))
