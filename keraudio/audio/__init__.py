"""Audio files as float32 waveforms: finding, decoding, resampling and cutting into windows, without any backend."""

from keraudio.audio.decode import load_audio, probe
from keraudio.audio.find import AUDIO_SUFFIXES, find_audio
from keraudio.audio.probes import probe_signals
from keraudio.audio.silence import audible_windows
from keraudio.audio.sound import AudioInfo
from keraudio.audio.windows import cut_windows, read_windows, window_starts

__all__ = [
    "AUDIO_SUFFIXES",
    "AudioInfo",
    "audible_windows",
    "cut_windows",
    "find_audio",
    "load_audio",
    "probe",
    "probe_signals",
    "read_windows",
    "window_starts",
]
