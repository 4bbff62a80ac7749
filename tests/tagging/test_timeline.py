from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from command_line import write_song
from tones import SAMPLE_RATE, WINDOW, tone_classifier

from keraudio import AudioError
from keraudio.tagging import hear_timeline, predict_files

pytestmark = pytest.mark.backends


@pytest.fixture(scope="module")
def model() -> Any:
    return tone_classifier()


def test_the_mean_over_the_windows_is_what_the_vote_gives(model: Any, tmp_path: Path) -> None:
    song = write_song(tmp_path / "a.wav", seconds=9.0)
    timeline = hear_timeline(model, model.description, song, windows=10)
    (prediction,) = predict_files(model, [song], windows=10)
    assert timeline.labels == prediction.labels and timeline.probabilities.shape == (10, 2)
    np.testing.assert_allclose(timeline.probabilities.mean(axis=0), prediction.probabilities, atol=1e-6)


def test_windows_and_sound_stand_on_the_songs_own_clock(model: Any, tmp_path: Path) -> None:
    song = write_song(tmp_path / "a.wav", seconds=9.0)
    timeline = hear_timeline(model, model.description, song, windows=5)
    assert timeline.duration == 9.0 and timeline.window == WINDOW / SAMPLE_RATE
    assert timeline.starts[0] == 0.0 and timeline.starts[-1] == 9.0 - timeline.window
    assert (np.diff(timeline.starts) > 0).all()
    np.testing.assert_allclose(timeline.waveform, soundfile.read(song, dtype="float32")[0], atol=2e-6)


def test_silent_windows_have_no_answer_where_the_model_leaves_them_out(model: Any, tmp_path: Path) -> None:
    sound = np.zeros(5 * WINDOW, "float32")
    sound[:WINDOW] = np.random.default_rng(0).uniform(-0.5, 0.5, WINDOW)
    soundfile.write(tmp_path / "a.wav", sound, SAMPLE_RATE)
    description = model.description.model_copy(update={"silence": -70.0})
    timeline = hear_timeline(model, description, tmp_path / "a.wav")
    assert (timeline.probabilities.sum(axis=1) > 0).tolist() == [True, True] + [False] * 7


def test_of_a_long_song_the_beginning_is_heard(model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keraudio.tagging.timeline.LONGEST", 2.0)
    timeline = hear_timeline(model, model.description, write_song(tmp_path / "a.wav", seconds=5.0))
    assert timeline.duration == 5.0 and len(timeline.waveform) == 2 * SAMPLE_RATE
    assert timeline.starts[-1] + timeline.window <= 2.0


def test_a_file_that_cannot_be_read_is_an_error_in_one_line(model: Any, tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    with pytest.raises(AudioError, match="is empty"):
        hear_timeline(model, model.description, tmp_path / "a.wav")
