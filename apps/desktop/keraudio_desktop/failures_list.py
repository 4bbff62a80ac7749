"""What failed, and why: a line each, which leads to its song."""

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem

_MOST = 2000


class FailuresList(QListWidget):
    """Reasons as they come.

    Signals:
        chosen(path): the user wants to see the song of a line.
        counted(number): there is another number of lines.
    """

    chosen = Signal(object)
    counted = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Failures")
        self.setWordWrap(True)
        self.setSpacing(2)
        self.setAlternatingRowColors(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setTextElideMode(Qt.TextElideMode.ElideNone)
        self.total = 0
        self.itemActivated.connect(self._activated)

    def add(self, path: Path | None, reason: str) -> None:
        """Adds a line; of thousands the first ones are shown, as they are alike."""
        self.total += 1
        if self.count() < _MOST:
            # The folder is the same for most; the whole path stands in the hint.
            shown = reason if path is None else reason.replace(f"{path.parent}/", "", 1)
            item = QListWidgetItem(shown.encode(errors="surrogateescape").decode(errors="replace"))
            item.setToolTip(reason.encode(errors="surrogateescape").decode(errors="replace"))
            item.setData(Qt.ItemDataRole.UserRole, path)
            self.addItem(item)
        self.counted.emit(self.total)

    def forget(self) -> None:
        """Begins anew."""
        self.clear()
        self.total = 0
        self.counted.emit(0)

    def _activated(self, item: QListWidgetItem) -> None:
        path = item.data(Qt.ItemDataRole.UserRole)
        if path is not None:
            self.chosen.emit(path)
