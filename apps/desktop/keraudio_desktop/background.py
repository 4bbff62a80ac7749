"""Work on files beside the window: a plain thread that touches no Qt, and a timer that fetches what it has done."""

import queue
import threading
from collections.abc import Callable, Generator
from time import perf_counter
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from keraudio.errors import KeraudioError

_FETCH_MS = 40
_TURN_SECONDS = 0.008
Job = Callable[[], Generator[Any]]


class Background(QObject):
    """One job at a time, a generator whose items arrive as signals in the window's own thread.

    Signals:
        came(item): each item.
        ended(error): the job is over; empty where it went well or was stopped.
    """

    came = Signal(object)
    ended = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._items: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._timer = QTimer(self, interval=_FETCH_MS)
        self._timer.timeout.connect(self._fetch)

    @property
    def busy(self) -> bool:
        """Whether a job is under way, or has items that were not fetched."""
        return self._thread is not None

    def start(self, job: Job) -> None:
        """Begins a job.

        Raises:
            RuntimeError: there is one already.
        """
        if self.busy:
            raise RuntimeError("A job must end before the next begins. Received: a second one")
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, args=(job,), name="background")
        self._thread.start()
        self._timer.start()

    def stop(self) -> None:
        """Ends the job between two of its items."""
        self._stop.set()

    def finish(self) -> None:
        """Stops, and waits until the song that is being written is whole."""
        self.stop()
        if self._thread is not None:
            self._thread.join()

    def _run(self, job: Job) -> None:
        error = ""
        try:
            items = job()
            try:
                for item in items:
                    self._items.put((item,))
                    if self._stop.is_set():
                        break
            finally:
                items.close()
        except KeraudioError as problem:
            error = str(problem)
        except Exception as problem:
            error = " ".join(f"{type(problem).__name__}: {problem}".split())
        self._items.put(error)

    def _fetch(self) -> None:
        began = perf_counter()
        while perf_counter() - began < _TURN_SECONDS:
            try:
                item = self._items.get_nowait()
            except queue.Empty:
                return
            if isinstance(item, tuple):
                self.came.emit(item[0])
                continue
            self._timer.stop()
            assert self._thread is not None
            self._thread.join()
            self._thread = None
            self.ended.emit(item)
            return
