"""Songs in every container that can be tagged, made at test time: encoded with PyAV, tagged with mediafile."""

import io
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import soundfile

# Container and codec of PyAV by kind; Ogg Vorbis comes from libsndfile.
ENCODERS = {
    "mp3": ("mp3", "libmp3lame", ".mp3"),
    "flac": ("flac", "flac", ".flac"),
    "opus": ("ogg", "libopus", ".opus"),
    "aac": ("ipod", "aac", ".m4a"),
    "alac": ("ipod", "alac", ".m4a"),
    "wav": ("wav", "pcm_s16le", ".wav"),
    "adts": ("adts", "aac", ".aac"),
    "aiff": ("aiff", "pcm_s16be", ".aiff"),
}
KINDS = ("mp3", "flac", "ogg", "opus", "aac", "alac", "wav", "aiff")
# An ID3v1 tag: "TAG", title, artist, album, year, comment, genre 17 (Rock).
ID3V1 = b"TAG" + b"Title".ljust(30, b"\0") + b"Artist".ljust(30, b"\0") + b"Album".ljust(30, b"\0") + b"1999" + (
    b"Comment".ljust(30, b"\0") + b"\x11"
)  # fmt: skip


def sound(seconds: float, rate: int, frequency: float = 440.0, channels: int = 2) -> np.ndarray:
    """A noisy tone, float32 `(samples, channels)`."""
    time = np.arange(round(seconds * rate)) / rate
    noise = 0.01 * np.random.default_rng(round(frequency)).standard_normal((len(time), channels))
    return (0.4 * np.sin(2 * np.pi * frequency * time)[:, None] + noise).astype("float32")


def write_kind(folder: Path, kind: str, *, seconds: float = 0.6, frequency: float = 440.0, name: str = "") -> Path:
    """A song of a kind of `KINDS`, or "adts" for raw AAC, without a genre: `folder/KIND.SUFFIX`, or another name."""
    folder.mkdir(parents=True, exist_ok=True)
    rate = 48_000
    samples = sound(seconds, rate, frequency)
    if kind == "ogg":
        path = folder / (name or "ogg.ogg")
        with open(path, "wb") as file:
            soundfile.write(file, samples, rate, format="OGG")
        return path
    container, codec, suffix = ENCODERS[kind]
    path = folder / (name or f"{kind}{suffix}")
    memory = io.BytesIO()
    with av.open(memory, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate)
        stream.layout = "stereo"
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), format="fltp", layout="stereo")
        frame.rate = rate
        resampler = av.AudioResampler(
            format=stream.format, layout="stereo", rate=rate, frame_size=stream.codec_context.frame_size or 0
        )
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    path.write_bytes(memory.getvalue())
    return path


def tag_song(path: Path, genres: Sequence[str] = (), **fields: str) -> Path:
    """Writes tags with mediafile, an implementation that is not ours, among them a picture and lyrics."""
    from mediafile import Image, MediaFile

    song = MediaFile(path)
    song.update(
        {"artist": "Ärtist", "album": "Album", "title": "Title", "lyrics": "la la", "comments": "mine"} | fields
    )
    song.images = [Image(data=b"\xff\xd8\xff\xe0" + bytes(range(256)) * 8, desc="cover")]
    if genres:
        song.genres = list(genres)
    song.save()
    return path


def write_collection(folder: Path, *, genres: Sequence[str] = ()) -> dict[str, Path]:
    """One tagged song of each kind, in folders inside each other, with names from many scripts."""
    names = ("a b", "ü/Ünï", "日本/歌", "d/e/f/deep", "\udcff\udc80bytes", "dots...", "R&B; 'x' \"y\"", "comma, bar|")
    found = {}
    for kind, name in zip(KINDS, names, strict=True):
        suffix = ".ogg" if kind == "ogg" else ENCODERS[kind][2]
        path = folder / f"{name}{suffix}"
        write_kind(path.parent, kind, name=path.name, frequency=300 + 50 * len(found))
        found[kind] = tag_song(path, genres)
    return found
