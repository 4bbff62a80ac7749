"""Playlists of songs by genre: extended M3U in UTF-8, one a label, with paths relative to their folder."""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from keraudio.audio.sound import readable
from keraudio.errors import TagError
from keraudio.whole_file import whole_file

# Late, so that a folder that will not do is named without waiting for a backend.
if TYPE_CHECKING:
    from keraudio.tagging.predict import Prediction

# By which a playlist of ours is known, so that no other is ever replaced.
_MARK = "# made by keraudio"
_HEADER = f"#EXTM3U\n{_MARK}\n"


def playlist_files(labels: Sequence[str], folder: Path) -> dict[str, Path]:
    """The playlist of each label in `folder`; names differ where file systems take no notice of case.

    Raises:
        TagError: a file of that name is there that keraudio did not make, or cannot be read.
    """
    found: dict[str, Path] = {}
    taken: set[str] = set()
    for label in labels:
        name = re.sub(r'[\x00-\x1f\x7f<>:"/\\|?*]', "_", label).strip(" .") or "_"
        candidate, number = name, 2
        while candidate.casefold() in taken:
            candidate, number = f"{name} ({number})", number + 1
        taken.add(candidate.casefold())
        found[label] = folder / f"{candidate}.m3u8"
    for file in found.values():
        try:
            if file.exists() and not file.read_text(encoding="utf-8", errors="replace").startswith(_HEADER):
                raise TagError(f"A playlist of keraudio must not replace another's. Received: {readable(file)}")
        except OSError as error:
            raise TagError(f"{readable(file)}: cannot be read: {error.strerror or error}") from error
    return found


def write_playlists(predictions: "Iterable[Prediction]", folder: Path) -> list[Path]:
    """Writes a playlist for each label that a song was given, in the order of the songs.

    A song stands in the playlist of each of its labels; songs that are unsure or cannot be read stand in none. Each
    file is either whole or as it was.

    Args:
        predictions: of the songs.
        folder: made if needed.

    Returns:
        The files, in order of their labels.

    Raises:
        TagError: a file of that name is there that keraudio did not make, or a file cannot be written.
    """
    songs: dict[str, list[Path]] = {}
    for prediction in predictions:
        for label in prediction.chosen:
            songs.setdefault(label, []).append(prediction.path)
    files = playlist_files(sorted(songs), folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for label, file in files.items():
            _write(file, label, songs[label])
    except OSError as error:
        raise TagError(f"{readable(folder)}: cannot be written: {error.strerror or error}") from error
    return list(files.values())


def _write(file: Path, label: str, songs: Sequence[Path]) -> None:
    lines = [f"#PLAYLIST:{_one_line(label)}"]
    for song in songs:
        try:
            path = os.path.relpath(song, file.parent)
        except ValueError:
            # On another drive there is no way from here to there.
            path = os.path.abspath(song)
        if "\n" in path or "\r" in path:
            # The format has no way to write such a name.
            continue
        # A name that begins with "#" would be a remark.
        lines += [f"#EXTINF:-1,{_one_line(song.stem)}", f"./{path}" if path.startswith("#") else path]
    # Names that are not UTF-8 are written as the file system has them.
    with whole_file(file) as temporary:
        temporary.write_bytes((_HEADER + "\n".join(lines) + "\n").encode("utf-8", "surrogateescape"))


def _one_line(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f]", " ", text)
