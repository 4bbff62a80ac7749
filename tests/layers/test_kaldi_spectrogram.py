from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from layer_checks import LayerCase, distance, every_check, run
from scipy.signal import get_window, lfilter

from keraudio.layers import KaldiSpectrogram, kernel_path

pytestmark = pytest.mark.backends


@every_check(
    LayerCase(partial(KaldiSpectrogram, 20, 8), (100,), (1, 20, 60, 100)),
    LayerCase(partial(KaldiSpectrogram, 16, 16, preemphasis=0.0), (64,), (16, 64)),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


def reference(x: np.ndarray, length: int, hop: int, preemphasis: float) -> np.ndarray:
    """Kaldi's steps, frame by frame in float64; SciPy emphasizes and gives the window."""
    n_fft = 32 if length <= 32 else 512
    rows = []
    for start in range(0, len(x) - length + 1, hop):
        frame = x[start : start + length].astype("float64")
        frame = frame - frame.mean()
        # The filter's memory before the frame is as if its first sample had always been.
        frame = lfilter([1, -preemphasis], [1], frame, zi=[-preemphasis * frame[0]])[0]
        rows.append(np.abs(np.fft.rfft(frame * get_window("hann", length, fftbins=False), n_fft)) ** 2)
    return np.stack(rows)


@pytest.mark.parametrize(("length", "hop", "preemphasis"), [(400, 160, 0.97), (20, 7, 0.5), (32, 32, 0.0)])
def test_power_is_kaldis(length: int, hop: int, preemphasis: float) -> None:
    x = np.random.default_rng(0).standard_normal(3000).astype("float32") + np.float32(2)
    layer = KaldiSpectrogram(length, hop, preemphasis=preemphasis)
    expected = reference(x, length, hop, preemphasis)
    assert distance(run(layer, x[None])[0], expected) < 1e-5
    with kernel_path():
        assert distance(run(layer, x[None])[0], expected) < 1e-4


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"win_length": 1}, "`win_length` must be at least 2 .*. Received: win_length=1, hop_length=160"),
        ({"hop_length": 0}, "`hop_length` at least 1. Received: win_length=400, hop_length=0"),
        ({"preemphasis": 1.1}, "`preemphasis` must be between 0 and 1. Received: preemphasis=1.1"),
    ],
)
def test_wrong_arguments_are_named(options, rule) -> None:
    with pytest.raises(ValueError, match=rule):
        KaldiSpectrogram(**options)
