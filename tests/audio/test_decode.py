import os
import re
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keraudio.audio import load_audio, probe
from keraudio.errors import AudioError

# Cutting a stretch and resampling it alone rounds differently in float32: measured 1.2e-6 on full-scale noise over
# all pairs of rates from 8 to 192 kHz, 1.8e-7 on the quieter sound of these tests.
ROUNDING = 2e-6

FORMATS = [
    ("a.wav", {"subtype": "PCM_16"}),
    ("a.wav", {"subtype": "FLOAT"}),
    ("a.wav", {"subtype": "IMA_ADPCM"}),
    ("a.aiff", {}),
    ("a.au", {}),
    ("a.flac", {}),
    ("a.ogg", {}),
    ("a.opus", {"format": "OGG", "subtype": "OPUS", "sample_rate": 48_000}),
    ("a.mp3", {}),
    ("low.mp3", {"bitrate_mode": "VARIABLE", "compression_level": 0.95}),
    ("low.mp3", {"bitrate_mode": "CONSTANT", "compression_level": 0.95, "sample_rate": 24_000}),
]


def reference(path: Path, sample_rate: int) -> Any:
    """The whole file in one read and one resampling: soundfile's and soxr's own answer."""
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = np.clip(sound.astype(np.float64).mean(axis=1), -1, 1).astype(np.float32)
    return np.clip(soxr.resample(mono, rate, sample_rate, "HQ"), -1, 1)


def message_of(path: Path, **options: Any) -> str:
    with pytest.raises(AudioError) as caught:
        load_audio(path, **{"sample_rate": 16_000, **options})
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(("name", "options"), FORMATS)
@pytest.mark.parametrize("sample_rate", [16_000, 48_000])
def test_a_file_decodes_to_what_soundfile_and_soxr_give(write, name, options, sample_rate) -> None:
    path = write(name, seconds=8, **options)
    waveform = load_audio(path, sample_rate=sample_rate)
    expected = reference(path, sample_rate)
    if name == "low.mp3" and options["bitrate_mode"] == "CONSTANT":
        # Without a Xing header soundfile stops at its estimate, or pads to it; the sound itself is the same.
        expected = expected[: len(waveform) - sample_rate // 10]
        waveform = waveform[: len(expected)]
    assert waveform.dtype == np.float32
    assert waveform.shape == expected.shape
    np.testing.assert_allclose(waveform, expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("source_rate", [8_000, 44_100, 48_000, 44_101])
def test_a_resampled_tone_is_the_tone_at_the_new_rate(write, source_rate) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(2 * source_rate) / source_rate)
    waveform = load_audio(write("a.wav", tone, sample_rate=source_rate, subtype="DOUBLE"), sample_rate=16_000)
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(32_000) / 16_000)
    # HQ is 20 bits, 1e-6 of full scale; the first and last samples lack the sound beyond the ends.
    np.testing.assert_allclose(waveform[500:-500], expected[500:-500], rtol=0, atol=1e-5)
    assert len(waveform) == 32_000


def test_channels_are_averaged(write) -> None:
    stereo = np.stack([np.full(100, 0.5), np.full(100, -0.25)], axis=1)
    waveform = load_audio(write("a.wav", stereo, sample_rate=8_000, subtype="FLOAT"), sample_rate=8_000)
    np.testing.assert_array_equal(waveform, np.full(100, 0.125, np.float32))


def test_opposite_channels_cancel_to_silence(write) -> None:
    left = np.random.default_rng(0).uniform(-1, 1, 5000)
    path = write("a.wav", np.stack([left, -left], axis=1), subtype="FLOAT")
    assert not load_audio(path, sample_rate=22_050).any()


def test_huge_float_samples_are_clipped_without_overflow(write) -> None:
    loud = np.full((4000, 2), 3e38, np.float32)
    waveform = load_audio(write("a.wav", loud, subtype="FLOAT"), sample_rate=44_100)
    np.testing.assert_array_equal(waveform, np.ones(4000, np.float32))


@pytest.mark.parametrize("sample_rate", [8_000, 16_000, 48_000, 96_000])
def test_resampling_a_full_scale_square_stays_within_one(write, sample_rate) -> None:
    square = np.sign(np.sin(2 * np.pi * 441.5 * np.arange(44_100) / 44_100))
    square[square == 0] = 1
    path = write("a.wav", square, subtype="FLOAT")
    assert np.abs(soxr.resample(square, 44_100, sample_rate, "HQ")).max() > 1.01
    assert np.abs(load_audio(path, sample_rate=sample_rate)).max() == 1.0


