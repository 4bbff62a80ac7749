import io
import os
import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import songs
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from mediafile import Image, MediaFile
from mutagen import File
from mutagen.apev2 import APEv2

from keraudio.errors import TagError
from keraudio.tagging.payload import after_id3, container_of, payload_digest
from keraudio.tagging.song_tags import other_tags

CONTAINERS = {kind: {"ogg": "vorbis", "aac": "mp4", "alac": "mp4"}.get(kind, kind) for kind in songs.KINDS}


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tagged song of each kind; copy it before a change."""
    folder = tmp_path_factory.mktemp("tagged")
    return {kind: songs.tag_song(songs.write_kind(folder, kind, seconds=1.0), ["Rock"]) for kind in songs.KINDS}


@pytest.fixture
def song(tagged: dict[str, Path], tmp_path: Path, kind: str) -> Path:
    path = tmp_path / tagged[kind].name
    path.write_bytes(tagged[kind].read_bytes())
    return path


def samples(path: Path) -> np.ndarray:
    """All samples, decoded by FFmpeg."""
    with av.open(str(path)) as file:
        return np.concatenate([frame.to_ndarray().reshape(-1) for frame in file.decode(audio=0)])


def sound_region(kind: str, data: bytes) -> tuple[int, int]:
    """Offsets of coded sound: found as each container's specification says, by other ways than ours."""
    if kind == "mp3":
        return data.index(b"\xff\xfb", 10 + sum(byte << 7 * (3 - n) for n, byte in enumerate(data[6:10]))), len(data)
    if kind == "flac":
        return data.index(b"\xff\xf8"), len(data)
    if kind in ("aac", "alac"):
        place = data.index(b"mdat")
        return place + 4, place - 4 + int.from_bytes(data[place - 4 : place], "big")
    if kind == "wav":
        place = data.index(b"data")
        return place + 8, place + 8 + int.from_bytes(data[place + 4 : place + 8], "little")
    if kind == "aiff":
        place = data.index(b"SSND")
        return place + 16, place + 8 + int.from_bytes(data[place + 4 : place + 8], "big")
    # The last pages of Ogg hold nothing else; all with a time end a packet of sound.
    pages = [place for place in range(len(data)) if data.startswith(b"OggS", place)]
    page = next(at for at in pages if 0 < int.from_bytes(data[at + 6 : at + 14], "little") < 2**62)
    return page + 27 + data[page + 26], page + 27 + data[page + 26] + 300


@pytest.mark.parametrize("kind", songs.KINDS)
def test_a_container_is_told_by_its_bytes(song: Path, kind: str) -> None:
    for name in ("other.mp3", "other.wav", "no suffix"):
        other = song.rename(song.with_name(name))
        with open(other, "rb") as file:
            assert container_of(file) == CONTAINERS[kind]
        song = other


def test_other_containers_have_no_name() -> None:
    for data in (b"", b"x", b"\xff", b"text\n" * 20, b"RIFF\0\0\0\0AVI ", b"OggS" + bytes(60), b"\xff\xf1\x50\x80" * 9):
        assert container_of(io.BytesIO(data)) == ""


def test_id3_tags_are_passed_one_after_the_other() -> None:
    one = b"ID3\x04\x00\x00\x00\x00\x01\x02" + bytes(130)
    footed = b"ID3\x04\x00\x10\x00\x00\x00\x05" + bytes(5) + b"3DI\x04\x00\x10\x00\x00\x00\x05"
    assert after_id3(io.BytesIO(one + footed + b"rest")) == 140 + 25
    assert after_id3(io.BytesIO(b"rest")) == after_id3(io.BytesIO(b"")) == 0


