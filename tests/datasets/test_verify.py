import shutil
from pathlib import Path
from typing import Any

import pytest

from keraudio.datasets import Clip, Manifest, summary, verify


@pytest.fixture
def manifest(tmp_path: Path, write_tone: Any) -> Manifest:
    write_tone(tmp_path / "tone.wav", peak=0.5, seconds=0.25)
    shutil.copy(tmp_path / "tone.wav", tmp_path / "copy.wav")
    write_tone(tmp_path / "silent.wav", peak=0.0)
    (tmp_path / "text.wav").write_text("no sound")
    names = ("tone", "copy", "silent", "text", "gone")
    return Manifest("made", tuple(Clip(tmp_path / f"{name}.wav", ("a",), name) for name in names), ("a",), False)


def test_every_clip_gets_a_verdict_in_order(manifest: Manifest) -> None:
    verdicts = list(verify(manifest))
    assert [(verdict.id, verdict.ok) for verdict in verdicts] == [
        ("tone", True),
        ("copy", True),
        ("silent", True),
        ("text", False),
        ("gone", False),
    ]


def test_duration_and_peak_are_those_of_the_sound(manifest: Manifest) -> None:
    tone = next(verify(manifest))
    assert tone.duration == 0.25
    # A sine of 440 Hz at 8,000 Hz never falls on its crest exactly; 16-bit rounding adds 2^-16.
    assert tone.peak == pytest.approx(0.5, abs=1e-3)


def test_another_sample_rate_changes_no_duration(manifest: Manifest) -> None:
    assert next(verify(manifest, sample_rate=16000)).duration == pytest.approx(0.25, abs=1 / 16000)


def test_what_cannot_be_decoded_says_why_in_one_line(manifest: Manifest) -> None:
    *_, text, gone = verify(manifest)
    for verdict in (text, gone):
        assert str(verdict.path) in verdict.reason
        assert "\n" not in verdict.reason
        assert verdict.duration is None
        assert verdict.peak is None


def test_a_copy_names_the_first_clip_with_the_same_bytes(manifest: Manifest) -> None:
    assert [verdict.duplicate_of for verdict in verify(manifest)] == [None, "tone", None, None, None]


def test_the_summary_counts_up(manifest: Manifest) -> None:
    result = summary(verify(manifest))
    assert result.clips == 5
    assert result.failed == ("text", "gone")
    assert result.silent == ("silent",)
    assert result.duplicates == (("copy", "tone"),)
    assert result.duration == pytest.approx(0.6)
