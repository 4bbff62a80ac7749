"""Reads what libsndfile keeps to itself: lengths that WAV, AIFF, AU and MP3 headers state, and how an Ogg file ends."""

import os
import struct
from typing import BinaryIO

from keraudio.audio.sound import UNKNOWN_FRAMES

# Writers that cannot seek back leave one of these as the length: 0, 0x7fff0000 and up (SoX, arecord), 0xffffffff.
_PLACEHOLDER_BYTES = 0x7FFF_0000
_OGG_PAGE_BYTES = 65_307


def payload_bytes(file: BinaryIO, kind: str) -> tuple[int, int]:
    """Bytes of sound that a WAV, AIFF or AU header declares, and bytes that follow it; libsndfile hides the gap."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(12)
    little = head[:4] in (b"RIFF", b"dns.")
    if kind == "AU":
        at, declared = struct.unpack("<II" if little else ">II", head[4:12])
        return (declared, size - at) if declared < _PLACEHOLDER_BYTES else (0, size - at)
    at = 12
    while len(chunk := file.read(8)) == 8:
        declared = struct.unpack("<I" if little else ">I", chunk[4:])[0]
        at += 8
        if chunk[:4] in (b"data", b"SSND"):
            return (declared, size - at) if declared < _PLACEHOLDER_BYTES else (0, size - at)
        at = file.seek(at + declared + declared % 2)
    return 0, size


def ogg_end(file: BinaryIO) -> tuple[bool, int]:
    """Whether an Ogg file ends with its marked, complete last page, and how many frames that page holds."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 3 * _OGG_PAGE_BYTES))
    tail = file.read()
    whole, granules, at = False, [], tail.find(b"OggS")
    while 0 <= at <= len(tail) - 27:
        kind, granule = tail[at + 5], struct.unpack_from("<q", tail, at + 6)[0]
        length = 27 + tail[at + 26] + sum(tail[at + 27 : at + 27 + tail[at + 26]])
        whole = bool(kind & 4) and at + length <= len(tail)
        granules += [granule] if granule >= 0 else []
        at = tail.find(b"OggS", at + length)
    last_page = granules[-1] - granules[-2] if len(granules) > 1 else -1
    return whole, last_page if last_page >= 0 else UNKNOWN_FRAMES


def after_id3(file: BinaryIO) -> int:
    """Offset of the first byte after a file's ID3v2 tags."""
    at = 0
    file.seek(0)
    while len(tag := file.read(10)) == 10 and tag[:3] == b"ID3":
        at = file.seek(at + 10 + sum((tag[9 - i] & 0x7F) << 7 * i for i in range(4)) + (10 if tag[5] & 0x10 else 0))
    return at


def mp3_start(file: BinaryIO) -> tuple[int, bool]:
    """Offset of the first byte after ID3v2 tags, and whether the first frame states the length."""
    at = after_id3(file)
    file.seek(at)
    frame = file.read(2048)
    return at, any(mark in frame for mark in (b"Xing", b"Info", b"VBRI"))
