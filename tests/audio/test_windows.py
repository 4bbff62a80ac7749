from typing import Any

import librosa
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from keraudio.audio import cut_windows, load_audio, read_windows, window_starts
from keraudio.audio.sound import Sound
from keraudio.errors import AudioError

# See test_decode: what resampling a stretch alone differs by in float32. Seeking adds nothing in WAV, FLAC and Vorbis,
# and 1e-7 in MP3 and Opus, whose decoders keep floating-point state.
ROUNDING = 2e-6

FORMATS = [
    ("a.wav", {}),
    ("a.wav", {"sample_rate": 16_000}),
    ("a.flac", {}),
    ("a.ogg", {"compression_level": 0.1}),
    ("a.ogg", {"compression_level": 0.95}),
    ("a.ogg", {"compression_level": 0.95, "sample_rate": 22_050, "channels": 1}),
    ("a.opus", {"format": "OGG", "subtype": "OPUS", "sample_rate": 48_000, "compression_level": 0.1}),
    ("a.mp3", {}),
    ("a.mp3", {"bitrate_mode": "VARIABLE", "compression_level": 0.95}),
    ("a.mp3", {"bitrate_mode": "VARIABLE", "compression_level": 0.95, "sample_rate": 22_050}),
    ("a.mp3", {"bitrate_mode": "AVERAGE", "compression_level": 0.9, "sample_rate": 16_000}),
]

sizes = st.integers(1, 500)


@given(samples=sizes, window=sizes, hop=sizes)
def test_every_whole_window_of_the_grid_is_there_and_no_other(samples, window, hop) -> None:
    starts = window_starts(samples, window, hop=hop)
    assert starts.dtype == np.int64
    assert starts.tolist() == ([s for s in range(0, samples, hop) if s + window <= samples] or [0])


@given(samples=sizes, window=sizes, hop=sizes, limit=st.integers(1, 40))
def test_a_limit_keeps_that_many_of_the_starts_evenly_spread(samples, window, hop, limit) -> None:
    every = window_starts(samples, window, hop=hop)
    kept = window_starts(samples, window, hop=hop, limit=limit)
    assert len(kept) == min(limit, len(every))
    assert set(kept) <= set(every)
    if limit > 1:
        assert (kept[0], kept[-1]) == (every[0], every[-1])
        steps = np.diff(kept) // hop
        assert len(steps) == 0 or (steps.min() >= 1 and steps.max() - steps.min() <= 1)


def test_a_limit_of_one_keeps_the_middle() -> None:
    assert window_starts(50, 10, hop=10, limit=1).tolist() == [20]
    assert window_starts(40, 10, hop=10, limit=1).tolist() == [10]


def test_a_limit_of_three_keeps_both_ends_and_the_middle() -> None:
    assert window_starts(110, 10, hop=10, limit=3).tolist() == [0, 50, 100]


@pytest.mark.parametrize("bad", [{"samples": 0}, {"window": 0}, {"hop": 0}, {"limit": 0}, {"hop": 2.5}])
def test_a_count_below_one_is_an_error_that_names_it(bad: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {"samples": 10, "window": 5, "hop": 5, **bad}
    with pytest.raises(ValueError, match=rf"`{next(iter(bad))}` must.*Received: {next(iter(bad))}="):
        window_starts(arguments.pop("samples"), arguments.pop("window"), **arguments)


@settings(deadline=None)  # librosa loads itself on first use
@given(samples=st.integers(20, 300), window=st.integers(1, 20), hop=st.integers(1, 20))
def test_windows_are_librosas_frames(samples, window, hop) -> None:
    waveform = np.random.default_rng(samples).uniform(-1, 1, samples).astype(np.float32)
    windows = cut_windows(waveform, window_starts(samples, window, hop=hop), window)
    np.testing.assert_array_equal(windows, librosa.util.frame(waveform, frame_length=window, hop_length=hop, axis=0))


def test_a_short_clip_is_padded_with_zeros_at_its_end() -> None:
    windows = cut_windows(np.ones(3, np.float32), window_starts(3, 5, hop=1), 5)
    assert windows.tolist() == [[1, 1, 1, 0, 0]]
    assert windows.dtype == np.float32


def test_windows_are_copies() -> None:
    waveform = np.zeros(8, np.float32)
    cut_windows(waveform, np.array([0, 2]), 4)[:] = 1
    assert not waveform.any()


@pytest.mark.parametrize("starts", [[-1], [8], [0, 9]])
def test_a_start_outside_the_waveform_is_an_error(starts) -> None:
    with pytest.raises(ValueError, match="`starts` must lie from 0 to samples - 1"):
        cut_windows(np.zeros(8, np.float32), np.array(starts), 4)


def test_a_waveform_with_channels_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"`waveform` must have the shape \(samples,\)"):
        cut_windows(np.zeros((8, 2), np.float32), np.array([0]), 4)


@pytest.fixture
def decoded(monkeypatch) -> list[int]:
    """Counts the frames that were decoded."""
    counts: list[int] = []
    original = Sound.__init__

    def counting(self: Sound, info: Any, slack: Any, seekable: bool, preroll: int, blocks: Any) -> None:
        def counted(begin: int, end: int) -> Any:
            for position, block in blocks(begin, end):
                counts.append(len(block))
                yield position, block

        original(self, info, slack, seekable, preroll, counted)

    monkeypatch.setattr(Sound, "__init__", counting)
    return counts


