"""Files dropped on the window: read, never moved."""

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QDropEvent


def dropped_paths(event: QDropEvent) -> list[Path]:
    """Local files and folders of a drag; none where its source would not let them be copied.

    A drag with Shift held, or from some file managers, asks for a move: whoever takes that has the source delete the
    files. So a copy is what is taken, whatever was asked for.
    """
    if not event.possibleActions() & Qt.DropAction.CopyAction:
        return []
    return [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]


def take_copy(event: QDropEvent) -> list[Path]:
    """Accepts a drag as a copy where it holds files, and refuses it elsewhere."""
    paths = dropped_paths(event)
    if paths:
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
    else:
        event.ignore()
    return paths
