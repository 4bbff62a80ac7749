"""A child process of the app that speaks lines of JSON, on Qt's event loop: nothing blocks and no thread is needed."""

import json
import os
import re
import signal
import sys
from collections import deque
from time import perf_counter
from typing import Any

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, QTimer, Signal

# A tenth of what people notice; the rest of the lines wait for the next turn of the event loop.
_TURN_SECONDS = 0.008
_KEPT_TALK = 2000
_ERROR = re.compile(r"[A-Za-z_.]*(Error|Exception|Exit|Interrupt)\b")


class ChildProcess(QObject):
    """`python -m MODULE`, started with the first request and again after it broke.

    Args:
        module: of which the process runs `main`.
        parent: owner.

    Signals:
        said(message): each line that it wrote.
        broke(reason): it ended by itself, and why.
    """

    said = Signal(dict)
    broke = Signal(str)

    def __init__(self, module: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._module = module
        self._process: QProcess | None = None
        self._lines: deque[bytes] = deque()
        self._rest = b""
        self._talk = ""
        self._turn = QTimer(self, interval=0)
        self._turn.timeout.connect(self._hand_on)

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """Of the process; 0 where there is none."""
        return self._process.processId() if self._process else 0

    def ask(self, **request: Any) -> None:
        """Sends a request."""
        if self._process is None:
            self._start()
        assert self._process is not None
        self._process.write(json.dumps(request).encode() + b"\n")

    def end(self, wait_ms: int = 0) -> None:
        """Ends the process at once; what it had still to say is not heard."""
        process, self._process = self._process, None
        self._lines.clear()
        self._rest = b""
        self._turn.stop()
        if process is not None:
            process.blockSignals(True)
            process.kill()
            process.waitForFinished(wait_ms or 1000)
            process.deleteLater()

    def _start(self) -> None:
        process = QProcess(self)
        environment = QProcessEnvironment.systemEnvironment()
        environment.insert("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
        environment.insert("TF_CPP_MIN_LOG_LEVEL", "3")
        process.setProcessEnvironment(environment)
        process.readyReadStandardOutput.connect(self._read)
        process.readyReadStandardError.connect(self._hear_talk)
        process.finished.connect(self._finished)
        process.errorOccurred.connect(self._failed)
        self._process, self._talk, self._rest = process, "", b""
        process.start(sys.executable, ["-P", "-m", self._module])

    def _read(self) -> None:
        if self._process is None:
            return
        *whole, self._rest = (self._rest + bytes(self._process.readAllStandardOutput().data())).split(b"\n")
        self._lines.extend(whole)
        if not self._turn.isActive():
            self._turn.start()

    def _hand_on(self) -> None:
        began = perf_counter()
        while self._lines and perf_counter() - began < _TURN_SECONDS:
            self.said.emit(json.loads(self._lines.popleft()))
        if not self._lines:
            self._turn.stop()

    def _hear_talk(self) -> None:
        if self._process is not None:
            talk = bytes(self._process.readAllStandardError().data()).decode(errors="replace")
            self._talk = (self._talk + talk)[-_KEPT_TALK:]

    def _failed(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart and self._process is not None:
            reason = self._process.errorString()
            self._process = None
            self.broke.emit(f"it does not start: {reason}")

    def _finished(self, code: int, status: QProcess.ExitStatus) -> None:
        if self._process is None:
            return
        self._read()
        self._hear_talk()
        self._process.deleteLater()
        self._process = None
        while self._lines:
            self.said.emit(json.loads(self._lines.popleft()))
        crashed = status == QProcess.ExitStatus.CrashExit
        how = f"crashed ({_signal(code)})" if crashed else f"ended (exit code {code})"
        # Of what it said the last line of a traceback; libraries log there too.
        last = next((line for line in reversed(self._talk.splitlines()) if _ERROR.match(line)), "")
        self.broke.emit(f"it {how}{f': {last.strip()}' if last else ''}")


def _signal(code: int) -> str:
    try:
        return signal.Signals(code).name
    except ValueError:
        return f"code {code}"
