import librosa
import numpy as np
import pytest

from keraudio.audio import audible_windows

RATE = 22050


def windows(*levels: float) -> np.ndarray:
    """A second of noise at each level in decibels of full scale."""
    noise = np.random.default_rng(0).uniform(-1, 1, (len(levels), RATE))
    return (noise * 10 ** (np.array(levels)[:, None] / 20)).astype("float32")


def mean_level(window: np.ndarray, peak: float) -> float:
    """Piczak's measure, in float64 and by librosa's own decibels."""
    mel = librosa.feature.melspectrogram(
        y=window.astype("float64") / peak, sr=RATE, n_fft=1024, hop_length=512, n_mels=60
    )
    return float(librosa.power_to_db(mel, ref=1.0, amin=1e-10, top_db=None).mean())


@pytest.mark.parametrize("margin", [-0.5, 0.5])
def test_windows_at_or_below_the_threshold_are_silent(margin: float) -> None:
    some = windows(0, -40, -60)
    peak = float(np.abs(some).max())
    quietest = mean_level(some[2], peak)
    found = audible_windows(some, sample_rate=RATE, threshold=quietest + margin)
    assert found.tolist() == [True, True, margin < 0]


def test_how_loud_a_clip_is_says_nothing() -> None:
    some = windows(0, -90)
    for gain in (1.0, 1e-3):
        assert audible_windows(some * np.float32(gain), sample_rate=RATE, threshold=-70.0).tolist() == [True, False]


def test_something_is_always_left() -> None:
    nothing = np.zeros((3, 4000), "float32")
    click = nothing.copy()
    click[:, 0] = 1e-30
    for clip in (nothing, click):
        assert audible_windows(clip, sample_rate=RATE, threshold=-70.0).all()
    assert audible_windows(windows(0, -200), sample_rate=RATE, threshold=None).all()


def test_a_window_shorter_than_a_frame_is_measured(recwarn: pytest.WarningsRecorder) -> None:
    some = np.stack([np.ones(100), np.zeros(100)]).astype("float32")
    assert audible_windows(some, sample_rate=RATE, threshold=-70.0).tolist() == [True, False]
    assert not recwarn.list
