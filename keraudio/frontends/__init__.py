"""Front ends: functions that return a functional model from waveform to features `(batch, frames, bins[, channels])`.

`FRONT_ENDS` names those that a recipe may ask for; each takes the sample rate in Hz, keyword options, and `samples`.
"""

from collections.abc import Callable

import keras

from keraudio.frontends.adaptive_stft import adaptive_stft
from keraudio.frontends.cqt import cqt
from keraudio.frontends.gafx_a import gafx_a
from keraudio.frontends.gafx_r import gafx_r
from keraudio.frontends.gafx_u import gafx_u
from keraudio.frontends.kaldi_fbank import kaldi_fbank
from keraudio.frontends.leaf import leaf
from keraudio.frontends.log_mel import log_mel
from keraudio.frontends.mfcc import mfcc
from keraudio.frontends.mst import mst
from keraudio.frontends.pcen_mel import pcen_mel
from keraudio.frontends.sincnet import sincnet
from keraudio.frontends.strided_conv import strided_conv

FRONT_ENDS: dict[str, Callable[..., keras.Model]] = {
    "adaptive_stft": adaptive_stft,
    "cqt": cqt,
    "gafx_a": gafx_a,
    "gafx_r": gafx_r,
    "gafx_u": gafx_u,
    "kaldi_fbank": kaldi_fbank,
    "leaf": leaf,
    "log_mel": log_mel,
    "mfcc": mfcc,
    "mst": mst,
    "pcen_mel": pcen_mel,
    "sincnet": sincnet,
    "strided_conv": strided_conv,
}

__all__ = [
    "FRONT_ENDS",
    "adaptive_stft",
    "cqt",
    "gafx_a",
    "gafx_r",
    "gafx_u",
    "kaldi_fbank",
    "leaf",
    "log_mel",
    "mfcc",
    "mst",
    "pcen_mel",
    "sincnet",
    "strided_conv",
]
