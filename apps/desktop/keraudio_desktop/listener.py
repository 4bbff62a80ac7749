"""The child process that hears songs: it scans folders, predicts, and looks along single songs.

`python -m keraudio_desktop.listener` reads a line of JSON a request from standard input (`keraudio_desktop.messages`):

    {"do": "prepare", "model": FILE}                       loads a model ahead
    {"do": "listen", "run": N, "paths": [...], "model": FILE, "refresh": BOOL}
    {"do": "pause" | "resume" | "cancel", "run": N}
    {"do": "look", "path": FILE, "model": FILE, "columns": N}

and writes a line a finding to standard output. It ends with its input. Requests during a run are answered between two
songs; what crashes here costs the window nothing.
"""

import contextlib
import functools
import json
import os
import queue
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from keraudio.audio import find_audio
from keraudio.audio.sound import readable
from keraudio.errors import KeraudioError
from keraudio.model_file import check_model_file
from keraudio.tagging import StoredModel, hear_timeline, predict_files
from keraudio_desktop.messages import pack_array, pack_prediction, to_line
from keraudio_desktop.sound_pictures import mel_picture, waveform_outline

if TYPE_CHECKING:
    import keras

_SHOWN = 4
_loading = threading.Lock()


@functools.lru_cache(maxsize=1)
def _loaded(path: Path, _digest: str) -> "keras.Model":
    from keraudio.classifier import load

    return load(path)


def _stored(path: Path) -> StoredModel:
    """A model file, which stays loaded until another one, or another content of it, is asked for."""

    def load(file: Path) -> "keras.Model":
        with _loading:
            return _loaded(file, stored.digest)

    stored = StoredModel(path, check_model_file(path), load)
    return stored


class Listener:
    """Answers requests, one after the other.

    Args:
        requests: lines of JSON.
        replies: where findings go, a line each.
    """

    def __init__(self, requests: BinaryIO, replies: BinaryIO) -> None:
        self._requests: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._replies = replies
        self._writing = threading.Lock()
        threading.Thread(target=self._read, args=(requests,), daemon=True).start()

    def serve(self) -> None:
        """Answers until there are no more requests."""
        while (request := self._requests.get()) is not None:
            if not self._answer(request):
                return

    def _read(self, requests: BinaryIO) -> None:
        for line in requests:
            self._requests.put(json.loads(line))
        self._requests.put(None)

    def _say(self, **message: Any) -> None:
        with self._writing:
            self._replies.write(to_line(message))
            self._replies.flush()

    def _answer(self, request: dict[str, Any]) -> bool:
        """Answers a request; False where there is nobody left to answer."""
        match request["do"]:
            case "prepare":
                threading.Thread(target=self._prepare, args=(Path(request["model"]),), daemon=True).start()
            case "listen":
                return self._listen(request)
            case "look":
                self._look(request)
        return True

    def _prepare(self, path: Path) -> None:
        try:
            stored = _stored(path)
            self._say(model=str(path), labels=list(stored.description.labels))
            stored.load(path)
            self._say(model=str(path), ready=True)
        except Exception as error:
            self._say(model=str(path), error=_one_line(error))

    def _listen(self, request: dict[str, Any]) -> bool:
        run = request["run"]
        try:
            stored = _stored(Path(request["model"]))
            songs = find_audio([Path(path) for path in request["paths"]])
            extra = set(stored.description.extra_labels)
            labels = [label for label in stored.description.labels if label not in extra]
            self._say(run=run, labels=labels, songs=[str(song) for song in songs])
            predictions = predict_files(
                stored,
                songs,
                # One processor stays with the model and the window.
                jobs=max(1, (os.cpu_count() or 2) - 1),
                tags=True,
                keep_results=True,
                refresh=request["refresh"],
            )
            with contextlib.closing(predictions):
                for number, prediction in enumerate(predictions):
                    self._say(run=run, number=number, prediction=pack_prediction(prediction))
                    if not (go_on := self._between_songs(run)):
                        self._say(run=run, cancelled=True)
                        return go_on is not None
            self._say(run=run, ended=True)
        except Exception as error:
            self._say(run=run, error=_one_line(error))
        return True

    def _between_songs(self, run: int) -> bool | None:
        """Looks at what was asked meanwhile: True to go on, False where it is cancelled, None with the input's end."""
        paused = False
        while True:
            try:
                request = self._requests.get(block=paused)
            except queue.Empty:
                return True
            if request is None:
                return None
            if request["do"] in ("pause", "resume", "cancel") and request["run"] == run:
                if request["do"] == "cancel":
                    return False
                paused = request["do"] == "pause"
                self._say(run=run, paused=paused)
            else:
                self._answer(request)

    def _look(self, request: dict[str, Any]) -> None:
        path = Path(request["path"])
        try:
            stored = _stored(Path(request["model"]))
            found = hear_timeline(stored.load(stored.path), stored.description, path)
            extra = set(stored.description.extra_labels)
            kept = [i for i, label in enumerate(found.labels) if label not in extra]
            best = sorted(kept, key=lambda i: -float(found.probabilities[:, i].max()))[:_SHOWN]
            self._say(
                look=str(path),
                duration=found.duration,
                heard=len(found.waveform) / found.sample_rate,
                window=found.window,
                starts=pack_array(found.starts.astype("<f4")),
                labels=[found.labels[i] for i in best],
                probabilities=pack_array(found.probabilities[:, best].astype("<f4")),
                outline=pack_array(waveform_outline(found.waveform, request["columns"])),
                mel=pack_array(mel_picture(found.waveform, found.sample_rate, request["columns"])),
            )
        except Exception as error:
            self._say(look=str(path), error=_one_line(error))


def _one_line(error: Exception) -> str:
    if isinstance(error, KeraudioError):
        return str(error)
    if isinstance(error, OSError):
        where = f"{readable(error.filename)}: " if error.filename else ""
        return f"{where}{(error.strerror or str(error)).lower()}"
    return " ".join(f"{type(error).__name__}: {error}".split())


def main() -> None:
    """Serves on standard input and output."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    replies = os.fdopen(os.dup(1), "wb")
    # What libraries print must not run into the replies.
    os.dup2(2, 1)
    with contextlib.suppress(BrokenPipeError):
        Listener(sys.stdin.buffer, replies).serve()
    # A backend that loads or compiles in its thread would keep the process.
    os._exit(0)


if __name__ == "__main__":
    main()
