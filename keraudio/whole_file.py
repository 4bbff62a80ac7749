"""Files that are either whole or as they were before, whatever happens while they are written."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Gives an empty file beside `path`, which takes its place when the block has ended well, and else is gone.

    It has the suffix of `path`, as writers go by that, and the permissions of any new file.

    Args:
        path: the file to write.
        durable: wait until it is on the disk, so that it survives a loss of power too. Defaults to False.

    Raises:
        OSError: the file cannot be made or put in its place.
    """
    temporary = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield temporary
        if durable:
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
