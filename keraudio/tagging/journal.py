"""The journal: what tagging wrote to people's files and what stood there before, in SQLite.

A change is a row before a file is touched. Its state says how far it has come:

    writing -> written -> undoing -> undone
       |                     |
       +-> failed            +-> written (could not be undone)

A process that is killed leaves `writing` or `undoing` behind; `keraudio.tagging.write.recover` finds out by the file
itself which side of the change it is on. A lock, which dies with its process, keeps two runs from writing at once.
"""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import platformdirs

from keraudio.audio.sound import readable
from keraudio.errors import TagError
from keraudio.version import __version__

_SCHEMA = 1
_TABLES = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, started TEXT NOT NULL, command TEXT NOT NULL, version TEXT NOT NULL
);
CREATE TABLE changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL REFERENCES runs, kind TEXT NOT NULL,
    state TEXT NOT NULL, path BLOB NOT NULL, token TEXT NOT NULL, details TEXT NOT NULL, target BLOB, reason TEXT
);
CREATE INDEX changes_by_run ON changes (run, state);
CREATE INDEX unfinished ON changes (state) WHERE state IN ('writing', 'undoing');
"""


class JournalBusyError(TagError):
    """Another process is writing."""


@dataclass(frozen=True)
class Change:
    """One change to one file.

    Attributes:
        id: in the journal.
        run: to which it belongs.
        kind: `"genre"` or `"move"`.
        state: see the module.
        path: of the file before the change.
        token: of the temporary file through which it goes.
        details: of a genre: `old` and `new` fields, `size` in bytes before, `payload` digest, `backup` if there is one;
            of a move: the folders that were `made` for it.
        target: where a moved file went.
        reason: why it failed, or None.
    """

    id: int
    run: int
    kind: str
    state: str
    path: Path
    token: str
    details: dict[str, Any]
    target: Path | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Run:
    """One run that wrote.

    Attributes:
        id: its number, as `keraudio undo` takes it.
        started: local time, ISO 8601.
        command: what was asked for.
        states: number of changes by state.
    """

    id: int
    started: str
    command: str
    states: dict[str, int] = field(default_factory=dict)


def journal_file() -> Path:
    """Where the journal is unless the user says otherwise: `KERAUDIO_JOURNAL` or the platform's folder for data."""
    named = os.environ.get("KERAUDIO_JOURNAL")
    return Path(named or Path(platformdirs.user_data_dir("keraudio", appauthor=False)) / "journal.sqlite3")


class Journal:
    """The journal in a file, which is made if it is not there.

    Args:
        path: the file. Defaults to `journal_file()`.

    Raises:
        TagError: it cannot be opened or is no journal of this version.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = journal_file() if path is None else path
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._sql = sqlite3.connect(self.path, timeout=30, isolation_level=None)
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            reason = (getattr(error, "strerror", None) or str(error)).lower()
            raise TagError(f"{readable(self.path)}: the journal cannot be opened: {reason}") from error

    def _prepare(self) -> None:
        # Before anything is set: another program's file stays as it is.
        self._sql.execute("BEGIN")
        version, has_tables = self._sql.execute("PRAGMA user_version").fetchone()[0], self._has_tables()
        self._sql.execute("COMMIT")
        if version not in (0, _SCHEMA) or (version == 0 and has_tables):
            raise sqlite3.DatabaseError(f"no journal of schema {_SCHEMA}")
        self._sql.execute("PRAGMA journal_mode = WAL")
        # Every change is on the disk before its file is touched, whatever becomes of the power.
        self._sql.execute("PRAGMA synchronous = FULL")
        with self._transaction():
            if not self._has_tables():
                for statement in _TABLES.split(";"):
                    self._sql.execute(statement)
                self._sql.execute(f"PRAGMA user_version = {_SCHEMA}")

    def _has_tables(self) -> bool:
        return bool(self._sql.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._sql.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._sql.execute("ROLLBACK")
            raise
        self._sql.execute("COMMIT")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._sql.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Holds the lock of those who write.

        Raises:
            JournalBusyError: another process holds it.
            TagError: it cannot be held.
        """
        try:
            from filelock import FileLock, Timeout
        except ImportError:
            raise TagError("The journal needs filelock: pip install 'keraudio[tagging]'") from None
        lock = FileLock(f"{self.path}.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise JournalBusyError(
                f"{readable(self.path)}: another keraudio is writing; let it finish, or give --journal"
            ) from None
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise TagError(f"{readable(self.path)}: the journal cannot be locked: {reason}") from error
        try:
            yield
        finally:
            lock.release()

    def begin_run(self, command: str) -> int:
        """Notes a run and returns its number."""
        started = datetime.now(UTC).astimezone().isoformat(timespec="seconds")
        row = (started, readable(command), __version__)
        return int(
            self._sql.execute("INSERT INTO runs (started, command, version) VALUES (?, ?, ?)", row).lastrowid or 0
        )

    def begin(
        self, run: int, kind: str, path: Path, token: str, details: dict[str, Any], target: Path | None = None
    ) -> Change:
        """Notes a change that is about to be made."""
        there = None if target is None else os.fsencode(target)
        row = (run, kind, "writing", os.fsencode(path), token, json.dumps(details), there)
        columns = "run, kind, state, path, token, details, target"
        number = self._sql.execute(f"INSERT INTO changes ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", row).lastrowid
        return Change(int(number or 0), run, kind, "writing", path, token, details, target)

    def settle(self, change: Change, state: str, reason: str | None = None) -> Change:
        """Notes how far a change has come."""
        self._sql.execute("UPDATE changes SET state = ?, reason = ? WHERE id = ?", (state, reason, change.id))
        return replace(change, state=state, reason=reason)

    def forget_run(self, run: int) -> None:
        """Takes a run out that has no changes."""
        self._sql.execute("DELETE FROM runs WHERE id = ? AND id NOT IN (SELECT run FROM changes)", (run,))

    def changes(self, run: int | None = None, states: tuple[str, ...] = ()) -> list[Change]:
        """Changes in the order in which they were made, of one run or all, in some states or any."""
        clauses: list[str] = []
        values: list[object] = []
        if run is not None:
            clauses.append("run = ?")
            values.append(run)
        if states:
            clauses.append(f"state IN ({', '.join('?' * len(states))})")
            values += states
        where = f"WHERE {' AND '.join(clauses)}" if clauses else ""
        columns = "id, run, kind, state, path, token, details, target, reason"
        rows = self._sql.execute(f"SELECT {columns} FROM changes {where} ORDER BY id", values)
        return [
            Change(number, run_, kind, state, _path(path), token, json.loads(details), target and _path(target), reason)
            for number, run_, kind, state, path, token, details, target, reason in rows
        ]

    def runs(self) -> list[Run]:
        """All runs, the latest first."""
        states: dict[int, dict[str, int]] = {}
        for run, state, count in self._sql.execute("SELECT run, state, count(*) FROM changes GROUP BY run, state"):
            states.setdefault(run, {})[state] = count
        rows = self._sql.execute("SELECT id, started, command FROM runs ORDER BY id DESC")
        return [Run(number, started, command, states.get(number, {})) for number, started, command in rows]


def _path(data: bytes) -> Path:
    return Path(os.fsdecode(data))
