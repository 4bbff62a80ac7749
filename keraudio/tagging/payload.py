"""The part of an audio file that is sound, told from its tags: what no tagging may ever change."""

import errno
import hashlib
import os
import struct
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from keraudio.audio.containers import after_id3
from keraudio.audio.sound import readable
from keraudio.errors import TagError

_BLOCK = 2**20
# Atoms of MP4 that hold others.
_MP4_PARENTS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf")
_OGG_HEADERS = {b"\x01vorbis": 3, b"OpusHead": 2}


def container_of(file: BinaryIO) -> str:
    """Names a file's container by its bytes, never by its suffix, which may lie.

    Returns:
        `"mp3"`, `"flac"`, `"vorbis"`, `"opus"`, `"mp4"`, `"wav"` or `"aiff"`; `""` for all that cannot be tagged.
    """
    start = after_id3(file)
    file.seek(start)
    head = file.read(64)
    if head[:4] == b"fLaC":
        return "flac"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x06:
        return "mp3"
    if start:
        # Padding between tag and first frame is no rarity; nothing but MP3 and FLAC begins with such a tag.
        return "mp3"
    if head[:4] == b"OggS" and len(head) > 36:
        packet = head[27 + head[26] :]
        return "vorbis" if packet[:7] == b"\x01vorbis" else "opus" if packet[:8] == b"OpusHead" else ""
    if head[4:8] == b"ftyp":
        return "mp4"
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "wav"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    return ""


def payload_digest(path: Path) -> str:
    """Digest of everything in a file that is not its tags.

    MP3: all between the ID3v2 tags and those at the end. FLAC: the stream's parameters and frames. Ogg: the packets of
    the stream but its comments. MP4: the media data, where its chunks and fragments lie in it, and its sample tables.
    WAV and AIFF: every chunk but ID3's. Anything else: all of it.

    Raises:
        TagError: the file cannot be read.
    """
    digest = hashlib.blake2b(digest_size=20)
    try:
        with open_regular(path) as file:
            kind = container_of(file)
            parts = _PARTS.get(kind, _whole)(file)
            for part in parts:
                digest.update(part)
    except OSError as error:
        raise TagError(f"{readable(path)}: {(error.strerror or str(error)).lower()}") from error
    return digest.hexdigest()


