from collections.abc import Callable

import librosa
import numpy as np
import pytest
from layer_checks import LayerCase, array, every_check, gradient, run

from keraudio.layers import STFT, Phase

pytestmark = pytest.mark.backends


@every_check(
    LayerCase(Phase, (6, 5, 2), (1, 6)),
    LayerCase(Phase, (6, 5, 3, 2), (1, 6)),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


def test_it_is_the_phase_of_librosas_transform_in_float64() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (1, 2000)).astype("float32")
    expected = np.angle(librosa.stft(x[0].astype("float64"), n_fft=256, hop_length=64, dtype="complex128").T)
    stft, phase = STFT(256, 64, power=None), Phase()
    actual = array(run(lambda tensor: phase(stft(tensor)), x))[0]
    # Around the circle; the weakest of 4,000 bins carry float32's rounding of the others.
    assert np.abs(np.angle(np.exp(1j * (actual - expected)))).max() < 2e-3
    assert np.abs(np.angle(np.exp(1j * (actual - expected)))).mean() < 2e-6


def test_values_by_hand_in_all_quarters_and_at_silence() -> None:
    parts = np.array([[[1, 0], [0, 1], [-1, 0], [0, -1], [1, 1], [-1, -1], [0, 0], [1e-13, 1e-13]]], "float32")
    expected = np.pi * np.array([[0, 0.5, 1, -0.5, 0.25, -0.75, 0, 0]])
    np.testing.assert_allclose(array(Phase()(parts)), expected, atol=1e-6)
    assert not gradient(Phase(), np.zeros((1, 3, 2), "float32")).any()


def test_an_input_without_two_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="The input must have 2 parts at the end. Received: input_shape="):
        Phase()(np.zeros((1, 4, 3), "float32"))
