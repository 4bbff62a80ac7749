"""Front ends: functions that return a functional model from waveform to features `(batch, frames, bins[, channels])`.

`FRONT_ENDS` names those that a recipe may ask for; each takes the sample rate in Hz, keyword options, and `samples`.
"""

from collections.abc import Callable

import keras

from keraudio.frontends.log_mel import log_mel

FRONT_ENDS: dict[str, Callable[..., keras.Model]] = {"log_mel": log_mel}

__all__ = ["FRONT_ENDS", "log_mel"]
