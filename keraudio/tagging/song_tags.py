"""The genre in a song's tags, read and written with mutagen (extra `tagging`); nothing else in them changes.

A field is kept as it stands - values, spelling of the key, encoding, version of the tag - so that writing an old field
back is all there is to undoing. ID3 tags keep their version: several genres are values in 2.3 and 2.4 alike, the first
of which old software reads. ID3v1 and APE tags are left as they are.
"""

import io
import re
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from keraudio.audio.containers import after_id3
from keraudio.audio.sound import readable
from keraudio.errors import TagError
from keraudio.tagging.payload import before_end_tags, container_of, open_regular

_ID3 = ("mp3", "wav", "aiff")
_COMMENTS = ("flac", "vorbis", "opus")
_MP4_GENRE = "\xa9gen"
# Bytes at the end of an MP3 in which ID3v1 can stand; mutagen would write it anew.
_ID3V1_REACH = 256
# Frames of ID3v2.4 that become others in 2.3.
_CONVERTED = ("TCON", "TDRC", "TDOR", "TIPL", "TMCL")


@dataclass(frozen=True)
class GenreField:
    """The genre as it stands in a file.

    Attributes:
        values: texts of the field; none: there is no such field.
        tagged: whether the file has tags at all.
        keys: in Vorbis comments, the key of each value as it is spelt.
        encoding: of ID3's text, mutagen's number.
        version: of the ID3 tag, 3 or 4.
        frames: of ID3, the genre's frames to the byte, in hexadecimal.
        length: of the ID3 tag, in bytes.
    """

    values: tuple[str, ...] = ()
    tagged: bool = False
    keys: tuple[str, ...] = ()
    encoding: int | None = None
    version: int | None = None
    frames: tuple[str, ...] = ()
    length: int | None = None

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """What `to_json` gave."""
        return cls(**data | {name: tuple(data.get(name, ())) for name in ("values", "keys", "frames")})

    def with_genres(self, genres: Sequence[str], *, id3v23: bool = False) -> "GenreField":
        """The field with other genres; `id3v23` asks for ID3 of version 2.3, with several genres as "a/b"."""
        if self.version is None:
            return GenreField(tuple(genres), True, self.keys[:1] * len(genres))
        version = 3 if id3v23 else self.version
        values = ("/".join(genres),) if id3v23 else tuple(genres)
        latin = all(ord(c) < 256 for value in values for c in value)
        encoding = self.encoding
        if encoding is None or (encoding == 0 and not latin) or (encoding == 3 and version == 3):
            encoding = 0 if latin else 1 if version == 3 else 3
        return GenreField(values, True, (), encoding, version)


@dataclass(frozen=True)
class SongTags:
    """What a song's tags say.

    Attributes:
        genres: as people read them: ID3's numbers are names here.
        artist: the album's artist or else the track's; empty where neither is there, as are the others.
        album: of the song.
        title: of the song.
    """

    genres: tuple[str, ...] = ()
    artist: str = ""
    album: str = ""
    title: str = ""


def require_tags() -> None:
    """Raises `TagError` unless tags can be read and written at all."""
    try:
        import mutagen  # noqa: F401
    except ImportError:
        raise TagError("Tags need mutagen: pip install 'keraudio[tagging]'") from None


def tags_installed() -> bool:
    """Whether tags can be read and written at all."""
    try:
        require_tags()
    except TagError:
        return False
    return True


def read_tags(path: Path) -> SongTags:
    """Reads what a song's tags say.

    Raises:
        TagError: the file cannot be read, its container holds no tags that can be written, or they are damaged.
    """
    with _opened(path) as (kind, song):
        tags = song if kind == "mp3" else song.tags
        if kind in _ID3:
            genres = tags["TCON"].genres if tags and "TCON" in tags else ()
            names: tuple[tuple[str, ...], ...] = (("TPE2", "TPE1"), ("TALB",), ("TIT2",))
        elif kind in _COMMENTS:
            genres = tags["genre"] if tags and "genre" in tags else ()
            names = (("albumartist", "artist"), ("album",), ("title",))
        else:
            genres = tags.get(_MP4_GENRE, ()) if tags else ()
            names = (("aART", "\xa9ART"), ("\xa9alb",), ("\xa9nam",))
        return SongTags(tuple(map(str, genres)), *(_first(tags, keys) for keys in names))


