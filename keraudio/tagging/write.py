"""Writing to songs so that nothing is ever lost: journalled, through a copy, checked, whole or not at all; and back.

A genre: journal -> copy -> tag the copy -> the sound and all other tags are unchanged -> on the disk -> replace.
A move: journal -> a second name for the file -> the first name goes. Across file systems a checked copy stands between.
"""

import contextlib
import errno
import os
import shutil
import sqlite3
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from keraudio.audio.sound import readable
from keraudio.errors import TagError
from keraudio.tagging.journal import Change, Journal, JournalBusyError, journal_file
from keraudio.tagging.organize import check_target
from keraudio.tagging.payload import payload_digest
from keraudio.tagging.plan import Proposal, file_digest
from keraudio.tagging.song_tags import GenreField, other_tags, read_field, read_tags, write_field
from keraudio.whole_file import new_token, sync_folder, temporary_name, whole_file


@dataclass(frozen=True)
class Outcome:
    """What became of one song.

    Attributes:
        proposal: that was to be carried out.
        written: its genre was written.
        moved_to: where it went, or None.
        error: why it was not, or not all, or None.
    """

    proposal: Proposal
    written: bool = False
    moved_to: Path | None = None
    error: str | None = None


@dataclass(frozen=True)
class Undone:
    """What became of one change that was to be undone.

    Attributes:
        change: as the journal has it now.
        error: why it could not be undone, or None.
    """

    change: Change
    error: str | None = None


def apply_proposals(
    proposals: Iterable[Proposal],
    journal: Journal,
    *,
    command: str,
    id3v23: bool = False,
    backup: Path | None = None,
) -> Generator[Outcome]:
    """Carries proposals out, one by one, as one run of the journal.

    Args:
        proposals: of songs; those without a change pass through.
        journal: the lock of which is held for as long.
        command: noted with the run.
        id3v23: write ID3 tags of version 2.3, several genres as "a/b". Defaults to False.
        backup: folder for whole copies of the files as they were. Defaults to none.

    Yields:
        One `Outcome` a proposal, as soon as it is on the disk. What goes wrong with a file does not stop the others.

    Raises:
        TagError: another process is writing, or the journal cannot be written.
    """
    with _writing(journal):
        recover(journal)
        run = journal.begin_run(command)
        try:
            for proposal in proposals:
                yield _apply(proposal, journal, run, id3v23, backup)
        finally:
            # Interrupted, too, nothing is left half-way.
            recover(journal)
            journal.forget_run(run)


def _apply(proposal: Proposal, journal: Journal, run: int, id3v23: bool, backup: Path | None) -> Outcome:
    if proposal.error is not None:
        return Outcome(proposal, error=proposal.error)
    if proposal.state == "untaggable":
        return Outcome(proposal, error=proposal.prediction.tag_error if proposal.prediction else None)
    if not proposal.changes:
        return Outcome(proposal)
    written = False
    try:
        path = _real(proposal.path)
        if proposal.state == "change":
            _write_genre(path, proposal, journal, run, id3v23, backup)
            written = True
        if proposal.move_to is None:
            return Outcome(proposal, written)
        if proposal.path.is_symlink():
            raise TagError(f"{readable(proposal.path)}: a link is not moved")
        _move(path, proposal.move_to, journal, run)
        return Outcome(proposal, written, proposal.move_to)
    except TagError as error:
        return Outcome(proposal, written, error=str(error))


def _real(path: Path) -> Path:
    """The file itself, where a link was given."""
    with _reasons(path):
        # Not `Path.resolve`, whose error for links in a circle is none of the system's.
        return Path(os.path.realpath(path, strict=True))


def _write_genre(path: Path, proposal: Proposal, journal: Journal, run: int, id3v23: bool, backup: Path | None) -> None:
    _check_writable(path)
    before = _status(path)
    old = read_field(path)
    if proposal.prediction is not None and read_tags(path).genres != proposal.current:
        raise TagError(f"{readable(path)}: its genre has changed since it was read")
    # Minutes may have passed since the plan was read.
    if proposal.digest is not None and file_digest(path) != proposal.digest:
        raise TagError(f"{readable(path)}: has changed since the plan was written")
    new = old.with_genres(proposal.new, id3v23=id3v23)
    payload = proposal.prediction.payload if proposal.prediction else None
    with _reasons(path):
        details: dict[str, Any] = {
            "old": old.to_json(),
            "new": new.to_json(),
            "size": path.stat().st_size,
            "payload": payload or payload_digest(path),
            "backup": None if backup is None else str(_backup_place(path, backup)),
        }
    change = journal.begin(run, "genre", path, new_token(), details)
    with _settled(journal, change, "written", "failed"):
        if backup is not None:
            _back_up(path, _backup_place(path, backup), change.token)
        # An older version of ID3 has other frames for the same.
        _rewrite(path, change, new, before, others=new.version == old.version)


