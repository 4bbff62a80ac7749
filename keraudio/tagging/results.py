"""What models have said of sounds, kept in SQLite by the sound itself, so that a second run decodes nothing."""

import hashlib
import json
import logging
import os
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from keraudio.audio.sound import readable

# Raised whenever decoding, windows or votes come to give other results.
_VERSION = 1
_log = logging.getLogger(__name__)


def results_file() -> Path:
    """Where results are kept: below `KERAUDIO_CACHE`, or in the platform's folder for caches."""
    folder = os.environ.get("KERAUDIO_CACHE") or platformdirs.user_cache_dir("keraudio", appauthor=False)
    return Path(folder) / "results.sqlite3"


def settings_digest(model: str, settings: dict[str, Any]) -> str:
    """Digest of a model and of the settings on which its results depend."""
    text = json.dumps([_VERSION, model, settings], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


class Results:
    """Results of one model with one group of settings; a cache that cannot be used is one warning, and empty.

    Args:
        path: the file, made if it is not there.
        settings: of `settings_digest`.
        refresh: find nothing that is there already. Defaults to False.
    """

    def __init__(self, path: Path, settings: str, *, refresh: bool = False) -> None:
        self.path, self.settings, self.refresh = path, settings, refresh
        self._sql: sqlite3.Connection | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._sql = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            self._sql.execute("PRAGMA journal_mode = WAL")
            # Losing the last results costs time alone.
            self._sql.execute("PRAGMA synchronous = NORMAL")
            self._sql.execute(
                "CREATE TABLE IF NOT EXISTS results (key BLOB PRIMARY KEY, windows INTEGER, probabilities BLOB)"
                " WITHOUT ROWID"
            )
        except (OSError, sqlite3.Error) as error:
            self._give_up(error)

    def get(self, payload: str) -> tuple[np.ndarray, int] | None:
        """Probabilities float32 `(labels,)` and the number of windows for a sound, or None."""
        if self._sql is None or self.refresh:
            return None
        try:
            query = "SELECT windows, probabilities FROM results WHERE key = ?"
            row = self._sql.execute(query, (self._key(payload),)).fetchone()
            return (np.frombuffer(row[1], "<f4"), int(row[0])) if row else None
        except (sqlite3.Error, ValueError, TypeError) as error:
            self._give_up(error)
            return None

    def put(self, payload: str, probabilities: np.ndarray, windows: int) -> None:
        """Keeps a result."""
        if self._sql is None:
            return
        row = (self._key(payload), windows, np.asarray(probabilities, "<f4").tobytes())
        try:
            self._sql.execute("INSERT OR REPLACE INTO results VALUES (?, ?, ?)", row)
        except sqlite3.Error as error:
            self._give_up(error)

    def close(self) -> None:
        """Closes the file."""
        if self._sql is not None:
            self._sql.close()
            self._sql = None

    def _key(self, payload: str) -> bytes:
        return hashlib.blake2b(f"{self.settings} {payload}".encode(), digest_size=20).digest()

    def _give_up(self, error: Exception) -> None:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        _log.warning("%s: results are not kept: %s", readable(self.path), reason)
        self.close()