@pytest.mark.parametrize("kind", songs.KINDS)
def test_no_tag_changes_the_digest(song: Path, kind: str) -> None:
    digest, heard = payload_digest(song), samples(song)
    noise = np.random.default_rng(0).bytes(400_000)
    big = [Image(data=b"\xff\xd8\xff\xe0" + noise, desc=desc) for desc in ("front", "back")]
    changes: tuple[Callable[[MediaFile], object], ...] = (
        lambda file: file.update({"title": "x", "artist": "y" * 500, "lyrics": "la " * 5000}),
        lambda file: setattr(file, "images", big),
        lambda file: setattr(file, "genres", [f"genre {n}" for n in range(4000)]),
        lambda file: setattr(file, "images", []),
        lambda file: file.update({"lyrics": None, "genres": None, "rg_track_gain": 1.5}),
        lambda file: file.delete(),
    )
    lengths = set()
    for change in changes:
        file = MediaFile(song)
        change(file)
        if change is not changes[-1]:
            file.save()
        assert payload_digest(song) == digest
        np.testing.assert_array_equal(samples(song), heard)
        lengths.add(song.stat().st_size)
    assert max(lengths) > 800_000 and len(lengths) > 2


@pytest.mark.parametrize("kind", songs.KINDS)
def test_padding_is_a_tag(song: Path, kind: str) -> None:
    digest = payload_digest(song)
    for length in (0, 1, 5000, 70_000, 0):
        file = File(song)
        file.save(song, padding=lambda _, length=length: length)
        assert payload_digest(song) == digest


@pytest.mark.parametrize("kind", songs.KINDS)
def test_a_song_without_tags_is_the_song_with_tags(tmp_path: Path, kind: str) -> None:
    path = songs.write_kind(tmp_path, kind)
    digest = payload_digest(path)
    songs.tag_song(path, ["Rock", "歌"])
    assert payload_digest(path) == digest
    other = songs.write_kind(tmp_path, kind, name=f"other{path.suffix}")
    songs.tag_song(other, ["Jazz"], title="Another", lyrics="no " * 9000)
    # Ogg's streams have numbers drawn by chance, which are no part of the sound; libsndfile draws them too.
    assert payload_digest(other) == digest
    assert payload_digest(songs.write_kind(tmp_path, kind, frequency=441.0)) != digest


@pytest.mark.parametrize("kind", songs.KINDS)
def test_no_byte_of_the_sound_can_change_unnoticed(song: Path, kind: str) -> None:
    data = song.read_bytes()
    begin, end = sound_region(kind, data)
    digests = {payload_digest(song)}
    places = sorted(
        {begin, begin + 1, (begin + end) // 2, end - 2, end - 1} | set(range(begin, end, (end - begin) // 9))
    )
    for place in places:
        for bit in (1, 0x80):
            song.write_bytes(data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :])
            digests.add(payload_digest(song))
    assert len(digests) == 1 + 2 * len(places)


@pytest.mark.parametrize("kind", songs.KINDS)
def test_a_lost_or_an_added_byte_is_noticed(song: Path, kind: str) -> None:
    data = song.read_bytes()
    begin, end = sound_region(kind, data)
    digests = {payload_digest(song)}
    for changed in (data[: end - 1], data[:begin] + data[begin + 1 :], data[:end] + b"\x55" + data[end:], data[:begin]):
        song.write_bytes(changed)
        digests.add(payload_digest(song))
    assert len(digests) == 5


# What says how the sound is to be decoded: rate, channels, time.
HEADS = {
    "flac": (b"fLaC", 8 + 10),
    "ogg": (b"\x01vorbis", 12),
    "opus": (b"OpusHead", 10),
    "aac": (b"stsd", 40),
    "alac": (b"stts", 15),
    "wav": (b"fmt ", 12),
    "aiff": (b"COMM", 16),
}


@pytest.mark.parametrize("kind", HEADS)
def test_what_the_sound_is_decoded_by_is_part_of_it(song: Path, kind: str) -> None:
    data, digest = song.read_bytes(), payload_digest(song)
    mark, offset = HEADS[kind]
    place = data.index(mark) + offset
    song.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    assert payload_digest(song) != digest


@pytest.mark.parametrize("kind", ["ogg", "opus"])
def test_the_times_of_ogg_pages_are_part_of_the_sound(song: Path, kind: str) -> None:
    data, digest = song.read_bytes(), payload_digest(song)
    last = data.rindex(b"OggS")
    for place, told in ((last + 5, True), (last + 6, True), (last + 18, False), (last + 22, False)):
        # Flags and times; numbers and checksums of pages change with those of the comments.
        song.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert (payload_digest(song) != digest) == told