@pytest.mark.parametrize(("name", "options"), FORMATS)
def test_a_stretch_is_that_stretch_of_the_whole(write, name, options) -> None:
    path = write(name, seconds=8, **options)
    whole = load_audio(path, sample_rate=16_000)
    for start, duration in ((0.0, 1.0), (2.34567, 1.5), (4.2, 0.001), (7.5, 0.4)):
        stretch = load_audio(path, sample_rate=16_000, start=start, duration=duration)
        first, count = round(start * 16_000), round(duration * 16_000)
        assert stretch.shape == (count,)
        np.testing.assert_allclose(stretch, whole[first : first + count], rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(load_audio(path, sample_rate=16_000, start=7), whole[112_000:], rtol=0, atol=ROUNDING)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    source_rate=st.sampled_from([8_000, 11_025, 32_000, 44_056, 44_100, 44_101, 48_000, 96_000]),
    sample_rate=st.sampled_from([8_000, 16_000, 22_050, 44_100, 48_000, 15_999]),
    start=st.floats(0, 1.9),
    duration=st.floats(0.001, 1),
)
def test_a_stretch_agrees_for_any_pair_of_rates(tmp_path, source_rate, sample_rate, start, duration) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-1, 1, 2 * source_rate), source_rate, subtype="FLOAT")
    whole = load_audio(path, sample_rate=sample_rate)
    stretch = load_audio(path, sample_rate=sample_rate, start=start, duration=duration)
    first, count = round(start * sample_rate), round(duration * sample_rate)
    expected = whole[first : first + count]
    assert stretch.shape == expected.shape
    np.testing.assert_allclose(stretch, expected, rtol=0, atol=ROUNDING)


def test_what_lies_beyond_the_end_is_left_out(write) -> None:
    path = write("a.wav", seconds=1)
    assert len(load_audio(path, sample_rate=8_000, start=0.75, duration=5)) == 2_000


def test_a_start_beyond_the_end_is_an_error(write) -> None:
    message = message_of(write("a.wav", seconds=1), start=1.5)
    assert message.endswith("`start` must lie before the end, 1.00 s. Received: start=1.5")


@pytest.mark.parametrize(
    "options",
    [
        {"sample_rate": 0},
        {"sample_rate": 16_000.5},
        {"start": -1.0},
        {"start": float("nan")},
        {"duration": 0.0},
        {"duration": float("inf")},
    ],
)
def test_a_bad_argument_is_a_value_error_that_names_it(write, options) -> None:
    with pytest.raises(ValueError, match=rf"`{next(iter(options))}` must.*Received: {next(iter(options))}="):
        load_audio(write("a.wav", seconds=0.1), **{"sample_rate": 16_000, **options})


def test_a_long_file_costs_the_memory_of_its_mono_result(write) -> None:
    path = write("a.wav", np.zeros((20 * 44_100, 8), np.float32), subtype="PCM_16")
    tracemalloc.start()
    waveform = load_audio(path, sample_rate=44_100)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Twice for the join of the blocks; the blocks themselves are a few MB. All channels would be 8 times.
    assert peak < 2 * waveform.nbytes + 6e6


@pytest.mark.parametrize(
    ("name", "options", "form"),
    [
        ("a.wav", {"subtype": "PCM_24"}, "WAV PCM_24"),
        ("a.flac", {}, "FLAC PCM_16"),
        ("a.ogg", {}, "OGG VORBIS"),
        ("a.mp3", {}, "MP3 MPEG_LAYER_III"),
    ],
)
def test_probe_tells_what_was_written(write, name, options, form) -> None:
    path = write(name, seconds=2, **options)
    info = probe(str(path))
    assert (info.path, info.sample_rate, info.channels, info.frames, info.duration, info.format) == (
        path,
        44_100,
        2,
        88_200,
        2.0,
        form,
    )


def test_a_missing_file_is_named(tmp_path) -> None:
    assert message_of(tmp_path / "none.wav") == f"{tmp_path / 'none.wav'}: does not exist"


def test_a_folder_is_refused(tmp_path) -> None:
    assert message_of(tmp_path) == f"{tmp_path}: is a folder"


def test_a_named_pipe_is_refused_without_waiting_for_it(tmp_path) -> None:
    os.mkfifo(tmp_path / "a.wav")
    assert message_of(tmp_path / "a.wav").endswith(": is not a regular file")


