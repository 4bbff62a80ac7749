"""Where songs go that are ordered by their genre: a pattern such as `{genre}/{artist}/{file}`."""

import os
import re
import string
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from keraudio.audio.sound import readable
from keraudio.errors import TagError
from keraudio.tagging.plan import Proposal

FIELDS = ("genre", "artist", "album", "title", "file", "folder")
_UNKNOWN = {"artist": "Unknown Artist", "album": "Unknown Album"}
# File systems take 255 bytes a name; a number may have to be added.
_LONGEST = 240


class Organizer:
    """Finds the place of each song; no two songs get one place, and no file is in the way.

    Args:
        pattern: relative path with fields: `{genre}` (the first), `{artist}`, `{album}`, `{title}`, `{file}` (the
            file's name) and `{folder}` (its folder below the given one).
        roots: folders and files as they were given. A song goes below the folder in which it was found; a file that
            was given by itself, below its own folder.

    Raises:
        TagError: the pattern has other fields, no `{file}` or `{title}` at its end, or leads outside.
    """

    def __init__(self, pattern: str, roots: Sequence[Path]) -> None:
        try:
            fields = [name for _, name, form, conversion in string.Formatter().parse(pattern) if name is not None]
            extras = any(form or conversion for _, _, form, conversion in string.Formatter().parse(pattern))
        except ValueError as error:
            raise TagError(f"A pattern must be text with fields in braces ({error}). Received: {pattern!r}") from None
        if extras or (set(fields) - set(FIELDS)):
            raise TagError(f"The fields of a pattern must be among {', '.join(FIELDS)}. Received: {pattern!r}")
        parts = pattern.split("/")
        if not {name for _, name, _, _ in string.Formatter().parse(parts[-1])} & {"file", "title"}:
            raise TagError(f"A pattern must end in {{file}} or {{title}}. Received: {pattern!r}")
        if Path(pattern).is_absolute() or any(part in ("", ".", "..") for part in parts):
            raise TagError(f"A pattern must be a relative path without '.' and '..'. Received: {pattern!r}")
        self._parts = parts
        self._roots = [Path(os.path.abspath(root)) for root in roots if root.is_dir()]
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}

    def place(self, proposal: Proposal) -> Proposal:
        """The proposal with the place to which its song moves, if it is not there already.

        A song of whose genre nothing is known stays where it is.
        """
        if proposal.state in ("failed", "unsure", "untaggable") or not proposal.new or proposal.path.is_symlink():
            return proposal
        path = Path(os.path.abspath(proposal.path))
        above = [root for root in self._roots if path.is_relative_to(root)]
        root = max(above, default=path.parent, key=lambda folder: len(folder.parts))
        values = self._values(proposal, path, root)
        last = len(self._parts) - 1
        parts = [self._name(part, values, last=place == last) for place, part in enumerate(self._parts)]
        target = root.joinpath(*[part for part in parts if part])
        if target == path:
            self._taken.add(str(path).casefold())
            return proposal
        place = self._free(target, path)
        return proposal if place == path else replace(proposal, move_to=place)

    def _values(self, proposal: Proposal, path: Path, root: Path) -> dict[str, str]:
        tags = proposal.prediction.tags if proposal.prediction else None
        below = path.parent.relative_to(root)
        return {
            "genre": proposal.new[0],
            "artist": (tags.artist if tags else "") or _UNKNOWN["artist"],
            "album": (tags.album if tags else "") or _UNKNOWN["album"],
            "title": (tags.title if tags else "") or path.stem,
            "file": path.name,
            "folder": "" if below == Path() else str(below),
            "suffix": path.suffix,
        }

    def _name(self, part: str, values: dict[str, str], *, last: bool) -> str:
        """One part of the path, in which no field can begin another folder; `{folder}` alone may hold several."""
        if part == "{folder}":
            return values["folder"]
        # The file's own name is one that its system takes.
        safe = {name: value if name == "file" else _one_name(value) for name, value in values.items()}
        name = part.format(**safe)
        suffix = values["suffix"]
        if last and not suffix:
            # What follows a dot would be one.
            name = name.replace(".", "_")
        elif last and not name.lower().endswith(suffix.lower()):
            name += suffix
        stem, ending = (name[: len(name) - len(suffix)], suffix) if last and suffix else (name, "")
        while stem and len(os.fsencode(stem)) + len(os.fsencode(ending)) > _LONGEST:
            stem = stem[:-1]
        # A dot at the start hides a file, and one at the end is none of a folder's name on some systems.
        return (stem.strip().lstrip(".").lstrip() or "_") + ending if ending else stem.strip().strip(" .") or "_"

    def _free(self, target: Path, path: Path) -> Path:
        # Of songs that share a name, each goes on counting where the one before has ended.
        candidate, number = target, self._numbers.get(str(target).casefold(), 2)
        while str(candidate).casefold() in self._taken or (os.path.lexists(candidate) and not _same(candidate, path)):
            candidate, number = target.with_name(f"{target.stem} ({number}){target.suffix}"), number + 1
        self._taken.add(str(candidate).casefold())
        self._numbers[str(target).casefold()] = number
        return candidate


def _one_name(text: str) -> str:
    """Text as part of a file's name on any system."""
    return re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|]', "_", text)


def _same(one: Path, other: Path) -> bool:
    """Whether two names are one file, as where case does not count."""
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def check_target(path: Path, target: Path) -> None:
    """Raises `TagError` unless a file may go to a place: it is absolute, free, and keeps the file's suffix."""
    if not target.is_absolute():
        raise TagError(f"{readable(path)}: `move_to` must be an absolute path. Received: {readable(target)}")
    if target.suffix.lower() != path.suffix.lower():
        raise TagError(f"{readable(path)}: a song must keep its suffix. Received: {readable(target)}")
    if os.path.lexists(target) and not _same(path, target):
        raise TagError(f"{readable(path)}: there is a file already: {readable(target)}")
