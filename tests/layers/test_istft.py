from collections.abc import Callable
from functools import partial

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from layer_checks import LayerCase, array, compiled, distance, every_check, run
from scipy.signal import ShortTimeFFT

from keraudio.layers import ISTFT, STFT, kernel_path

pytestmark = pytest.mark.backends

# float32 FFTs both ways, and a division by sums of squared windows that are near 1.
TOLERANCE = 1e-5


def parts(random: np.random.Generator, frames: int, bins: int) -> np.ndarray:
    return random.standard_normal((frames, bins, 2)).astype("float32")


def complex_of(spectrum: np.ndarray) -> np.ndarray:
    """As librosa takes it: complex128, bins before frames."""
    return (spectrum[..., 0] + 1j * spectrum[..., 1].astype("float64")).T


@every_check(
    LayerCase(partial(ISTFT, 4), (9, 9, 2), (2, 3, 9)),
    LayerCase(partial(ISTFT, 5, n_fft=11, win_length=7, center=False), (9, 6, 2, 2), (1, 2, 9)),
    LayerCase(partial(ISTFT, 4, length=30), (9, 9, 2), (1, 9, 12)),
    # Hops that no slice serves, and frames that do not touch.
    LayerCase(partial(ISTFT, 1, center=False), (9, 17, 2), (1, 9)),
    LayerCase(partial(ISTFT, 20, center=False), (4, 9, 2), (1, 4)),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize(
    ("n_fft", "hop_length", "win_length", "window"),
    [(512, 128, 512, "hann"), (511, 100, 401, "hann"), (64, 32, 48, "hamming"), (30, 7, 30, "blackman")],
)
def test_it_equals_librosa_in_float64_also_for_spectra_that_no_signal_has(
    n_fft, hop_length, win_length, window, center
) -> None:
    spectrum = parts(np.random.default_rng(0), 9, 1 + n_fft // 2)
    options = {"hop_length": hop_length, "win_length": win_length, "window": window, "center": center}
    layer = ISTFT(n_fft=n_fft, **options)
    expected = librosa.istft(complex_of(spectrum), n_fft=n_fft, dtype="float64", **options)
    actual = array(run(layer, spectrum[None]))[0]
    # Where few windows reach, the division by their squares raises float32's rounding: there the error is weighed as it
    # stood before.
    squares = librosa.filters.window_sumsquare(
        window=window, n_frames=9, hop_length=hop_length, win_length=win_length, n_fft=n_fft, dtype="float64"
    )
    squares = squares[n_fft // 2 if center else 0 :][: len(expected)]
    weights = np.where(squares > np.finfo("float32").tiny, squares, 1)
    assert distance(actual * weights, expected * weights) < TOLERANCE


@pytest.mark.parametrize("length", [700, 1000, 1500])
def test_a_length_cuts_or_fills_as_librosas(length) -> None:
    spectrum = parts(np.random.default_rng(0), 9, 129)
    expected = librosa.istft(complex_of(spectrum), hop_length=128, length=length, dtype="float64")
    actual = array(run(ISTFT(128, length=length), spectrum[None]))[0]
    # The window's flank at the very end, see above.
    inside = slice(0, 1024 - 8)
    assert actual.shape == expected.shape
    assert distance(actual[inside], expected[inside]) < TOLERANCE


def test_it_undoes_scipys_transform() -> None:
    signal = np.random.default_rng(1).standard_normal(1000)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(128) / 128)
    transform = ShortTimeFFT(window, hop=32, fs=1.0, phase_shift=None)
    # Without a phase shift, SciPy's phases count from the frame's beginning, as here.
    spectrum = transform.stft(signal, p0=0, p1=32)
    ours = np.stack([spectrum.real.T, spectrum.imag.T], axis=-1).astype("float32")
    assert distance(array(run(ISTFT(32, length=990), ours[None]))[0], signal[:990]) < TOLERANCE


@pytest.mark.parametrize(
    ("n_fft", "hop_length", "samples", "window"),
    [(16, 4, 200, "hann"), (33, 8, 1, "hamming"), (40, 5, 31, "blackman")],
)
def test_every_waveform_comes_back_from_its_transform(n_fft, hop_length, samples, window) -> None:
    options = {"n_fft": n_fft, "hop_length": hop_length, "window": window}
    forth, back = STFT(power=None, **options), ISTFT(length=samples, **options)
    both = compiled(lambda tensor: back(forth(tensor)))

    @settings(max_examples=10, deadline=None)
    @given(x=hnp.arrays("float32", (1, samples), elements=st.floats(-1, 1, width=32)))
    def holds(x) -> None:
        assert np.max(np.abs(array(both(x)) - x)) < TOLERANCE

    holds()


def test_channels_come_back_each_by_itself() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (2, 300, 3)).astype("float32")
    spectrum = STFT(64, 16, power=None)(x)
    assert distance(ISTFT(16, length=300)(spectrum), x) < TOLERANCE


def test_matrix_products_give_what_the_fft_gives() -> None:
    for n_fft in (64, 63):
        spectrum = parts(np.random.default_rng(0), 9, 1 + n_fft // 2)[None]
        layer = ISTFT(16, n_fft=n_fft, window="hamming")
        expected = array(run(layer, spectrum))
        with kernel_path():
            assert distance(run(layer, spectrum), expected) < TOLERANCE


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"hop_length": 0}, "`hop_length` must be at least 1. Received: hop_length=0"),
        ({"n_fft": 0}, "`n_fft` must be at least 1. Received: n_fft=0"),
        ({"length": 0}, "`length` must be at least 1. Received: length=0"),
        ({"n_fft": 8, "win_length": 9}, "`win_length` must be between 1 and `n_fft`. Received: win_length=9, n_fft=8"),
        ({"window": "kaiser"}, "`window` must be one of hann, "),
    ],
)
def test_wrong_arguments_are_named(options, rule) -> None:
    with pytest.raises(ValueError) as caught:
        ISTFT(**options)
    assert rule in str(caught.value)


@pytest.mark.parametrize("shape", [(1, 4, 17, 3), (1, 4, 17), (1, 4, 1, 2)])
def test_a_spectrum_without_parts_or_bins_is_refused(shape) -> None:
    with pytest.raises(ValueError, match=r"The input must have 1 \+ n_fft // 2 bins, and 2 parts at the end. Received"):
        ISTFT(4)(np.zeros(shape, "float32"))