def test_a_file_that_may_not_be_read_is_refused(write, monkeypatch) -> None:
    path = write("a.wav", seconds=0.1)

    # chmod would not stop root, who runs tests in containers.
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("builtins.open", refuse)
    assert message_of(path) == f"{path}: permission denied"


def test_an_empty_file_is_refused(tmp_path) -> None:
    (tmp_path / "a.mp3").touch()
    assert message_of(tmp_path / "a.mp3").endswith(": is empty (0 bytes)")


@pytest.mark.parametrize("suffix", ["wav", "mp3", "m4a", "aac", "ogg"])
@pytest.mark.parametrize(
    "content", [b"x", b"<html>404</html>", bytes(9000), np.random.default_rng(0).bytes(9000)], ids=range(4)
)
def test_what_is_not_audio_is_refused_whatever_its_suffix(tmp_path, suffix, content) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content)
    assert message_of(path).startswith(f"{path}: not audio, or damaged")


@pytest.mark.parametrize("name", ["a.wav", "a.aiff", "a.au"])
def test_a_file_without_samples_is_refused(tmp_path, name) -> None:
    soundfile.write(tmp_path / name, np.zeros((0, 1)), 16_000)
    assert message_of(tmp_path / name).endswith(": holds no samples")


def test_a_sound_too_short_for_one_sample_at_the_rate_is_refused(write) -> None:
    path = write("a.wav", np.zeros(1), sample_rate=96_000)
    assert message_of(path, sample_rate=8_000).endswith(": too short, no sample at 8000 Hz")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.wav", {}),
        ("a.wav", {"subtype": "FLOAT"}),
        ("a.wav", {"format": "WAVEX"}),
        ("a.aiff", {}),
        ("a.au", {}),
        ("a.flac", {}),
        ("a.mp3", {}),
    ],
)
@pytest.mark.parametrize("fraction", [0.5, 0.9])
def test_a_truncated_file_is_refused_with_what_decodes(write, cut_file, name, options, fraction) -> None:
    path = cut_file(write(name, seconds=8, **options), fraction)
    found = re.search(r"truncated or damaged, the header promises (.*) s, (.*) s decode$", message_of(path))
    assert found
    assert float(found[1]) == pytest.approx(8, abs=0.01)
    # Half of the bytes is about half of the time, also where the bit rate varies.
    assert float(found[2]) == pytest.approx(8 * fraction, abs=0.5)


@pytest.mark.parametrize(
    ("name", "options"), [("a.ogg", {}), ("a.opus", {"format": "OGG", "subtype": "OPUS", "sample_rate": 48_000})]
)
@pytest.mark.parametrize("fraction", [0.5, 0.999])
def test_an_ogg_without_its_last_page_is_refused_with_what_decodes(write, cut_file, name, options, fraction) -> None:
    path = cut_file(write(name, seconds=8, **options), fraction)
    found = re.search(r"truncated, its last page is missing; (.*) s decode$", message_of(path))
    assert found
    assert float(found[1]) == pytest.approx(8 * fraction, abs=1)
    with pytest.raises(AudioError):
        probe(path)


def test_bytes_after_the_sound_are_not_damage(write) -> None:
    for name in ("a.wav", "a.flac", "a.ogg", "a.mp3", "a.aiff"):
        path = write(name, seconds=2)
        expected = load_audio(path, sample_rate=16_000)
        with open(path, "ab") as file:
            file.write(b"TAG" + bytes(125))
        waveform = load_audio(path, sample_rate=16_000)
        np.testing.assert_array_equal(waveform[: len(expected)], expected)


@pytest.mark.parametrize("placeholder", [0xFFFF_FFFF, 0x7FFF_F000])
def test_a_wav_written_to_a_pipe_promises_nothing(write, placeholder) -> None:
    path = write("a.wav", seconds=1)
    expected = load_audio(path, sample_rate=16_000)
    data = bytearray(path.read_bytes())
    at = data.find(b"data")
    data[at + 4 : at + 8] = struct.pack("<I", placeholder)
    data[4:8] = struct.pack("<I", placeholder)
    path.write_bytes(data)
    np.testing.assert_array_equal(load_audio(path, sample_rate=16_000), expected)


def test_a_flac_written_to_a_pipe_is_read_to_its_end(write) -> None:
    path = write("a.flac", seconds=5)
    expected = load_audio(path, sample_rate=16_000)
    data = bytearray(path.read_bytes())
    # STREAMINFO begins at byte 8; its 36-bit count of samples, 0 for unknown, ends 4 bits into byte 13.
    data[8 + 13] &= 0xF0
    data[8 + 14 : 8 + 18] = bytes(4)
    path.write_bytes(data)
    assert probe(path).frames == 5 * 44_100
    np.testing.assert_array_equal(load_audio(path, sample_rate=16_000), expected)


