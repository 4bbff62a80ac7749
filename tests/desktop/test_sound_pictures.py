import numpy as np
import pytest
from keraudio_desktop.sound_pictures import mel_picture, waveform_outline

pytestmark = pytest.mark.backends


def tone(frequency: float, seconds: float, rate: int = 8000) -> np.ndarray:
    return np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate).astype("float32")


def test_an_outline_holds_the_lowest_and_highest_sample_of_each_stretch() -> None:
    waveform = np.concatenate([np.full(50, 0.5), np.full(50, -0.25), [0.9], np.zeros(99)]).astype("float32")
    outline = waveform_outline(waveform, 4)
    np.testing.assert_allclose(outline, [[0.5, 0.5], [-0.25, -0.25], [0.0, 0.9], [0.0, 0.0]])
    assert waveform_outline(waveform[:3], 600).shape == (3, 2)


def test_a_mel_picture_is_bright_where_the_tone_is() -> None:
    waveform = np.concatenate([tone(200, 4.0), tone(3000, 4.0)])
    picture = mel_picture(waveform, 8000, 100)
    assert picture.shape == (64, 100) and picture.dtype == np.uint8 and picture.max() == 255
    rows = picture.argmax(axis=0)
    # Low bands are in the last rows.
    assert (rows[5:45] > 50).all() and (rows[55:95] < 12).all()


@pytest.mark.parametrize("seconds", [0.001, 70.0])
def test_blocks_do_not_show(seconds: float) -> None:
    picture = mel_picture(tone(440, seconds), 8000, 50)
    assert picture.shape[1] == (1 if seconds < 1 else 50)
    # A steady tone is the same all along, across the border between two blocks too.
    assert len(set(picture[:, 1:-1].argmax(axis=0).tolist())) <= 1
