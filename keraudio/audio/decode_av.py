"""Decodes what libsndfile cannot, MP4 (M4A) and raw AAC, with PyAV (extra `m4a`)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keraudio.audio.sound import AudioInfo, Sound, check_format, loose_slack, readable
from keraudio.errors import AudioError


def demuxer_of(head: bytes, suffix: str) -> str | None:
    """Names FFmpeg's demuxer for MP4 ("mov") or raw AAC ("aac"); `None` for all that libsndfile is to read.

    Args:
        head: the file's first 12 bytes.
        suffix: its suffix in lower case, which decides only where the bytes leave it open.
    """
    if head[4:8] in (b"ftyp", b"moov") or (suffix in (".m4a", ".mp4") and head[4:8] in (b"mdat", b"wide", b"free")):
        return "mov"
    # ADTS shares MP3's sync word and is told from it by the layer bits, which are 0; ID3 may stand before either.
    adts = head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xF6 == 0xF0
    return "aac" if adts or (suffix == ".aac" and head[:3] == b"ID3") else None


def open_av(path: Path, demuxer: str) -> Sound:
    """Opens an MP4 or raw AAC file, to be decoded from its first frame each time.

    Args:
        path: the file.
        demuxer: "mov" or "aac". It is named, never guessed by FFmpeg, so that a file cannot pass for a playlist and
            make the decoder open others.

    Raises:
        AudioError: if PyAV is not installed, or the file is damaged or holds no sound.
    """
    av = _require_av(path)
    try:
        with open(path, "rb") as file, av.open(file, format=demuxer, metadata_errors="replace") as container:
            stream = _sound_stream(path, container)
            codec = stream.codec_context
            if codec is None:
                raise AudioError(f"{readable(path)}: holds sound of a coding that FFmpeg does not know")
            rate = codec.sample_rate
            frames = round(stream.duration * stream.time_base * rate) if stream.duration else 0
            form = f"{'MP4' if demuxer == 'mov' else 'ADTS'} {codec.name.upper()}"
            info = AudioInfo(path, rate, codec.channels, frames, frames / max(rate, 1), form)
    except av.FFmpegError as error:
        raise AudioError(f"{readable(path)}: not audio, or damaged ({_reason(error)})") from error
    check_format(info)
    if demuxer == "aac":
        # Raw AAC has no header for the whole: its length is FFmpeg's guess from the bit rate.
        return Sound(info, None, False, 0, lambda begin, end: _blocks(info, demuxer, end))
    # What decodes beyond an MP4's stated length is the encoder's padding.
    return Sound(info, loose_slack(info), False, 0, lambda begin, end: _blocks(info, demuxer, min(end, info.frames)))


def _blocks(info: AudioInfo, demuxer: str, end: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yields `(position, (frames, channels) float32)` from the file's first frame up to `end`."""
    av = _require_av(info.path)
    position = 0
    try:
        with open(info.path, "rb") as file, av.open(file, format=demuxer, metadata_errors="replace") as container:
            stream = _sound_stream(info.path, container)
            to_float = av.AudioResampler(format="fltp", layout=stream.codec_context.layout.name, rate=info.sample_rate)
            for frame in container.decode(stream):
                for part in to_float.resample(frame):
                    block = np.ascontiguousarray(part.to_ndarray().T[: max(0, end - position)])
                    yield position, block
                    position += len(block)
                if position >= end:
                    return
    except av.FFmpegError as error:
        decoded = f"{position / info.sample_rate:.2f} s decode"
        raise AudioError(f"{readable(info.path)}: truncated or damaged ({_reason(error)}), {decoded}") from error


def _require_av(path: Path) -> Any:
    try:
        import av
    except ImportError as error:
        raise AudioError(f"{readable(path)}: MP4 and AAC files need PyAV: pip install 'keraudio[m4a]'") from error
    return av


def _sound_stream(path: Path, container: Any) -> Any:
    if not container.streams.audio:
        raise AudioError(f"{readable(path)}: holds no sound")
    return container.streams.audio[0]


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()