def test_an_mp3_that_promises_a_little_too_much_is_whole(write, cut_file) -> None:
    path = cut_file(write("a.mp3", seconds=8), 0.995)
    assert 7.9 < len(load_audio(path, sample_rate=16_000)) / 16_000 < 8.0


@pytest.mark.parametrize("loud_first", [True, False])
def test_an_mp3_of_varying_rate_without_a_length_is_read_to_its_end(write, without_xing, loud_first) -> None:
    noise = 0.3 * np.random.default_rng(0).standard_normal((5 * 44_100, 2))
    halves = [noise, np.zeros_like(noise)][:: 1 if loud_first else -1]
    path = write("a.mp3", np.concatenate(halves), bitrate_mode="VARIABLE", compression_level=0.3)
    expected = load_audio(path, sample_rate=16_000)
    waveform = load_audio(without_xing(path), sample_rate=16_000)
    assert abs(probe(path).duration - 10) > 3  # what libsndfile would read
    assert len(waveform) / 16_000 == pytest.approx(10, abs=0.1)
    # Xing also holds the encoder's delay, without which the sound comes later.
    at = 40_000 if loud_first else 120_000
    delay = int(np.argmax(np.correlate(waveform[at - 2_000 : at + 4_000], expected[at : at + 2_000]))) - 2_000
    assert 0 < delay < 1_200


def test_an_mp3_keeps_its_tags_out_of_the_sound(write, without_xing) -> None:
    path = without_xing(write("a.mp3", seconds=2, bitrate_mode="VARIABLE"))
    expected = load_audio(path, sample_rate=16_000)
    tag = b"ID3\x04\x00\x00\x00\x02\x00\x00" + bytes(2 << 14)  # 32 KiB in seven-bit bytes
    path.write_bytes(tag + tag + path.read_bytes())
    np.testing.assert_array_equal(load_audio(path, sample_rate=16_000), expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_refused_with_their_place(write, bad) -> None:
    sound = np.zeros((4 * 44_100, 2), np.float32)
    sound[3 * 44_100 + 441, 1] = bad
    path = write("a.wav", sound, subtype="FLOAT")
    assert message_of(path) == f"{path}: NaN or infinite samples at 3.01 s"


@pytest.mark.parametrize("rate", [999, 768_001])
def test_an_absurd_sample_rate_is_refused(write, rate) -> None:
    path = write("a.wav", np.zeros(2000), sample_rate=rate)
    assert message_of(path).endswith(f"sample rate must be 1000 to 768000 Hz. Received: {rate}")


@pytest.mark.parametrize("rate", [1_000, 768_000])
def test_the_extreme_sample_rates_are_read(write, rate) -> None:
    path = write("a.wav", np.zeros(rate), sample_rate=rate)
    assert load_audio(path, sample_rate=16_000).shape == (16_000,)


def test_more_than_64_channels_are_refused_and_64_are_read(write) -> None:
    assert message_of(write("a.wav", np.zeros((10, 65)))).endswith("channels must be 1 to 64. Received: 65")
    assert load_audio(write("b.wav", np.zeros((10, 64))), sample_rate=44_100).shape == (10,)


def test_no_channels_are_refused(write) -> None:
    path = write("a.wav", seconds=0.1)
    data = bytearray(path.read_bytes())
    data[22:24] = bytes(2)
    path.write_bytes(data)
    assert "not audio, or damaged" in message_of(path)


def test_a_name_that_is_not_utf8_is_read_and_escaped_in_errors(write, tmp_path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9\n.wav"))
    write("a.wav", seconds=0.5).rename(path)
    assert len(load_audio(path, sample_rate=8_000)) == 4_000
    path.write_bytes(b"no sound")
    assert message_of(path).startswith(f"{tmp_path}/caf\\udce9\\n.wav: ")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_gives_sound_or_an_audio_error_and_nothing_else(tmp_path, data) -> None:
    path = tmp_path / f"a.{data.draw(st.sampled_from(['wav', 'flac', 'ogg', 'aiff', 'au']))}"
    soundfile.write(path, np.sin(np.arange(8_000) / 9), 16_000)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, min(len(content) - 1, 200)))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        waveform = load_audio(path, sample_rate=16_000)
    except AudioError as error:
        assert "\n" not in str(error)
    else:
        assert waveform.ndim == 1 and len(waveform) and np.isfinite(waveform).all()