def open_regular(path: Path) -> BufferedReader:
    """Opens a file for reading, which must be one: a pipe would wait for ever.

    Raises:
        OSError: it is none, or cannot be opened.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "is a folder" if path.is_dir() else "is not a regular file")
    return open(path, "rb")


def before_end_tags(file: BinaryIO) -> int:
    """Offset at which the APE and ID3v1 tags at the end of a file begin; its length if there are none."""
    end = file.seek(0, os.SEEK_END)
    # In any order, as other programs leave them.
    while True:
        footer = _at(file, end - 32, 32) if end >= 32 else b""
        if end >= 128 and _at(file, end - 128, 3) == b"TAG":
            size = 128
        elif footer[:8] == b"APETAGEX":
            # Its size counts the footer; a header comes besides.
            size = int.from_bytes(footer[12:16], "little") + (32 if footer[23] & 0x80 else 0)
        else:
            return end
        if not 0 < size <= end:
            return end
        end -= size


def _rest(file: BinaryIO, start: int, size: int | None = None) -> Iterator[bytes]:
    file.seek(start)
    left = file.seek(0, os.SEEK_END) - start if size is None else size
    file.seek(start)
    while left > 0 and (block := file.read(min(left, _BLOCK))):
        left -= len(block)
        yield block


def _whole(file: BinaryIO) -> Iterator[bytes]:
    return _rest(file, 0)


def _mp3(file: BinaryIO) -> Iterator[bytes]:
    start = after_id3(file)
    return _rest(file, start, max(0, before_end_tags(file) - start))


def _flac(file: BinaryIO) -> Iterator[bytes]:
    at = after_id3(file) + 4
    while len(head := _at(file, at, 4)) == 4:
        size = int.from_bytes(head[1:], "big")
        if head[0] & 0x7F == 0:
            yield from _rest(file, at + 4, size)
        at += 4 + size
        if head[0] & 0x80:
            break
    yield from _rest(file, at)


def _ogg(file: BinaryIO) -> Iterator[bytes]:
    """Packets of the first stream without the second, which is the comments; then all pages of other streams."""
    at, packet, stream = 0, 0, b""
    headers = 0
    while len(head := _at(file, at, 27)) == 27 and head[:4] == b"OggS":
        lacing = file.read(head[26])
        body = file.read(sum(lacing))
        at += 27 + len(lacing) + sum(lacing)
        if not stream:
            stream = head[14:18]
            headers = next((n for magic, n in _OGG_HEADERS.items() if body.startswith(magic)), 2)
        if head[14:18] != stream:
            yield head[:14] + lacing + body
            continue
        if packet >= headers:
            # Where each page of sound ends in time is part of it; pages' numbers and checksums are not.
            yield head[5:14]
            yield body
            continue
        start = 0
        for size in lacing:
            if packet != 1:
                yield body[start : start + size]
            start += size
            packet += size < 255
    yield from _rest(file, at)


def _mp4(file: BinaryIO) -> Iterator[bytes]:
    atoms = list(_atoms(file, 0, file.seek(0, os.SEEK_END)))
    media = [(start, size) for name, start, size in atoms if name == b"mdat"]
    first = media[0][0] if media else 0
    for name, start, size in atoms:
        if name in (b"stco", b"co64"):
            table = _at(file, start, size)
            width = "I" if name == b"stco" else "Q"
            # Of a damaged table, what is there.
            count = min(int.from_bytes(table[4:8], "big"), max(0, len(table) - 8) // struct.calcsize(width))
            places = struct.unpack_from(f">{count}{width}", table, 8) if count else ()
            yield b"".join((place - first).to_bytes(9, "big", signed=True) for place in places)
        elif name == b"tfhd":
            head = _at(file, start, size)
            if head[3:4] and head[3] & 1:
                # It says where its fragment's media data begin.
                place = int.from_bytes(head[8:16], "big") - first
                head = head[:8] + place.to_bytes(9, "big", signed=True) + head[16:]
            yield head
        elif name in (b"mdat", b"trun") or name.startswith(b"st"):
            yield name
            yield from _rest(file, start, size)


def _atoms(file: BinaryIO, start: int, end: int, depth: int = 0) -> Iterator[tuple[bytes, int, int]]:
    """Name, offset and size of the content of each atom; those inside parents too."""
    while start + 8 <= end:
        head = _at(file, start, 16)
        size, name, content = int.from_bytes(head[:4], "big"), head[4:8], start + 8
        if size == 1:
            size, content = int.from_bytes(head[8:16], "big"), start + 16
        elif size == 0:
            size = end - start
        if size < content - start:
            return
        stop = min(start + size, end)
        if name in _MP4_PARENTS and depth < len(_MP4_PARENTS):
            yield from _atoms(file, content, stop, depth + 1)
        else:
            yield name, content, stop - content
        start += size


def _chunks(order: str) -> Callable[[BinaryIO], Iterator[bytes]]:
    """Every chunk of WAV (order "<") or AIFF (">") but ID3's."""

    def parts(file: BinaryIO) -> Iterator[bytes]:
        end, at = file.seek(0, os.SEEK_END), 12
        while at + 8 <= end:
            head = _at(file, at, 8)
            size = struct.unpack(f"{order}I", head[4:])[0]
            if head[:4] not in (b"id3 ", b"ID3 "):
                yield head
                yield from _rest(file, at + 8, size)
            at += 8 + size + size % 2

    return parts


def _at(file: BinaryIO, start: int, size: int) -> bytes:
    file.seek(start)
    return file.read(size)


_PARTS = {
    "mp3": _mp3,
    "flac": _flac,
    "vorbis": _ogg,
    "opus": _ogg,
    "mp4": _mp4,
    "wav": _chunks("<"),
    "aiff": _chunks(">"),
}
