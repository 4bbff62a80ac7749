"""The difficult files that folders of songs hold, made at test time, and what is to be said of each."""

import os
import socket
import struct
from pathlib import Path

import numpy as np
import soundfile
from command_line import ODD_NAMES, write_broken_songs, write_song
from songs import ENCODERS, KINDS, sound, tag_song, write_collection, write_kind

HOUR = 3600
# An MP3 frame of silence: MPEG-2.5 layer III, 8 kbit/s, 8 kHz, mono, 72 ms in 72 bytes.
SILENT_FRAME = b"\xff\xe3\x18\xc0" + bytes(68)


def write_odd_songs(folder: Path) -> dict[str, str | None]:
    """Files of every sort below a folder, which is empty or not there.

    Returns:
        By name relative to the folder, as `find_audio(folder, follow=True)` finds them: a pattern of the reason why a
        file cannot be heard, or None where it can.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, str | None] = {}
    for part in (_names, _links, _broken, _truncated, _wrong_suffixes, _odd_sounds, _hours, _not_files):
        found |= part(folder)
    return found


def _kind(folder: Path, kind: str, *, seconds: float = 0.6, name: str = "") -> Path:
    return tag_song(write_kind(folder, kind, seconds=seconds, name=name), ["Old"])


def _suffix(kind: str) -> str:
    return ".ogg" if kind == "ogg" else ENCODERS[kind][2]


def _names(folder: Path) -> dict[str, str | None]:
    """Every container with and without a genre; names of many scripts and of none, the longest, the deepest."""
    paths = [*write_collection(folder / "kinds", genres=["Old"]).values(), *write_collection(folder / "bare").values()]
    (folder / "names").mkdir()
    paths += [write_song(folder / "names" / name) for name in (*ODD_NAMES, f"{'ü' * 125}.flac", "UPPER.wav", "-0.wav")]
    paths[-2] = paths[-2].rename(paths[-2].with_suffix(".WAV"))
    deep = folder.joinpath("deep", *(str(level) for level in range(40)))
    deep.mkdir(parents=True)
    paths.append(write_song(deep / "song.wav"))
    return {str(path.relative_to(folder)): None for path in paths}


def _links(folder: Path) -> dict[str, str | None]:
    """Folders that hold themselves, links in a circle, to nowhere and to a song."""
    links = folder / "links"
    (links / "inner").mkdir(parents=True)
    (links / "inner" / "up").symlink_to(links)
    (links / "itself").symlink_to(links / "itself")
    (links / "self.wav").symlink_to(links / "self.wav")
    (links / "there.mp3").symlink_to(links / "back.mp3")
    (links / "back.mp3").symlink_to(links / "there.mp3")
    (links / "dangling.flac").symlink_to(folder / "nowhere.flac")
    _kind(links / ".hidden", "flac", name="song.flac")
    (links / "song.flac").symlink_to(Path(".hidden", "song.flac"))
    reasons: dict[str, str | None] = {
        f"links/{name}": "does not exist" for name in ("self.wav", "there.mp3", "back.mp3", "dangling.flac")
    }
    return reasons | {"links/song.flac": None}


def _broken(folder: Path) -> dict[str, str | None]:
    (folder / "broken").mkdir()
    reasons: dict[str, str | None] = {
        f"broken/{name}": reason for name, reason in write_broken_songs(folder / "broken").items()
    }
    for suffix in (".mp3", ".flac", ".ogg", ".opus", ".m4a", ".aiff", ".aac"):
        (folder / "broken" / f"nothing{suffix}").touch()
        (folder / "broken" / f"zeros{suffix}").write_bytes(bytes(5000))
        (folder / "broken" / f"page{suffix}").write_text("<html>404</html>\n" * 50)
        reasons |= {
            f"broken/nothing{suffix}": r"is empty \(0 bytes\)",
            f"broken/zeros{suffix}": "not audio, or damaged",
            f"broken/page{suffix}": "not audio, or damaged",
        }
    shut = _kind(folder / "broken", "flac", name="shut.flac")
    shut.chmod(0)
    # Root reads what nobody may, as in containers; what this link leads to fails for root as well.
    reasons["broken/shut.flac"] = None if os.access(shut, os.R_OK) else "permission denied"
    (folder / "broken" / "fails.wav").symlink_to("/proc/self/mem")
    return reasons | {"broken/fails.wav": "input/output error"}


def _truncated(folder: Path) -> dict[str, str | None]:
    """Songs of each container cut off at every tenth of their length."""
    (folder / "cut").mkdir()
    reasons: dict[str, str | None] = {}
    for kind in KINDS:
        data = _kind(folder / "whole", kind, seconds=3.0).read_bytes()
        for tenth in range(1, 10):
            name = f"cut/{kind} {tenth}{_suffix(kind)}"
            (folder / name).write_bytes(data[: len(data) * tenth // 10])
            reasons[name] = "truncated|damaged|no samples"
        reasons[f"whole/{kind}{_suffix(kind)}"] = None
    return reasons


def _wrong_suffixes(folder: Path) -> dict[str, str | None]:
    reasons: dict[str, str | None] = {}
    for kind, other in zip(KINDS, (*KINDS[3:], *KINDS[:3]), strict=True):
        # Tagged under its right name, as other programs go by that.
        path = _kind(folder / "wrong" / "right", kind)
        name = f"wrong/{kind}{_suffix(other)}"
        path.rename(folder / name)
        reasons[name] = None
    return reasons


def _odd_sounds(folder: Path) -> dict[str, str | None]:
    (folder / "odd").mkdir()

    def write(name: str, samples: np.ndarray, rate: int, subtype: str | None = None) -> str:
        soundfile.write(folder / "odd" / name, samples, rate, subtype=subtype)
        return f"odd/{name}"

    huge = np.full(4000, 1e30)
    infinite = np.zeros(4000)
    infinite[3000] = np.inf
    eight = sound(1.0, 8000, channels=8)
    return {
        write("one.wav", np.zeros(1), 4000): None,
        write("one.flac", np.full(1, 0.5), 4000): None,
        write("one of many.wav", np.zeros(1), 48_000): "too short",
        write("none.aiff", np.zeros(0), 4000): "no samples",
        write("nan.aiff", np.full(4000, np.nan), 4000, "FLOAT"): "NaN or infinite",
        write("infinite.wav", infinite, 4000, "DOUBLE"): "NaN or infinite",
        write("loud.wav", huge, 4000, "FLOAT"): None,
        write("eight.wav", eight, 8000): None,
        write("eight.flac", eight, 8000): None,
        write("eight.ogg", eight, 8000): None,
        write("many.wav", np.zeros((4000, 64)), 4000): None,
        write("too many.wav", np.zeros((4000, 65)), 4000): "channels must be 1 to 64. Received: 65",
        write("fast.wav", sound(0.5, 192_000), 192_000, "PCM_24"): None,
        write("fast.flac", sound(0.5, 192_000), 192_000, "PCM_24"): None,
        write("slow.wav", np.zeros(4000), 1): "sample rate must be 1000 to 768000 Hz. Received: 1$",
        write("slow.aiff", np.zeros(4000), 1): "sample rate must be 1000 to 768000 Hz. Received: 1$",
    }


def _hours(folder: Path) -> dict[str, str | None]:
    """An hour of silence, each at almost no cost."""
    long = folder / "long"
    long.mkdir()
    rate, size = 2000, 2 * HOUR * 2000
    with open(long / "hour.wav", "wb") as file:
        file.write(
            struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
        )
        file.write(struct.pack("<4sI", b"data", size))
        # A hole, which takes no room on most file systems.
        file.truncate(44 + size)
    soundfile.write(long / "hour.flac", np.zeros(HOUR * 8000, "int16"), 8000)
    (long / "hour.mp3").write_bytes(SILENT_FRAME * round(HOUR / 0.072))
    return dict.fromkeys(("long/hour.wav", "long/hour.flac", "long/hour.mp3"))


def _not_files(folder: Path) -> dict[str, str | None]:
    other = folder / "not files"
    (other / "folder.mp3").mkdir(parents=True)
    os.mkfifo(other / "pipe.flac")
    here = Path.cwd()
    with socket.socket(socket.AF_UNIX) as server:
        # The name of a socket may have 107 bytes.
        os.chdir(other)
        try:
            server.bind("socket.ogg")
        finally:
            os.chdir(here)
    return dict.fromkeys(("not files/pipe.flac", "not files/socket.ogg"), "is not a regular file")