def _first(tags: Any, keys: Sequence[str]) -> str:
    for key in keys:
        if tags and key in tags:
            value = tags[key]
            text = getattr(value, "text", value)
            if text and str(text[0]).strip():
                return str(text[0]).strip()
    return ""


def read_field(path: Path) -> GenreField:
    """Reads the genre as it stands in a file.

    Raises:
        TagError: as `read_tags` does.
    """
    with _opened(path) as (kind, song):
        if kind in _ID3:
            return _id3_field(path, kind, song if kind == "mp3" else song.tags)
        if kind in _COMMENTS:
            # A key is kept even without values: it marks these fields as Vorbis comments.
            entries = [(key, value) for key, value in song.tags or () if key.lower() == "genre"]
            keys = tuple(key for key, _ in entries) or ("GENRE",)
            return GenreField(tuple(value for _, value in entries), song.tags is not None, keys)
        return GenreField(tuple((song.tags or {}).get(_MP4_GENRE, ())), song.tags is not None)


def _id3_field(path: Path, kind: str, tags: Any) -> GenreField:
    if tags is None or not tags.version[0] or (tags.version[0] == 1 or not tags.size):
        # Nothing there, or ID3v1 alone, whose genre is shown but stays where it is.
        return GenreField(version=4)
    version = 4 if tags.version[1] == 4 else 3
    if "TCON" not in tags:
        return GenreField((), True, (), None, version, (), tags.size)
    frame = tags["TCON"]
    raw = [data.hex() for data in _load_raw(path, kind).unknown_frames if data[:4] == b"TCON"] if _is_raw(tags) else ()
    return GenreField(tuple(frame.text), True, (), int(frame.encoding), version, tuple(raw), tags.size)


def write_field(path: Path, field: GenreField, *, size: int | None = None) -> None:
    """Writes the genre into a file, in place: give it a copy.

    Args:
        path: the file.
        field: what is to stand there. One that is not tagged takes all tags away.
        size: length that the file shall have, where padding can make it so. Defaults to what needs no moving.

    Raises:
        TagError: as `read_tags` does, or the file cannot be written.
    """

    def padding(info: Any) -> int:
        if info.padding > path.stat().st_size:
            # It would be written: gigabytes.
            raise ValueError("more padding than the file is long")
        if size is None:
            return info.padding if info.padding >= 0 else info.get_default_padding()
        return max(0, info.padding + missing)

    # More than once, because the heads of more pages or atoms are no padding that the first time could foresee.
    for _ in range(1 if size is None else 4):
        with _opened(path) as (kind, song):
            missing = 0 if size is None else size - path.stat().st_size
            if size is not None and field.length and (length := read_field(path).length):
                # In a chunk, an odd length and the next one make files of one size.
                missing = field.length - length
            if kind in _ID3:
                _write_id3(path, kind, song, field, padding)
            elif kind in _COMMENTS:
                _write_comments(path, kind, song, field, padding)
            else:
                _write_mp4(path, song, field, padding)
            if path.stat().st_size == size:
                break


def _write_mp4(path: Path, song: Any, field: GenreField, padding: Callable[[Any], int]) -> None:
    if field.tagged:
        if song.tags is None:
            song.add_tags()
        if field.values:
            song.tags[_MP4_GENRE] = list(field.values)
        else:
            song.tags.pop(_MP4_GENRE, None)
        song.save(path, padding=padding)
    elif song.tags is not None:
        song.delete(path)


