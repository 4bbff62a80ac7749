"""Damages songs at random and has them read and written: 1,000, or as many as KERAUDIO_FUZZ says; -s shows counts."""

import os
import re
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import songs as made

from keraudio.tagging import Journal, Proposal, apply_proposals, undo_run
from keraudio.tagging.payload import payload_digest
from keraudio.tagging.results import settings_digest
from keraudio.tagging.song_tags import read_field
from keraudio.tagging.workers import Examined, Workers

COUNT = int(os.environ.get("KERAUDIO_FUZZ", "1000"))
LIMIT = 20.0
SUFFIXES = (".mp3", ".flac", ".ogg", ".opus", ".m4a", ".wav", ".aiff", ".aac")
# Where the containers say how long, how many and of what sort something is.
MARKS = re.compile(
    rb"ID3|TCON|TXXX|APIC|TAG|Xing|Info|fLaC|OggS|vorbis|OpusHead|OpusTags|GENRE|RIFF|fmt |data|id3 |FORM|COMM|SSND"
    rb"|ftyp|moov|mvhd|trak|mdhd|stsd|stts|stsc|stsz|stco|mp4a|alac|esds|udta|meta|ilst|\xa9gen|covr|mdat|free"
)
EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, 0xFFFF_FFFF)

Random = np.random.Generator


def flip_bytes(data: bytearray, rng: Random) -> None:
    for place in rng.integers(len(data), size=rng.integers(1, 40)):
        data[place] = int(rng.integers(256))


def flip_bits_of_the_head(data: bytearray, rng: Random) -> None:
    for place in rng.integers(min(len(data), 400), size=rng.integers(1, 6)):
        data[place] ^= 1 << int(rng.integers(8))


def edit_a_header(data: bytearray, rng: Random) -> None:
    """A number near a mark becomes an extreme one."""
    marks = list(MARKS.finditer(data))
    at = marks[int(rng.integers(len(marks)))].start() if marks else 0
    at = max(0, min(at + int(rng.integers(-8, 40)), len(data) - 4))
    number = EXTREMES[int(rng.integers(len(EXTREMES)))]
    form = ("<I", ">I", "<H", ">H", "B")[int(rng.integers(5))]
    packed = struct.pack(form, number & (2 ** (8 * struct.calcsize(form)) - 1))
    data[at : at + len(packed)] = packed


def truncate(data: bytearray, rng: Random) -> None:
    del data[int(rng.integers(len(data))) :]


def block(data: bytearray, rng: Random) -> slice:
    start = int(rng.integers(len(data)))
    return slice(start, start + int(rng.integers(1, 1 + min(len(data), 10 ** int(rng.integers(1, 5))))))


def delete_a_block(data: bytearray, rng: Random) -> None:
    del data[block(data, rng)]


def repeat_a_block(data: bytearray, rng: Random) -> None:
    piece = block(data, rng)
    data[piece.start : piece.start] = data[piece] * int(rng.integers(1, 4))


def move_a_block(data: bytearray, rng: Random) -> None:
    piece = bytes(data[block(data, rng)])
    place = int(rng.integers(len(data)))
    data[place:place] = piece


def fill_a_block(data: bytearray, rng: Random) -> None:
    piece = block(data, rng)
    size = len(data[piece])
    data[piece] = (bytes(size), b"\xff" * size, rng.bytes(size))[int(rng.integers(3))]


def put_something_before(data: bytearray, rng: Random) -> None:
    data[:0] = (b"ID3\x04\x00\x00\x00\x00\x00\x0a" + bytes(10), rng.bytes(100), b"RIFF", bytes(2000))[
        int(rng.integers(4))
    ]


MUTATIONS: tuple[Callable[[bytearray, Random], None], ...] = (
    flip_bytes,
    flip_bits_of_the_head,
    edit_a_header,
    edit_a_header,
    truncate,
    delete_a_block,
    repeat_a_block,
    move_a_block,
    fill_a_block,
    put_something_before,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, bytes]]:
    """Songs of all containers, with a genre and without, and without any tags: suffix and bytes."""
    folder = tmp_path_factory.mktemp("whole")
    paths = [*made.write_collection(folder / "a", genres=["Rock", "Pop"]).values()]
    paths += made.write_collection(folder / "b").values()
    paths += [made.write_kind(folder / "c", kind, seconds=0.3) for kind in made.KINDS]
    (folder / "c" / "old.mp3").write_bytes((folder / "c" / "mp3.mp3").read_bytes() + made.ID3V1)
    return [(path.suffix, path.read_bytes()) for path in [*paths, folder / "c" / "old.mp3"]]


