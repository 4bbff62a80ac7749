"""The child process that plays songs, decoded by keraudio; where there is no sound device it says so and ends.

`python -m keraudio_desktop.playing` reads `{"do": "play", "path": FILE, "at": SECONDS}` and `{"do": "stop"}`, a line of
JSON each, and writes `{"at": SECONDS}` while it plays, `{"stopped": true}` at the song's end, or `{"error": REASON}`.
"""

import contextlib
import json
import os
import queue
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np

from keraudio.audio import load_audio, probe
from keraudio.errors import AudioError

RATE = 44_100
_STRETCH_SECONDS = 10.0
_TELL_SECONDS = 0.1
# Devices of tests, which hear nothing: KERAUDIO_SOUND=null.
_NULL_DEVICE = "null"


class Tape:
    """A song from some second on, decoded ahead in stretches by a thread of its own.

    Args:
        path: of the song.
        at: where to begin, in seconds.
    """

    def __init__(self, path: Path, at: float) -> None:
        self.at = at
        self.done = False
        self.error: str | None = None
        self._stretches: queue.Queue[np.ndarray | None] = queue.Queue(maxsize=2)
        self._stop = threading.Event()
        threading.Thread(target=self._decode, args=(path, at), daemon=True).start()

    def stop(self) -> None:
        """Decodes no more."""
        self._stop.set()
        with contextlib.suppress(queue.Empty):
            self._stretches.get_nowait()

    def frames(self) -> Generator[np.ndarray, int]:
        """Samples as a sound device asks for them; silence where the decoder is late, and at the end."""
        rest = np.zeros(0, np.float32)
        count = yield rest
        while not self._stop.is_set():
            while len(rest) < count and not self.done:
                try:
                    stretch = self._stretches.get_nowait()
                except queue.Empty:
                    break
                if stretch is None:
                    self.done = not len(rest)
                    if not self.done:
                        # The last samples first, then the end.
                        self._stretches.put_nowait(None)
                    break
                rest = np.concatenate([rest, stretch])
            piece, rest = rest[:count], rest[count:]
            self.at += len(piece) / RATE
            count = yield np.pad(piece, (0, count - len(piece)))[:, None]

    def _decode(self, path: Path, at: float) -> None:
        try:
            duration = probe(path).duration
            while at < duration and not self._stop.is_set():
                stretch = load_audio(path, sample_rate=RATE, start=at, duration=_STRETCH_SECONDS)
                self._put(stretch)
                at += _STRETCH_SECONDS
        except AudioError as error:
            # The header promised more than there is: what came was played.
            self.error = str(error)
        self._put(None)

    def _put(self, stretch: np.ndarray | None) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(queue.Full):
                self._stretches.put(stretch, timeout=0.2)
                return


def open_device() -> Any:
    """A sound device, or None where there is none."""
    try:
        import miniaudio
    except ImportError:
        return None
    wants_null = os.environ.get("KERAUDIO_SOUND") == _NULL_DEVICE
    backends = [miniaudio.Backend.NULL] if wants_null else None
    try:
        device = miniaudio.PlaybackDevice(
            miniaudio.SampleFormat.FLOAT32, 1, RATE, buffersize_msec=100, backends=backends, app_name="keraudio"
        )
    except miniaudio.MiniaudioError:
        return None
    # miniaudio falls back on a device that nobody hears.
    return device if wants_null or device.backend.lower() != _NULL_DEVICE else None


def main() -> None:
    """Serves on standard input and output."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def say(**message: Any) -> None:
        replies.write(json.dumps(message).encode() + b"\n")
        replies.flush()

    device = open_device()
    if device is None:
        say(error="no sound device", fatal=True)
        return
    requests: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin.buffer:
            requests.put(json.loads(line))
        requests.put(None)

    threading.Thread(target=read, daemon=True).start()
    tape: Tape | None = None
    while True:
        request = None
        try:
            request = requests.get(timeout=_TELL_SECONDS if tape else None)
        except queue.Empty:
            assert tape is not None
            if tape.done:
                say(**({"error": tape.error} if tape.error and tape.at == 0 else {"stopped": True}))
                device.stop()
                tape = None
            else:
                say(at=tape.at)
            continue
        if tape is not None:
            tape.stop()
            device.stop()
            tape = None
        if request is None:
            break
        if request["do"] == "stop":
            continue
        tape = Tape(Path(request["path"]), request["at"])
        frames = tape.frames()
        next(frames)
        device.start(frames)
    device.close()
    os._exit(0)


if __name__ == "__main__":
    main()