def _check_writable(path: Path) -> None:
    with _reasons(path):
        # Whoever may do anything asks the file too: its owner has marked it.
        if not path.stat().st_mode & 0o222 or not os.access(path, os.W_OK):
            raise TagError(f"{readable(path)}: is read-only")


def _rewrite(
    path: Path,
    change: Change,
    field: GenreField,
    before: tuple[int, int, int],
    *,
    size: int | None = None,
    others: bool = True,
) -> None:
    """Gives a file another genre through a copy, which takes its place only if nothing else has changed."""
    with _reasons(path), whole_file(path, durable=True, token=change.token) as copy:
        shutil.copyfile(path, copy)
        _copy_attributes(path, copy)
        try:
            kept = other_tags(copy)
            write_field(copy, field, size=size)
            payload, values, now = payload_digest(copy), read_field(copy).values, other_tags(copy)
        except TagError as error:
            # Of the temporary file nobody knows.
            raise TagError(str(error).replace(readable(copy), readable(path))) from error
        if payload != change.details["payload"]:
            raise TagError(f"{readable(path)}: its sound would not be what it was; nothing is written")
        if values != field.values:
            raise TagError(f"{readable(path)}: its tags do not take {', '.join(field.values) or 'no genre'}")
        if others and now != kept:
            raise TagError(f"{readable(path)}: other tags would not be what they were; nothing is written")
        if _status(path) != before:
            raise TagError(f"{readable(path)}: has changed meanwhile; nothing is written")


def _status(path: Path) -> tuple[int, int, int]:
    """What is another as soon as someone else writes to a file."""
    with _reasons(path):
        status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ino


def _copy_attributes(path: Path, copy: Path) -> None:
    """Permissions, owner and extended attributes; the time of change is the copy's own, as players look for it."""
    status = path.stat()
    if hasattr(os, "chown") and (status.st_uid, status.st_gid) != (copy.stat().st_uid, copy.stat().st_gid):
        with contextlib.suppress(OSError):
            os.chown(copy, status.st_uid, status.st_gid)
    shutil.copystat(path, copy)
    os.utime(copy)


def _backup_place(path: Path, folder: Path) -> Path:
    return folder.absolute() / path.relative_to(path.anchor)


def _back_up(path: Path, target: Path, token: str) -> None:
    """Copies a file, unless there is an older copy."""
    with _reasons(path):
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(target, durable=True, token=token) as copy:
                shutil.copy2(path, copy)


def _move(path: Path, target: Path, journal: Journal, run: int) -> None:
    check_target(path, target)
    with _reasons(path):
        made = _missing_folders(target.parent)
        change = journal.begin(run, "move", path, new_token(), {"made": [str(folder) for folder in made]}, target)
    with _settled(journal, change, "written", "failed"), _reasons(path):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            _rename(path, target, change.token)
        except BaseException:
            _remove_empty(made)
            raise


