"""Files that are either whole or as they were before, whatever happens while they are written."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path, *, durable: bool = False, token: str | None = None) -> Iterator[Path]:
    """Gives an empty file beside `path`, which takes its place when the block has ended well, and else is gone.

    It has the suffix of `path`, as writers go by that, and the permissions of any new file.

    Args:
        path: the file to write.
        durable: wait until it is on the disk, so that it survives a loss of power too. Defaults to False.
        token: part of the temporary file's name, for who must find it again after a crash. Defaults to a random one.

    Raises:
        OSError: the file cannot be made or put in its place.
    """
    temporary = temporary_name(path, new_token() if token is None else token)
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield temporary
        if durable:
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
        os.replace(temporary, path)
        if durable:
            sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Writes a text file in UTF-8, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def new_token() -> str:
    """Eight random letters for a temporary file's name."""
    return secrets.token_hex(4)


def temporary_name(path: Path, token: str) -> Path:
    """The hidden file beside `path` through which it is written."""
    # Names may have 255 bytes; the stem of a longer one is cut.
    room = 255 - len(os.fsencode(f".-{token}{path.suffix}"))
    stem = os.fsdecode(os.fsencode(path.stem)[: max(room, 0)])
    return path.with_name(f".{stem}-{token}{path.suffix}")


def sync_folder(folder: Path) -> None:
    """Waits until a folder's entries are on the disk, where the system can do that."""
    if os.name != "posix":
        return
    # Some network file systems cannot, and a folder that may not be listed cannot be opened.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
