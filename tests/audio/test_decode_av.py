import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from keraudio.audio import load_audio, probe, read_windows, window_starts
from keraudio.audio.decode_av import demuxer_of
from keraudio.errors import AudioError

RATE = 44_100
Encode = Callable[..., Path]


def tone(seconds: float) -> Any:
    wave = 0.4 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)
    return np.stack([wave, 0.5 * wave]).astype(np.float32)


@pytest.fixture
def encode(tmp_path: Path) -> Encode:
    """Writes a stereo tone, the right channel at half the level, with FFmpeg."""

    def encoder(name: str, codec: str, container: str, *, seconds: float = 2.0, **options: str) -> Path:
        with av.open(str(tmp_path / name), "w", format=container, options=options) as file:
            stream = file.add_stream(codec, rate=RATE, layout="stereo")
            frame = av.AudioFrame.from_ndarray(tone(seconds), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = RATE, 0
            form = stream.codec_context.format
            resampler = av.AudioResampler(format=form, layout="stereo", rate=RATE, frame_size=1024)
            for part in [*resampler.resample(frame), *resampler.resample(None), None]:
                for packet in stream.encode(part):
                    file.mux(packet)
        return tmp_path / name

    return encoder


def test_a_lossless_m4a_decodes_to_what_was_encoded(encode) -> None:
    path = encode("a.m4a", "alac", "mp4")
    # ALAC was given 16 or more bits: half a step of 2^-15.
    np.testing.assert_allclose(load_audio(path, sample_rate=RATE), tone(2).mean(axis=0), rtol=0, atol=2**-15)


@pytest.mark.parametrize(("name", "container"), [("a.m4a", "mp4"), ("a.mp4", "mp4"), ("a.aac", "adts")])
def test_aac_decodes_to_the_tone_in_place(encode, name, container) -> None:
    waveform = load_audio(encode(name, "aac", container), sample_rate=RATE)
    # Raw AAC cannot tell the encoder's 1024 samples of delay from sound.
    delay = 1024 if container == "adts" else 0
    expected = tone(2).mean(axis=0)[4096:-4096]
    error = waveform[4096 + delay :][: len(expected)] - expected
    # The coder's noise measures 0.004; a shift by one sample would be 0.013.
    assert np.sqrt(np.mean(error**2)) < 0.006


def test_an_m4a_is_as_long_as_its_header_says(encode) -> None:
    path = encode("a.m4a", "aac", "mp4", seconds=1.5)
    info = probe(path)
    assert (info.sample_rate, info.channels, info.frames, info.format) == (RATE, 2, round(1.5 * RATE), "MP4 AAC")
    assert len(load_audio(path, sample_rate=RATE)) == info.frames


def test_an_m4a_under_another_suffix_is_known_by_its_bytes(encode) -> None:
    path = encode("a.m4a", "aac", "mp4")
    renamed = path.rename(path.with_suffix(".mp3"))
    assert probe(renamed).format == "MP4 AAC"


def test_a_stretch_and_windows_are_those_of_the_whole(encode) -> None:
    path = encode("a.m4a", "aac", "mp4", seconds=4)
    whole = load_audio(path, sample_rate=16_000)
    # One float32 rounding more than the whole, for another cut before resampling.
    np.testing.assert_allclose(
        load_audio(path, sample_rate=16_000, start=2.5, duration=0.5), whole[40_000:48_000], rtol=0, atol=2e-6
    )
    windows = read_windows(path, sample_rate=16_000, window=800, hop=800, limit=3)
    starts = window_starts(len(whole), 800, hop=800, limit=3)
    np.testing.assert_array_equal(windows, np.stack([whole[s : s + 800] for s in starts]))


def test_without_pyav_the_error_names_the_command(encode, monkeypatch) -> None:
    path = encode("a.m4a", "aac", "mp4")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(AudioError, match=r"need PyAV: pip install 'keraudio\[m4a\]'$"):
        load_audio(path, sample_rate=16_000)


def test_a_truncated_m4a_is_refused_with_what_decodes(encode) -> None:
    path = encode("a.m4a", "aac", "mp4", seconds=8, movflags="faststart")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(AudioError, match=r"truncated or damaged.* [34]\.\d\d s decode$"):
        load_audio(path, sample_rate=16_000)


def test_an_m4a_without_its_index_is_refused(encode) -> None:
    path = encode("a.m4a", "aac", "mp4")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(AudioError, match="not audio, or damaged"):
        load_audio(path, sample_rate=16_000)


def test_a_film_without_sound_is_refused(tmp_path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as file:
        stream = file.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        for packet in [*stream.encode(av.VideoFrame(32, 32, "yuv420p")), *stream.encode(None)]:
            file.mux(packet)
    with pytest.raises(AudioError, match="holds no sound"):
        load_audio(tmp_path / "a.mp4", sample_rate=16_000)


def test_a_playlist_in_disguise_opens_nothing_else(tmp_path) -> None:
    (tmp_path / "a.m4a").write_text("#EXTM3U\n#EXTINF:1,\nother.wav\n")
    with pytest.raises(AudioError, match="not audio, or damaged"):
        load_audio(tmp_path / "a.m4a", sample_rate=16_000)


@pytest.mark.parametrize(
    ("head", "suffix", "demuxer"),
    [
        (b"\0\0\0\x1cftypM4A ", ".mp3", "mov"),
        (b"\0\0\0\x08wide\0\0\0\0", ".m4a", "mov"),
        (b"\0\0\0\x08wide\0\0\0\0", ".wav", None),
        (b"\xff\xf1P\x80$?\xfc\xde", "", "aac"),
        (b"ID3\4\0\0\0\0\0\0", ".aac", "aac"),
        (b"ID3\4\0\0\0\0\0\0", ".mp3", None),
        (b"\xff\xfb\x90\x64", ".aac", None),  # MPEG layer III
        (b"\xff", ".aac", None),
        (b"RIFF\0\0\0\0WAVE", ".m4a", None),
    ],
)
def test_the_bytes_decide_what_goes_to_pyav(head, suffix, demuxer) -> None:
    assert demuxer_of(head, suffix) == demuxer