def _missing_folders(folder: Path) -> list[Path]:
    """The folders that must be made for `folder`, the innermost first."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    return missing


def _remove_empty(folders: Iterable[Path]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _rename(path: Path, target: Path, token: str) -> None:
    """Moves a file without ever taking the place of another."""
    if os.path.lexists(target) and os.path.samefile(path, target):
        # Another spelling of the same name, where case does not count.
        os.rename(path, target)
        return
    try:
        os.link(path, target)
    except OSError as error:
        if error.errno == errno.EEXIST:
            raise
        if error.errno == errno.EXDEV:
            _copy_across(path, target, token)
        else:
            # This file system knows no second names.
            if os.path.lexists(target):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from error
            os.rename(path, target)
            return
    sync_folder(target.parent)
    try:
        os.unlink(path)
    except OSError:
        # It may not go from its folder, so it stays there alone.
        os.unlink(target)
        raise
    sync_folder(path.parent)


def _copy_across(path: Path, target: Path, token: str) -> None:
    """A checked copy on another file system."""
    temporary = temporary_name(target, token)
    try:
        shutil.copy2(path, temporary)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        if file_digest(temporary) != file_digest(path):
            raise OSError(errno.EIO, "the copy differs")
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        os.rename(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def undo_run(journal: Journal, run: int) -> Generator[Undone]:
    """Undoes what a run wrote, the latest first; what is undone already stays so.

    Yields:
        One `Undone` a change, as soon as it is on the disk. A file whose genre is no longer what was written is left
        as it is, and does not stop the others.

    Raises:
        TagError: another process is writing, or the journal cannot be written.
    """
    with _writing(journal):
        recover(journal)
        try:
            for change in reversed(journal.changes(run, ("written",))):
                yield _undo(journal, change)
        finally:
            recover(journal)


def _undo(journal: Journal, change: Change) -> Undone:
    try:
        with _settled(journal, journal.settle(change, "undoing"), "undone", "written"):
            if change.kind == "genre":
                _restore_genre(change)
            else:
                _move_back(change)
        return Undone(replace(change, state="undone"))
    except TagError as error:
        return Undone(change, str(error))


def _restore_genre(change: Change) -> None:
    path = change.path
    before = _status(path)
    old, new = (GenreField.from_json(change.details[name]) for name in ("old", "new"))
    now = read_field(path)
    if now == old or (now.values == old.values and old.values != new.values):
        # Someone has taken it back already.
        return
    if now.values != new.values:
        raise TagError(f"{readable(path)}: its genre has changed since; left as it is")
    _check_writable(path)
    others = now.version == old.version and old.tagged
    _rewrite(path, change, old, before, size=change.details["size"], others=others)


def _move_back(change: Change) -> None:
    source, place = change.target, change.path
    assert source is not None
    with _reasons(source):
        if not os.path.lexists(source):
            raise TagError(f"{readable(source)}: does not exist")
        if os.path.lexists(place) and not os.path.samefile(source, place):
            raise TagError(f"{readable(place)}: there is another file now; left as it is")
        place.parent.mkdir(parents=True, exist_ok=True)
        _rename(source, place, change.token)
        _remove_empty(map(Path, change.details["made"]))


def finish_interrupted(journal_path: Path | None = None) -> int:
    """Settles what a killed process left, unless another one is writing; see `recover`."""
    path = journal_file() if journal_path is None else journal_path
    if not path.exists():
        return 0
    with Journal(path) as journal:
        try:
            with _writing(journal):
                return recover(journal)
        except JournalBusyError:
            return 0


def recover(journal: Journal) -> int:
    """Finishes what a killed process left: finds out by each file which side of its change it is on.

    Returns:
        The number of changes settled.
    """
    unfinished = journal.changes(states=("writing", "undoing"))
    for change in unfinished:
        before, after = ("failed", "written") if change.state == "writing" else ("written", "undone")
        done = _genre_done(change) if change.kind == "genre" else _move_done(change)
        reason = "interrupted before it was written" if not done and after == "written" else None
        journal.settle(change, after if done else before, reason)
    return len(unfinished)


def _genre_done(change: Change) -> bool:
    backup = change.details["backup"]
    for place in (change.path, *([Path(backup)] if backup else [])):
        with contextlib.suppress(OSError):
            temporary_name(place, change.token).unlink(missing_ok=True)
    wanted = change.details["new" if change.state == "writing" else "old"]
    try:
        return read_field(change.path).values == GenreField.from_json(wanted).values
    except TagError:
        # Gone, or out of reach: if it comes back, undoing looks at it again.
        return change.state == "writing"


def _move_done(change: Change) -> bool:
    assert change.target is not None
    origin, goal = (change.path, change.target)
    if change.state == "undoing":
        origin, goal = goal, origin
    with contextlib.suppress(OSError):
        temporary_name(goal, change.token).unlink(missing_ok=True)
    done = os.path.lexists(goal)
    if done and os.path.lexists(origin):
        # Both names stand: either one file with two names, whose move is all but done, or a file and its checked copy.
        done = False
        with contextlib.suppress(OSError, TagError):
            done = os.path.samefile(origin, goal) or file_digest(origin) == file_digest(goal)
        if done:
            with contextlib.suppress(OSError):
                os.unlink(origin)
    if done == (change.state == "undoing"):
        _remove_empty(map(Path, change.details["made"]))
    return done


@contextmanager
def _writing(journal: Journal) -> Iterator[None]:
    """Holds the journal's lock; what keeps the journal from being written, such as a full disk, is a `TagError`."""
    try:
        with journal.writing():
            yield
    except sqlite3.Error as error:
        raise TagError(f"{readable(journal.path)}: the journal cannot be written: {error}") from error


@contextmanager
def _settled(journal: Journal, change: Change, done: str, not_done: str) -> Iterator[None]:
    """Notes a change as done, or where the block fails as not; an interruption leaves it to `recover`."""
    try:
        yield
    except TagError as error:
        journal.settle(change, not_done, str(error))
        raise
    journal.settle(change, done)


@contextmanager
def _reasons(path: Path) -> Iterator[None]:
    """Whatever the system refuses in the block is a `TagError` in one line."""
    try:
        yield
    except OSError as error:
        raise TagError(f"{readable(path)}: {(error.strerror or str(error)).lower()}") from error
