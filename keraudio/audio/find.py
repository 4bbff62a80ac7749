"""Finds the audio files among files and folders."""

import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from keraudio.audio.sound import readable
from keraudio.errors import AudioError

AUDIO_SUFFIXES = frozenset([".mp3", ".flac", ".ogg", ".oga", ".opus", ".m4a", ".mp4", ".aac", ".wav", ".aif", ".aiff"])

_log = logging.getLogger(__name__)


def find_audio(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], *, recursive: bool = True, follow: bool = False
) -> list[Path]:
    """Lists audio files in a fixed order.

    A file given by name is kept whatever its suffix. A folder gives its own files with an audio suffix, in any case,
    in order of name, then those of its subfolders likewise; hidden files and folders are skipped, links to folders are
    not followed (a link given by name is), and a subfolder that cannot be listed is left out with a warning. Names
    need not be valid UTF-8. A file met twice, by the path written out in full, is listed once, where it came first.

    Args:
        paths: files and folders; a single one need not stand in a list.
        recursive: bool, whether to descend into subfolders. Defaults to `True`.
        follow: bool, whether links to folders are followed; no folder is entered twice. Defaults to `False`.

    Returns:
        Paths, relative where the given path is relative.

    Raises:
        AudioError: if a given path does not exist or a given folder cannot be listed.
    """
    given = [paths] if isinstance(paths, (str, os.PathLike)) else paths
    found: dict[str, Path] = {}
    for path in map(Path, given):
        try:
            path.stat()
            files = _walk(path, recursive, follow) if path.is_dir() else iter([path])
            for file in files:
                found.setdefault(os.path.abspath(file), file)
        except FileNotFoundError as error:
            raise AudioError(f"{readable(path)}: does not exist") from error
        except OSError as error:
            raise AudioError(f"{readable(path)}: {(error.strerror or str(error)).lower()}") from error
    return list(found.values())


def _walk(folder: Path, recursive: bool, follow: bool) -> Iterator[Path]:
    def refused(error: OSError) -> None:
        if error.filename is None or Path(error.filename) == folder:
            raise error
        _log.warning("%s: left out, %s", readable(error.filename), (error.strerror or str(error)).lower())

    entered: set[tuple[int, int]] = set()
    for root, folders, names in os.walk(folder, onerror=refused, followlinks=follow):
        if follow:
            # Links may lead in circles, or to one folder from many.
            here = os.stat(root)
            place = (here.st_dev, here.st_ino)
            if place in entered:
                folders.clear()
                continue
            entered.add(place)
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if recursive else []
        for name in sorted(names):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in AUDIO_SUFFIXES:
                yield Path(root, name)