@pytest.mark.parametrize("kind", ["aac", "alac"])
def test_where_the_media_data_lie_is_part_of_the_sound(song: Path, kind: str) -> None:
    data, digest = song.read_bytes(), payload_digest(song)
    table = data.index(b"stco")
    song.write_bytes(data[: table + 15] + bytes([data[table + 15] ^ 1]) + data[table + 16 :])
    assert payload_digest(song) != digest
    # Everything moved together is the same sound.
    free = b"\x00\x00\x00\x18free" + bytes(16)
    head = int.from_bytes(data[:4], "big")
    count = int.from_bytes(data[table + 8 : table + 12], "big")
    places = struct.unpack_from(f">{count}I", data, table + 12)
    moved = data[: table + 12] + struct.pack(f">{count}I", *(place + 24 for place in places))
    moved += data[table + 12 + 4 * count :]
    song.write_bytes(moved[:head] + free + moved[head:])
    assert payload_digest(song) == digest and len(samples(song)) > 40_000


def fragmented(path: Path, flags: str) -> Path:
    """An MP4 in fragments of half a second, as streams are stored."""
    memory, rate = io.BytesIO(), 48_000
    with av.open(memory, "w", format="ipod", options={"movflags": flags, "frag_duration": "500000"}) as output:
        stream = output.add_stream("aac", rate=rate)
        stream.layout = "stereo"
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(songs.sound(3.0, rate).T), format="fltp", layout="stereo"
        )
        frame.rate = rate
        resampler = av.AudioResampler(stream.format, "stereo", rate, 1024)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    path.write_bytes(memory.getvalue())
    return path


def test_fragments_of_mp4_that_no_longer_find_their_data_are_noticed(tmp_path: Path) -> None:
    steady = fragmented(tmp_path / "steady.m4a", "frag_keyframe+empty_moov+default_base_moof")
    digest, heard = payload_digest(steady), samples(steady)
    songs.tag_song(steady, ["Rock"])
    assert payload_digest(steady) == digest
    np.testing.assert_array_equal(samples(steady), heard)
    # mutagen moves the first of such fragments alone, after which the rest is noise.
    loose = fragmented(tmp_path / "loose.m4a", "frag_keyframe+empty_moov")
    digest = payload_digest(loose)
    songs.tag_song(loose, ["Rock"])
    with pytest.raises(av.FFmpegError):
        samples(loose)
    assert payload_digest(loose) != digest


def chunk(name: bytes, content: bytes, order: str = "<") -> bytes:
    return name + struct.pack(f"{order}I", len(content)) + content + bytes(len(content) % 2)


def test_chunks_of_odd_sizes_are_passed(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    form = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 8000, 8000, 1, 8))
    rest = chunk(b"data", b"\x80\x81\x82" * 101) + chunk(b"bext", b"odd")
    path.write_bytes(b"RIFF\x00\x00\x00\x00WAVE" + form + rest)
    digest = payload_digest(path)
    for tag in (chunk(b"id3 ", b"ID3"), chunk(b"ID3 ", b"four"), chunk(b"id3 ", b"")):
        path.write_bytes(b"RIFF\x00\x00\x00\x00WAVE" + form + tag + rest + tag)
        assert payload_digest(path) == digest
    path.write_bytes(b"RIFF\x00\x00\x00\x00WAVE" + form + rest + chunk(b"id4 ", b"ID3"))
    assert payload_digest(path) != digest


@pytest.mark.parametrize("size", [0, 1, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF])
def test_wav_of_unknown_length_is_read(tmp_path: Path, size: int) -> None:
    """As programs leave it that write to a pipe, and cannot go back to note how much it was."""
    path = tmp_path / "song.wav"
    soundfile.write(path, songs.sound(0.2, 8000), 8000)
    data = path.read_bytes()
    place = data.index(b"data") + 4
    streamed = data[:4] + struct.pack("<I", size) + data[8:place] + struct.pack("<I", size) + data[place + 4 :]
    path.write_bytes(streamed)
    digest = payload_digest(path)
    assert len(digest) == 40
    path.write_bytes(streamed[:-3] + bytes([streamed[-3] ^ 1]) + streamed[-2:])
    assert payload_digest(path) != digest or size < 2