def _write_id3(path: Path, kind: str, song: Any, field: GenreField, padding: Callable[[Any], int]) -> None:
    from mutagen import id3

    if not field.tagged:
        if kind == "mp3":
            id3.delete(path, delete_v1=False)
        else:
            song.delete(path)
        return
    if kind != "mp3" and song.tags is None:
        song.add_tags()
    tags = song if kind == "mp3" else song.tags
    version = field.version or 4
    genres = [id3.TCON(encoding=field.encoding, text=list(field.values))] if field.values else []
    if _is_raw(tags) and tags.version[1] == version:
        tags = _load_raw(path, kind)
        frames = [frame for frame in tags.unknown_frames if frame[:4] != b"TCON"]
        first = next((n for n, frame in enumerate(tags.unknown_frames) if frame[:4] == b"TCON"), 0)
        frames[first:first] = map(bytes.fromhex, field.frames) if field.frames else _rendered(genres, version)
        tags.unknown_frames = frames
    else:
        tags.setall("TCON", genres)
        if tags.version[:2] == (2, 4) and version == 3:
            # Sort names and the like, which 2.3 has no frames for, are understood there too.
            newer = {key: frame for key, frame in tags.items() if key not in _CONVERTED}
            tags.update_to_v23()
            for frame in newer.values():
                tags.add(frame)
        elif tags.size and tags.version[:2] != (2, 4) and version == 4:
            tags.update_to_v24()

    def checked(info: Any) -> int:
        if info.padding > info.size:
            # The chunk says that it goes on behind the file's end; it would be filled up to there.
            raise ValueError("more padding than the file has room for")
        return padding(info)

    options = {"v2_version": version, "v23_sep": None, "padding": checked}
    if kind != "mp3":
        tags.save(path, **options)
        return
    with open(path, "rb") as file:
        before = file.seek(0, 2) - after_id3(file)
        file.seek(-min(before, _ID3V1_REACH), 2)
        end = file.read()
    tags.save(path, v1=1, **options)
    with open(path, "rb+") as saved:
        saved.seek(after_id3(saved) + before - len(end))
        saved.write(end)
        saved.truncate()


def _is_raw(tags: Any) -> bool:
    """Whether the frames of a tag can be written back as they stand: not if 2.4 has unsynchronised them as a whole."""
    return bool(tags.size) and (tags.version[1] == 3 or (tags.version[1] == 4 and not tags.f_unsynch))


def _load_raw(path: Path, kind: str) -> Any:
    """An ID3 tag of which every frame counts as unknown, so that it is kept to the byte, in its place.

    Read, frames would be put in order, two of a kind would become one, and those that are damaged would be gone.
    """
    from mutagen import id3

    song = _load(path, kind, known_frames=_Unread(id3.Frames))
    return song if kind == "mp3" else song.tags


class _Unread(dict[str, Any]):
    """Frames known by their names alone, by which mutagen tells how their sizes are written."""

    def __getitem__(self, name: str) -> Any:
        raise KeyError(name)


def _rendered(frames: Sequence[Any], version: int) -> list[bytes]:
    from mutagen import id3

    tags, file = id3.ID3(), io.BytesIO()
    tags.setall("TCON", frames)
    tags.save(file, v2_version=version, v23_sep=None, padding=lambda _: 0)
    return [file.getvalue()[10:]] if frames else []


def _write_comments(path: Path, kind: str, song: Any, field: GenreField, padding: Callable[[Any], int]) -> None:
    from mutagen import flac

    if kind != "flac":
        _check_pages(path)
    if not field.tagged and kind == "flac":
        song.metadata_blocks[:] = [block for block in song.metadata_blocks if block.code != flac.VCFLACDict.code]
    else:
        if song.tags is None:
            song.add_tags()
        entries = list(song.tags)
        places = [place for place, (key, _) in enumerate(entries) if key.lower() == "genre"]
        first = places[0] if places else len(entries)
        kept = [entry for entry in entries[first:] if entry[0].lower() != "genre"]
        song.tags[:] = entries[:first] + list(zip(field.keys, field.values, strict=False)) + kept
    song.save(path, padding=padding)


