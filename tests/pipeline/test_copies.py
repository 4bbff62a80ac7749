from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
from tones import SAMPLE_RATE, tone_clips

from keraudio.datasets import Clip, Manifest
from keraudio.pipeline import Copies, Crops, Windows, cache_clips, with_copies
from keraudio.pipeline.copies import _amounts


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tone_clips(tmp_path_factory.mktemp("tones"), clips=4)


def test_a_delayed_copy_is_silence_and_then_the_clip(clips: Any, tmp_path: Path) -> None:
    more = with_copies(clips, Copies(3, delay=0.2), sample_rate=SAMPLE_RATE, seed=1, folder=tmp_path)
    assert len(more) == 4 * len(clips) and not any(tmp_path.iterdir())
    delays = []
    for row in range(len(clips), len(more)):
        source = (row - len(clips)) // 3
        whole = clips.read(source, 0, int(clips.lengths[source]))
        delay = int(more.delays[row])
        delays.append(delay)
        assert int(more.lengths[row]) == len(whole) + delay and 0 <= delay < 0.2 * SAMPLE_RATE
        expected = np.concatenate([np.zeros(delay, "float32"), whole, np.zeros(50, "float32")])
        np.testing.assert_array_equal(more.read(row, 0, len(expected)), expected)
        for start, count in ((0, 3), (delay // 2, delay), (delay, 40), (delay + 7, 40), (len(whole), 5000)):
            padded = np.concatenate([expected, np.zeros(6000, "float32")])
            np.testing.assert_array_equal(more.read(row, start, count), padded[start : start + count])
        original, copy = clips.manifest.clips[source], more.manifest.clips[row]
        assert (copy.labels, copy.split, copy.group) == (original.labels, original.split, original.group)
        assert copy.id.startswith(original.id) and copy.id != original.id
    assert len(set(delays)) > 10
    assert more.manifest.clips[: len(clips)] == clips.manifest.clips


def test_no_copies_leave_the_clips_as_they_are(clips: Any, tmp_path: Path) -> None:
    same = with_copies(clips, Copies(0, delay=0.2), sample_rate=SAMPLE_RATE, folder=tmp_path)
    assert same.manifest.clips == clips.manifest.clips and same.files == clips.files
    np.testing.assert_array_equal(same.lengths, clips.lengths)
    np.testing.assert_array_equal(same.read(1, 0, 100), clips.read(1, 0, 100))


def test_amounts_depend_on_the_clip_and_the_seed_alone(clips: Any, tmp_path: Path) -> None:
    copies = Copies(2, delay=0.2)
    all_of_them = with_copies(clips, copies, sample_rate=SAMPLE_RATE, folder=tmp_path)
    train = with_copies(clips.split("train"), copies, sample_rate=SAMPLE_RATE, folder=tmp_path)
    delay_of = {clip.id: int(delay) for clip, delay in zip(all_of_them.manifest.clips, all_of_them.delays, strict=True)}
    assert all(delay_of[clip.id] == delay for clip, delay in zip(train.manifest.clips, train.delays, strict=True))
    other = with_copies(clips, copies, sample_rate=SAMPLE_RATE, seed=1, folder=tmp_path)
    assert not np.array_equal(other.delays, all_of_them.delays)
    # A part of the copies is what a split has of them.
    assert np.array_equal(
        all_of_them.split("train").delays, [delay_of[c.id] for c in all_of_them.split("train").manifest]
    )


def test_amounts_stay_in_their_ranges() -> None:
    copies = Copies(1, delay=1.0, stretch=(0.5, 2.0), pitch=(-3.0, 1.0))
    drawn = [_amounts(f"clip {n}", 0, copies, 22050, 0) for n in range(2000)]
    rates, steps = (np.array([getattr(one, name) for one in drawn]) for name in ("rate", "steps"))
    assert 0.5 <= rates.min() < 0.51 and 1.98 < rates.max() <= 2 and abs(np.log(rates).mean()) < 0.05
    assert -3 <= steps.min() < -2.98 and 0.98 < steps.max() <= 1
    assert {int(one.delay < 22050) for one in drawn} == {1}


def test_stretched_and_shifted_copies_are_librosas_and_made_once(clips: Any, tmp_path: Path, monkeypatch: Any) -> None:
    copies = Copies(1, delay=0.05, stretch=(0.8, 1.25), pitch=(-2.0, 2.0))
    told: list[tuple[int, int]] = []
    more = with_copies(
        clips, copies, sample_rate=SAMPLE_RATE, folder=tmp_path, progress=lambda done, total: told.append((done, total))
    )
    assert told[-1] == (len(clips), len(clips))
    for row, clip in enumerate(clips.manifest.clips):
        amounts = _amounts(clip.id, 0, copies, SAMPLE_RATE, 0)
        waveform = clips.read(row, 0, int(clips.lengths[row]))
        waveform = librosa.effects.time_stretch(waveform, rate=amounts.rate)
        waveform = librosa.effects.pitch_shift(waveform, sr=SAMPLE_RATE, n_steps=amounts.steps)
        place = len(clips) + row
        assert int(more.lengths[place]) == len(waveform) + amounts.delay
        found = more.read(place, amounts.delay, len(waveform))
        np.testing.assert_allclose(found, np.clip(waveform, -1, 1), atol=2 / 32767)

    def fails(*_arguments: Any, **_options: Any) -> None:
        raise AssertionError("made again")

    monkeypatch.setattr(librosa.effects, "time_stretch", fails)
    again = with_copies(clips, copies, sample_rate=SAMPLE_RATE, folder=tmp_path)
    assert again.files == more.files and np.array_equal(again.lengths, more.lengths)


def test_silent_windows_are_neither_trained_on_nor_do_they_vote(tmp_path: Path) -> None:
    import soundfile

    random = np.random.default_rng(0)
    sound = np.concatenate([random.uniform(-1, 1, 4000), np.zeros(8000)])
    for name, waveform in (("a", sound), ("b", 0 * sound), ("c", sound[:2000])):
        soundfile.write(tmp_path / f"{name}.wav", waveform, 4000)
    found = tuple(Clip(tmp_path / f"{name}.wav", ("x",), name) for name in "abc")
    clips = cache_clips(Manifest("some", found, ("x",), False), sample_rate=4000, folder=tmp_path / "cache")
    every = Windows(clips, 4000, 4000, 8)
    assert every.clip_of_window.tolist() == [0, 0, 0, 1, 1, 1, 2]
    heard = Windows(clips, 4000, 4000, 8, sample_rate=4000, silence=-70.0)
    # Of the silent clip all windows are left.
    assert heard.clip_of_window.tolist() == [0, 1, 1, 1, 2]
    assert np.abs(heard.batch(0, 0)[0][0]).max() > 0.9
    crops = Crops(clips, 4000, 5, hop=4000, sample_rate=4000, silence=-70.0)
    assert crops.steps * crops.size == 5
    loud = np.abs(crops.batch(0, 0)[0]).max(axis=1) > 0
    assert loud.sum() == 2