def test_of_anything_else_every_byte_counts(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    data = b"neither tags nor sound " * 100_000
    path.write_bytes(data)
    digests = {payload_digest(path)}
    for place in (0, 1_100_000, len(data) - 1):
        path.write_bytes(data[:place] + b"#" + data[place + 1 :])
        digests.add(payload_digest(path))
    assert len(digests) == 4


def test_tags_at_the_end_of_an_mp3_are_no_sound_but_count_as_other_tags(
    tagged: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(tagged["mp3"].read_bytes())
    digests, others = {payload_digest(path)}, {tuple(other_tags(path))}
    path.write_bytes(tagged["mp3"].read_bytes() + songs.ID3V1)
    digests.add(payload_digest(path))
    others.add(tuple(other_tags(path)))
    ape = APEv2()
    ape["Genre"] = "Ape"
    ape.save(path)
    digests.add(payload_digest(path))
    others.add(tuple(other_tags(path)))
    assert len(digests) == 1 and len(others) == 3
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    digests.add(payload_digest(path))
    others.add(tuple(other_tags(path)))
    assert len(digests) == 1 and len(others) == 4


def test_a_file_that_cannot_be_read_is_named_in_one_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp3")
    for name, reason in (
        (".", "is a folder"), ("pipe.mp3", "is not a regular file"), ("no\nne.mp3", "no such file or directory"),
        ("x" * 300, "file name too long"),
    ):  # fmt: skip
        with pytest.raises(TagError) as caught:
            payload_digest(tmp_path / name)
        shown = str(tmp_path / name).replace("\n", "\\n")
        assert str(caught.value) == f"{shown}: {reason}"


STARTS = (
    b"", b"ID3\x04\x00\x00\x00\x00\x00\x05", b"fLaC", b"OggS\x00\x02" + bytes(20) + b"\x01\x1e\x01vorbis",
    b"\x00\x00\x00\x08ftyp", b"RIFF\x10\x00\x00\x00WAVE", b"FORM\x00\x00\x00\x10AIFF", b"\xff\xfb\x90",
)  # fmt: skip
PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [b"moov", b"trak", b"mdia", b"moof", b"traf", b"tfhd", b"stco", b"co64", b"mdat", b"OggS", b"data"]
    ),
    st.integers(0, 300).map(lambda size: size.to_bytes(4, "big")),
    st.sampled_from([bytes(4), b"\xff" * 4, b"\x00\x00\x00\x01", b"\x00\x00\x00\x08"]),
)


def test_whatever_the_bytes_are_there_is_a_digest(tmp_path: Path) -> None:
    path = tmp_path / "song"

    @settings(max_examples=150, deadline=None)
    @given(st.sampled_from(STARTS), st.lists(PIECES, max_size=25))
    def digest(start: bytes, pieces: list[bytes]) -> None:
        path.write_bytes(start + b"".join(pieces))
        assert len(payload_digest(path)) == 40

    digest()


@pytest.mark.parametrize("kind", songs.KINDS)
def test_whatever_is_damaged_there_is_a_digest(song: Path, kind: str) -> None:
    data = song.read_bytes()
    head = min(len(data), 6000)

    @settings(max_examples=20, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, head - 1), st.integers(0, 255)), max_size=9), st.integers(0, len(data)))
    def digest(changes: list[tuple[int, int]], cut: int) -> None:
        damaged = bytearray(data)
        for place, byte in changes:
            damaged[place] = byte
        song.write_bytes(damaged[:cut])
        assert len(payload_digest(song)) == 40

    digest()


def test_nested_or_cut_atoms_of_mp4_are_no_trouble(tmp_path: Path) -> None:
    path = tmp_path / "song"
    nested = b""
    for _ in range(3000):
        nested = (8 + len(nested)).to_bytes(4, "big") + b"moov" + nested
    for end in (
        nested,
        b"\x00\x00\x00\x0astco\x00\x01",
        b"\x00\x00\x00\x14stco\x00\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x01",
    ):
        path.write_bytes(b"\x00\x00\x00\x10ftypM4A \x00\x00\x00\x00" + end)
        assert len(payload_digest(path)) == 40
