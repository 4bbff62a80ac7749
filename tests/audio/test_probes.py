import numpy as np
import pytest

from keraudio.audio import probe_signals


@pytest.mark.parametrize("rate", [4000, 22050])
def test_sounds_have_a_peak_of_one_and_tones_their_pitch(rate: int) -> None:
    sounds = probe_signals(rate, 2 * rate)
    for name, sound in sounds.items():
        assert sound.dtype == np.float32 and sound.shape == (2 * rate,) and np.abs(sound).max() == 1
        if name.startswith("tone"):
            assert np.abs(np.fft.rfft(sound)).argmax() / 2 == float(name.split()[2])
    assert ("tone of 4000 Hz" in sounds) == (rate > 8000)
    # Three vowels differ in where they are loudest, chords in their fundamental.
    parts = [np.abs(np.fft.rfft(part)).argmax() for part in np.array_split(sounds["vowels"], 3)]
    assert len(set(parts)) > 1
    assert len({int(np.abs(np.fft.rfft(part)).argmax()) for part in np.array_split(sounds["chords"], 4)}) > 1


@pytest.mark.parametrize("samples", [1, 2, 3, 10])
def test_short_sounds_are_finite(samples: int) -> None:
    for name, sound in probe_signals(22050, samples).items():
        assert sound.shape == (samples,) and np.isfinite(sound).all(), name
