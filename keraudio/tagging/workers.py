"""Files opened in child processes with a time limit: a decoder that crashes or hangs costs one file."""

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from keraudio.audio.sound import readable
from keraudio.tagging.song_tags import SongTags
from keraudio.tagging.worker import LENGTHS


@dataclass(frozen=True)
class Examined:
    """What a worker found in a file.

    Attributes:
        windows: float32 `(windows, window)`, unless there is an `error` or a result was kept already.
        probabilities: float32 `(labels,)` that were kept already, or None.
        count: number of windows.
        payload: digest of its sound, where results are kept.
        tags: what they say, where that was asked for and they can be read.
        tag_error: why they cannot, or None.
        error: why it cannot be heard, or None.
        seconds: that the worker took.
    """

    windows: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    count: int = 0
    payload: str | None = None
    tags: SongTags | None = None
    tag_error: str | None = None
    error: str | None = None
    seconds: float = 0.0


class Workers:
    """Child processes, each started when it is first needed and again after it broke; safe to call from many threads.

    Args:
        settings: of `keraudio.tagging.worker`.
        time_limit: seconds that a file may take.
    """

    def __init__(self, settings: dict[str, Any], time_limit: float) -> None:
        self._settings = settings | {"time_limit": time_limit}
        self._time_limit = time_limit
        self._idle: list[subprocess.Popen[bytes]] = []
        self._all: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        with self._lock:
            self._closed = True
            every = list(self._all)
        for process in every:
            process.kill()
        for process in every:
            self._end(process)

    def examine(self, path: Path) -> Examined:
        """Has a file opened; what goes wrong is an answer, never an exception."""
        try:
            process = self._take()
        except OSError as error:
            return Examined(error=f"{readable(path)}: no decoder starts: {(error.strerror or str(error)).lower()}")
        late = threading.Event()

        def stop() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(self._time_limit, stop)
        timer.daemon = True
        timer.start()
        try:
            header, body = self._ask(process, path)
        except (OSError, ValueError, EOFError):
            code = self._end(process)
            if late.is_set():
                return Examined(error=f"{readable(path)}: took longer than {self._time_limit:g} s")
            return Examined(error=f"{readable(path)}: its decoder crashed ({_cause(code)})")
        finally:
            timer.cancel()
        if late.is_set():
            # The answer came just before the end.
            self._end(process)
        else:
            with self._lock:
                self._idle.append(process)
        return self._examined(header, body)

    def _take(self) -> subprocess.Popen[bytes]:
        """A process that waits, or a new one."""
        while True:
            with self._lock:
                process = self._idle.pop() if self._idle else None
            if process is None:
                return self._start()
            if process.poll() is None:
                return process
            # Something else has ended it, such as a system without memory.
            self._end(process)

    def _start(self) -> subprocess.Popen[bytes]:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        with self._lock:
            if self._closed:
                raise BrokenPipeError(errno.EPIPE, "the run has ended")
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "keraudio.tagging.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # libmpg123 comments on damaged MP3s by itself.
                stderr=subprocess.DEVNULL,
                env=environment,
            )
            self._all.add(process)
        try:
            self._send(process, self._settings)
        except OSError:
            self._end(process)
            raise
        return process

    def _end(self, process: subprocess.Popen[bytes]) -> int:
        """Ends a process, if it has not ended, and returns its exit code."""
        process.kill()
        code = process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                # What was not read from it, or a thread that is still at it.
                with contextlib.suppress(OSError, ValueError):
                    pipe.close()
        with self._lock:
            self._all.discard(process)
        return code

    def _ask(self, process: subprocess.Popen[bytes], path: Path) -> tuple[dict[str, Any], np.ndarray]:
        self._send(process, str(path))
        assert process.stdout is not None
        head_size, body_size = LENGTHS.unpack(_exactly(process.stdout, LENGTHS.size))
        header = json.loads(_exactly(process.stdout, head_size))
        return header, np.frombuffer(_exactly(process.stdout, body_size), "<f4")

    def _send(self, process: subprocess.Popen[bytes], message: Any) -> None:
        assert process.stdin is not None
        process.stdin.write(json.dumps(message).encode() + b"\n")
        process.stdin.flush()

    def _examined(self, header: dict[str, Any], body: np.ndarray) -> Examined:
        tags = header["tags"]
        found = Examined(
            count=header.get("windows", 0),
            payload=header["payload"],
            tags=None if tags is None else SongTags(**tags | {"genres": tuple(tags["genres"])}),
            tag_error=header["tag_error"],
            error=header["error"],
            seconds=header["seconds"],
        )
        if found.error is not None:
            return found
        values = {"probabilities": body} if header["cached"] else {"windows": body.reshape(found.count, -1)}
        return Examined(**vars(found) | values)


def _exactly(pipe: Any, size: int) -> bytes:
    data = pipe.read(size)
    if len(data) < size:
        raise EOFError
    return bytes(data)


def _cause(code: int) -> str:
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"exit code {code}"
