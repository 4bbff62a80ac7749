"""The child process that opens people's files, so that whatever breaks on one of them breaks there.

`python -m keraudio.tagging.worker` reads its settings as a line of JSON from standard input, then a line of JSON a
file. For each it writes the lengths of a header and a body, a header in JSON and a body of float32. It ends with its
input, and by itself where a file keeps it longer than twice the time limit.
"""

import contextlib
import json
import os
import signal
import struct
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from keraudio.audio import audible_windows, read_windows
from keraudio.audio.sound import readable
from keraudio.errors import AudioError, TagError
from keraudio.tagging.payload import payload_digest
from keraudio.tagging.results import Results
from keraudio.tagging.song_tags import read_tags, tags_installed

LENGTHS = struct.Struct("<IQ")


def examine(path: Path, settings: dict[str, Any], results: Results | None) -> tuple[dict[str, Any], np.ndarray]:
    """Looks at one file.

    Args:
        path: the file.
        settings: `sample_rate`, `window`, `hop` and `limit` as `keraudio.audio.read_windows` has them; `silence`, from
            which level windows count; `tags`, whether they are read.
        results: where its result may be already, or None.

    Returns:
        A header - `payload`, `tags`, `tag_error`, `error`, `windows` - and the windows, float32 `(windows, window)`,
        or where the header says `cached`, the probabilities float32 `(labels,)`.
    """
    header: dict[str, Any] = {"payload": None, "tags": None, "tag_error": None, "error": None, "cached": False}
    body = np.zeros(0, "<f4")
    found = None
    try:
        if settings["tags"]:
            try:
                header["tags"] = asdict(read_tags(path))
            except TagError as error:
                header["tag_error"] = str(error)
        if results is not None:
            try:
                header["payload"] = payload_digest(path)
                found = results.get(header["payload"])
            except TagError:
                # What keeps the bytes from being read is said where they are to be decoded.
                pass
        if found is not None:
            body, header["windows"] = found
            header["cached"] = True
        else:
            body = read_windows(path, **{name: settings[name] for name in ("sample_rate", "window", "hop", "limit")})
            rate, silence = settings["sample_rate"], settings["silence"]
            body = body[audible_windows(body, sample_rate=rate, threshold=silence)]
            header["windows"] = len(body)
    except AudioError as error:
        header["error"] = str(error)
    except MemoryError:
        header["error"] = f"{readable(path)}: does not fit into memory"
    except Exception as error:
        # One line, whatever a library has to say.
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        header["error"] = f"{readable(path)}: cannot be read: {reason}"
    return header, body


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answers requests until there are no more."""
    settings = json.loads(requests.readline())
    settings["tags"] = settings["tags"] and tags_installed()
    results = None
    if settings["results"]:
        results = Results(Path(settings["results"]), settings["settings"], refresh=settings["refresh"])
    for line in requests:
        if hasattr(signal, "alarm"):
            # The parent ends a worker that takes too long; this is for where the parent is gone.
            signal.alarm(round(2 * settings["time_limit"]) + 1)
        began = time.perf_counter()
        header, body = examine(Path(json.loads(line)), settings, results)
        head = json.dumps(header | {"seconds": time.perf_counter() - began}).encode()
        data = np.ascontiguousarray(body, "<f4").tobytes()
        if hasattr(signal, "alarm"):
            signal.alarm(0)
        replies.write(LENGTHS.pack(len(head), len(data)) + head + data)
        replies.flush()


def main() -> None:
    """Serves on standard input and output."""
    # Ctrl-C reaches every process of a terminal; the parent decides what becomes of this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    replies = os.fdopen(os.dup(1), "wb")
    # What libraries print must not run into the replies.
    os.dup2(2, 1)
    with contextlib.suppress(BrokenPipeError):
        serve(sys.stdin.buffer, replies)


if __name__ == "__main__":
    main()
