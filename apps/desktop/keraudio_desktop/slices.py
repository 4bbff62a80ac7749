"""Long passes over the table in short turns, between which the window answers."""

from collections.abc import Iterator
from time import perf_counter

from PySide6.QtCore import QObject, QTimer, Signal

_TURN_SECONDS = 0.005


class Slices(QObject):
    """Runs an iterator to its end on the event loop; a new one takes the place of one that is under way.

    Signals:
        done: it came to its end.
    """

    done = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._work: Iterator[object] = iter(())
        self._timer = QTimer(self, interval=0)
        self._timer.timeout.connect(self._turn)

    @property
    def busy(self) -> bool:
        """Whether there is work left."""
        return self._timer.isActive()

    def start(self, work: Iterator[object]) -> None:
        """Begins, with the next turn of the event loop."""
        self._work = work
        self._timer.start()

    def _turn(self) -> None:
        began = perf_counter()
        for _ in self._work:
            if perf_counter() - began > _TURN_SECONDS:
                return
        self._timer.stop()
        self.done.emit()