def damaged(whole: list[tuple[str, bytes]], number: int) -> tuple[str, bytes]:
    """A damaged song by its number: suffix, which seldom is another's, and bytes."""
    rng = np.random.default_rng((7, number))
    suffix, content = whole[int(rng.integers(len(whole)))]
    data = bytearray(content)
    if rng.random() < 0.05:
        data[len(data) // 2 :] = whole[int(rng.integers(len(whole)))][1][-len(data) // 2 :]
    for _ in range(int(rng.choice([1, 1, 1, 2, 4]))):
        if data:
            MUTATIONS[int(rng.integers(len(MUTATIONS)))](data, rng)
    if rng.random() < 0.05:
        suffix = SUFFIXES[int(rng.integers(len(SUFFIXES)))]
    return suffix, bytes(data)


def settings(cache: Path) -> dict[str, Any]:
    # Results are looked for, so that the sound's digest is made too.
    return {
        **{"sample_rate": 4000, "window": 2000, "hop": 1000, "limit": 10, "silence": None, "tags": True},
        **{"results": str(cache), "settings": settings_digest("model", {}), "refresh": False},
    }


def one_line(text: str | None, path: Path) -> bool:
    return text is None or (text.startswith(f"{path}: ") and text.isprintable())


def kind_of(found: Examined) -> str:
    if found.error is None:
        return "fine" if found.tag_error is None else "fine, but its tags are damaged"
    for phrase in ("its decoder crashed", "took longer than", "does not fit into memory", "cannot be read"):
        if f": {phrase}" in found.error:
            return phrase
    return "not fine, which its decoder says"


def test_damaged_songs_are_read_or_refused_in_one_line_and_never_written(
    whole: list[tuple[str, bytes]], tmp_path: Path
) -> None:
    folder = tmp_path / "damaged"
    folder.mkdir()

    def look(number: int) -> tuple[int, Examined, float]:
        suffix, content = damaged(whole, number)
        path = folder / f"{number}{suffix}"
        path.write_bytes(content)
        began = time.perf_counter()
        found = workers.examine(path)
        seconds = time.perf_counter() - began
        assert path.read_bytes() == content, number
        assert one_line(found.error, path) and one_line(found.tag_error, path), (number, found.error, found.tag_error)
        if found.error is None:
            assert found.windows is not None and found.windows.shape == (found.count, 2000) and found.count >= 1
            assert np.abs(found.windows).max() <= 1, number
        path.unlink()
        return number, found, seconds

    counts: Counter[str] = Counter()
    slowest = (0.0, -1)
    with Workers(settings(tmp_path / "cache"), LIMIT) as workers, ThreadPoolExecutor(2) as pool:
        for number, found, seconds in pool.map(look, range(COUNT)):
            counts[kind_of(found)] += 1
            if kind_of(found) in ("its decoder crashed", "took longer than", "cannot be read"):
                print(number, found.error)
            slowest = max(slowest, (seconds, number))
    assert list(folder.iterdir()) == []
    print(f"\n{COUNT} damaged songs", *(f"{name}: {count}" for name, count in counts.most_common()), sep="\n")
    print(f"slowest: {slowest[0]:.2f} s, number {slowest[1]}")
    # Beyond the limit comes only the time in which a new process starts.
    assert slowest[0] < LIMIT + 20
    assert counts["cannot be read"] == counts["its decoder crashed"] == 0
    assert counts["fine"] >= COUNT / 10 and counts["not fine, which its decoder says"] >= COUNT / 10


def readable_ones(whole: list[tuple[str, bytes]], folder: Path, count: int) -> Iterator[tuple[Path, bytes, Examined]]:
    """Damaged songs that can be heard and whose tags can be read."""
    with Workers(settings(folder / "cache"), LIMIT) as workers:
        for number in range(count):
            suffix, content = damaged(whole, 1_000_000 + number)
            path = folder / f"{number}{suffix}"
            path.write_bytes(content)
            found = workers.examine(path)
            if found.error is None and found.tag_error is None:
                yield path, content, found
                again = workers.examine(path)
                # Not only its digest: what is heard is the same to the last bit.
                np.testing.assert_array_equal(again.windows, found.windows)
            path.unlink()


def test_damaged_songs_are_written_whole_or_not_at_all_and_taken_back(
    whole: list[tuple[str, bytes]], tmp_path: Path
) -> None:
    counts: Counter[str] = Counter()
    with Journal(tmp_path / "journal.sqlite3") as journal:
        # Nothing here outlives the process, whose power is not going to fail.
        journal._sql.execute("PRAGMA synchronous = OFF")
        for path, content, _ in readable_ones(whole, tmp_path, COUNT // 5):
            before = (read_field(path).values, payload_digest(path))
            proposal = Proposal(path, "change", None, ("Däs ist neu", "日本"))
            (outcome,) = apply_proposals([proposal], journal, command="test")
            assert one_line(outcome.error, path), outcome.error
            if not outcome.written:
                counts["refused"] += 1
                assert outcome.error is not None and path.read_bytes() == content
                continue
            assert read_field(path).values == proposal.new and payload_digest(path) == before[1]
            (took_back,) = undo_run(journal, journal.runs()[0].id)
            assert one_line(took_back.error, path), took_back.error
            if took_back.error is not None:
                counts["not taken back"] += 1
                print(path.name, took_back.error)
                continue
            assert (read_field(path).values, payload_digest(path)) == before
            counts["to the byte" if path.read_bytes() == content else "taken back"] += 1
    print("", *(f"{name}: {count}" for name, count in counts.most_common()), sep="\n")
    assert counts["not taken back"] == 0
    assert counts["to the byte"] >= COUNT / 50
