"""Options that make each front end small, and let it learn what it may."""

SMALL_MEL = {"n_fft": 256, "hop_length": 128, "n_mels": 32}
# Three spectral layers, of which the last merges, and one along time with LSTMs and attention.
SMALL_DEMUCS = {
    "channels": 4,
    "n_fft": 256,
    "depth": 4,
    "dconv_starts": 3,
    "norm_starts": 2,
    "norm_groups": 2,
    "heads": 2,
}
# One layer along frequency, one that merges it, one along time, each with one branch in its `DConv`.
TINY_DEMUCS = SMALL_DEMUCS | {"n_fft": 64, "depth": 3, "dconv_depth": 1, "dconv_starts": 2}
SMALL_FRONT_ENDS = {
    "adaptive_stft": SMALL_MEL,
    "gafx_a": {"row": 20, "stages": [64, 32], "width": 0.125, "channels": 8, "blocks": 1, "heads": 2},
    "gafx_r": {"row": 20, "stages": [64, 32], "width": 0.125},
    "gafx_u": {"sources": 2, "bands": 16, "sizes": TINY_DEMUCS},
    "leaf": {"filters": 8, "kernel_size": 65},
    "log_mel": {**SMALL_MEL, "learnable": True},
    "mfcc": {**SMALL_MEL, "n_mfcc": 13},
    "pcen_mel": {**SMALL_MEL, "learnable": True},
    "sincnet": {"filters": 8, "kernel_size": 65},
    "strided_conv": {"filters": 16},
}