@pytest.mark.parametrize(("name", "options"), FORMATS)
@pytest.mark.parametrize("limit", [1, 3])
def test_windows_read_by_seeking_are_those_of_the_full_decode(write, decoded, name, options, limit) -> None:
    path = write(name, seconds=20, **options)
    waveform = load_audio(path, sample_rate=16_000)
    whole = sum(decoded)
    decoded.clear()
    windows = read_windows(path, sample_rate=16_000, window=8_000, hop=500, limit=limit)
    assert sum(decoded) < 0.7 * whole
    starts = window_starts(len(waveform), 8_000, hop=500, limit=limit)
    np.testing.assert_allclose(windows, cut_windows(waveform, starts, 8_000), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize(("name", "options"), FORMATS)
def test_the_last_window_read_by_seeking_ends_with_the_file(write, name, options) -> None:
    path = write(name, seconds=20, **options)
    waveform = load_audio(path, sample_rate=22_050)
    # The grid ends within one sample of the file, where Vorbis' last page and the decoders' ends lie.
    window, hop = 500, len(waveform) - 500
    windows = read_windows(path, sample_rate=22_050, window=window, hop=hop, limit=2)
    np.testing.assert_allclose(windows, [waveform[:500], waveform[-500:]], rtol=0, atol=ROUNDING)


def test_all_windows_come_from_one_full_decode(write, decoded) -> None:
    path = write("a.flac", seconds=4)
    windows = read_windows(path, sample_rate=16_000, window=4_000, hop=2_000)
    assert sum(decoded) == 4 * 44_100
    waveform = load_audio(path, sample_rate=16_000)
    np.testing.assert_array_equal(windows, cut_windows(waveform, window_starts(64_000, 4_000, hop=2_000), 4_000))


def test_a_limit_that_saves_nothing_decodes_once(write, decoded) -> None:
    read_windows(write("a.wav", seconds=4), sample_rate=16_000, window=20_000, hop=10_000, limit=3)
    assert sum(decoded) == 4 * 44_100


def test_a_file_shorter_than_a_window_is_padded(write) -> None:
    path = write("a.wav", np.full(800, 0.5), sample_rate=8_000, subtype="FLOAT")
    windows = read_windows(path, sample_rate=8_000, window=1_000, hop=100, limit=5)
    np.testing.assert_array_equal(windows, [[0.5] * 800 + [0.0] * 200])


def test_windows_of_an_mp3_without_a_length_are_those_of_the_full_decode(write, without_xing) -> None:
    noise = 0.3 * np.random.default_rng(0).standard_normal((5 * 44_100, 2))
    path = write("a.mp3", np.concatenate([noise, 0 * noise]), bitrate_mode="VARIABLE", compression_level=0.3)
    waveform = load_audio(without_xing(path), sample_rate=16_000)
    windows = read_windows(path, sample_rate=16_000, window=800, hop=100, limit=2)
    starts = window_starts(len(waveform), 800, hop=100, limit=2)
    assert starts[-1] > 9 * 16_000
    np.testing.assert_array_equal(windows, cut_windows(waveform, starts, 800))


def test_windows_of_an_mp3_with_a_little_less_than_promised_are_those_of_the_full_decode(write, cut_file) -> None:
    path = cut_file(write("a.mp3", seconds=20), 0.998)
    waveform = load_audio(path, sample_rate=16_000)
    windows = read_windows(path, sample_rate=16_000, window=800, hop=100, limit=2)
    starts = window_starts(len(waveform), 800, hop=100, limit=2)
    np.testing.assert_array_equal(windows, cut_windows(waveform, starts, 800))


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_a_truncated_file_is_refused_on_the_seeking_path_too(write, cut_file, name) -> None:
    path = cut_file(write(name, seconds=20), 0.9)
    with pytest.raises(AudioError, match="truncated"):
        read_windows(path, sample_rate=16_000, window=800, hop=100, limit=2)


@pytest.mark.parametrize("options", [{}, {"compression_level": 0.9}, {"sample_rate": 22_050, "channels": 1}])
def test_many_seeks_in_one_vorbis_file_all_land(write, decoded, options) -> None:
    # From anywhere but 0, libsndfile misplaces one seek in three here.
    path = write("a.ogg", seconds=60, **options)
    waveform = load_audio(path, sample_rate=22_050)
    decoded.clear()
    windows = read_windows(path, sample_rate=22_050, window=500, hop=250, limit=40)
    assert len(decoded) > 40
    starts = window_starts(len(waveform), 500, hop=250, limit=40)
    np.testing.assert_allclose(windows, cut_windows(waveform, starts, 500), rtol=0, atol=ROUNDING)


def test_rates_that_soxr_cannot_step_through_exactly_are_decoded_from_the_start(write) -> None:
    path = write("a.wav", seconds=30, sample_rate=44_056)
    waveform = load_audio(path, sample_rate=22_050)
    windows = read_windows(path, sample_rate=22_050, window=500, hop=500, limit=3)
    starts = window_starts(len(waveform), 500, hop=500, limit=3)
    np.testing.assert_array_equal(windows, cut_windows(waveform, starts, 500))


def test_low_rate_mp3_blocks_join_without_a_seam(write) -> None:
    # soundfile's own block-wise reading gives 0.3 of error here, after every block.
    path = write("a.mp3", seconds=20, bitrate_mode="VARIABLE", compression_level=0.95)
    sound, rate = soundfile.read(path, dtype="float64")
    np.testing.assert_allclose(load_audio(path, sample_rate=rate), sound.mean(axis=1), rtol=0, atol=1e-6)
