"""Sounds made by rule, to try a learned transform on what it was not trained on."""

import numpy as np
from numpy.typing import NDArray

_TONES = (250.0, 1000.0, 4000.0)
# First three formants in Hz of the vowels of "father", "see" and "boot" (Peterson & Barney 1952, men).
_VOWELS = ((730.0, 1090.0, 2440.0), (270.0, 2290.0, 3010.0), (300.0, 870.0, 2240.0))
_PITCH = 120.0
# A minor, F major, C major and G major, in semitones above 220 Hz.
_CHORDS = ((0, 3, 7), (-4, 0, 3), (-9, -5, -2), (-2, 2, 5))
_PARTIALS = 6


def probe_signals(sample_rate: int, samples: int) -> dict[str, NDArray[np.float32]]:
    """Pure tones, a sweep, vowels like those of speech, and chords like those of music.

    Args:
        sample_rate: in Hz; tones at or above half of it are left out.
        samples: length of each.

    Returns:
        By name, float32 `(samples,)` with a peak of 1.

    >>> sorted(probe_signals(8000, 4000))
    ['chords', 'sweep', 'tone of 1000 Hz', 'tone of 250 Hz', 'vowels']
    """
    from scipy import signal

    time = np.arange(samples) / sample_rate
    tones = [frequency for frequency in _TONES if frequency < sample_rate / 2]
    sounds = {f"tone of {frequency:.0f} Hz": np.sin(2 * np.pi * frequency * time) for frequency in tones}
    duration = max(samples, 2) / sample_rate
    sounds["sweep"] = signal.chirp(time, 50.0, duration, 0.45 * sample_rate, method="logarithmic")
    sounds["vowels"] = _vowels(time, sample_rate)
    sounds["chords"] = _chords(time, sample_rate)
    # Of a few samples all may be zero.
    peaks = {name: np.abs(sound).max(initial=0.0) or 1.0 for name, sound in sounds.items()}
    return {name: (sound / peaks[name]).astype("float32") for name, sound in sounds.items()}


def _vowels(time: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64]:
    """Pulses through resonators, a vowel after the other, with the pitch falling as in a statement."""
    from scipy import signal

    phase = np.cumsum(_PITCH * (1.15 - 0.3 * time / max(time[-1], 1e-9))) / sample_rate
    pulses = np.diff(np.floor(phase), prepend=-1.0)
    spoken = np.zeros_like(time)
    for place, part in enumerate(np.array_split(np.arange(len(time)), len(_VOWELS))):
        voice = pulses[part]
        for formant in _VOWELS[place]:
            if formant < sample_rate / 2:
                voice = signal.lfilter(*signal.iirpeak(formant, formant / 80.0, fs=sample_rate), voice) + 0.05 * voice
        spoken[part] = voice / max(np.abs(voice).max(initial=0.0), 1e-9)
    return spoken


def _chords(time: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64]:
    """Plucked chords of decaying partials."""
    music = np.zeros_like(time)
    for place, part in enumerate(np.array_split(np.arange(len(time)), len(_CHORDS))):
        since = time[part] - time[part[0]] if len(part) else time[part]
        for semitones in _CHORDS[place]:
            pitch = 220.0 * 2 ** (semitones / 12)
            for partial in range(1, _PARTIALS + 1):
                if partial * pitch < sample_rate / 2:
                    music[part] += np.exp(-3 * partial * since) * np.sin(2 * np.pi * partial * pitch * since) / partial
    return music