def _end_tags(path: Path, kind: str) -> list[str]:
    """The bytes of an MP3's ID3v1 and APE tags."""
    if kind != "mp3":
        return []
    with open(path, "rb") as file:
        file.seek(before_end_tags(file))
        return [repr(file.read())]


def _check_pages(path: Path) -> None:
    """Raises `ValueError` where a head page of an Ogg file is damaged, which writing would make look right."""
    from mutagen.ogg import OggPage

    with open(path, "rb") as file:
        at, position = 0, 0
        while position <= 0:
            page = OggPage(file)
            end = file.tell()
            file.seek(at)
            if page.write() != file.read(end - at):
                raise ValueError("a page's checksum is wrong")
            at, position = end, page.position


def other_tags(path: Path) -> list[str]:
    """Everything that a song's tags hold beside the genre, for comparison.

    Raises:
        TagError: as `read_tags` does.
    """
    with _opened(path) as (kind, song):
        tags = song if kind == "mp3" else song.tags
        if kind in _ID3:
            frames = [] if tags is None else [repr(frame) for key, frame in tags.items() if key != "TCON"]
            unknown = [] if tags is None else [repr(data) for data in tags.unknown_frames]
            # Version 2.3 has no UTF-8: text in it is written as UTF-16.
            return sorted(re.sub(r"encoding=<[^>]*>", "", frame) for frame in frames) + unknown + _end_tags(path, kind)
        if kind in _COMMENTS:
            entries = [repr(entry) for entry in tags or () if entry[0].lower() != "genre"]
            blocks = getattr(song, "metadata_blocks", ())
            return entries + [repr(block.write()) for block in blocks if block.code not in (1, 4)]
        return sorted(repr(item) for item in (tags or {}).items() if item[0] != _MP4_GENRE)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[str, Any]]:
    """A file's container and what mutagen makes of it; whatever mutagen raises in the block is a `TagError`."""
    name = readable(path)
    require_tags()
    import mutagen

    try:
        with open_regular(path) as file:
            kind = container_of(file)
        if not kind:
            raise TagError(f"{name}: tags can be written to mp3, flac, ogg, opus, m4a, wav and aiff alone")
        yield kind, _load(path, kind)
    except TagError:
        raise
    except OSError as error:
        raise TagError(f"{name}: {(error.strerror or str(error)).lower()}") from error
    except (
        mutagen.MutagenError,
        ValueError,
        LookupError,
        ArithmeticError,
        EOFError,
        TypeError,
        AttributeError,
        AssertionError,
        RecursionError,
        struct.error,
    ) as error:
        # On damaged files mutagen raises many kinds beside its own; an OSError comes wrapped in one of those.
        cause = error.args[0] if error.args and isinstance(error.args[0], OSError) else None
        reason = (cause.strerror or str(cause)).lower() if cause else f"damaged tags: {error or type(error).__name__}"
        raise TagError(f"{name}: {' '.join(reason.split())}") from error


def _load(path: Path, kind: str, **options: Any) -> Any:
    from mutagen import aiff, flac, id3, mp4, oggopus, oggvorbis, wave

    if kind == "mp3":
        for with_v1 in (False, True):
            try:
                return id3.ID3(path, translate=False, load_v1=with_v1, **options)
            except id3.ID3NoHeaderError:
                pass
        return id3.ID3()
    if kind in ("wav", "aiff"):
        return (wave.WAVE if kind == "wav" else aiff.AIFF)(path, translate=False, load_v1=False, **options)
    kinds = {"flac": flac.FLAC, "vorbis": oggvorbis.OggVorbis, "opus": oggopus.OggOpus, "mp4": mp4.MP4}
    return kinds[kind](path)
