"""Where Keras' own spectrogram layers and operations go wrong, ours must not.

Comments give what `STFTSpectrogram`, `MelSpectrogram`, `keras.ops.stft` and `istft` of Keras 3.15.1 gave for the same
input; shares are of the peak.
"""

import keras
import librosa
import numpy as np
import pytest
from layer_checks import array, distance, gradient, run
from scipy.signal import get_window

from keraudio.frontends import FRONT_ENDS, log_mel
from keraudio.layers import ISTFT, STFT, Decibels

pytestmark = pytest.mark.backends

# float32 FFTs; the truth is librosa in float64.
FFT_TOLERANCE = 1e-5
NOISE = np.random.default_rng(0).uniform(-1, 1, (1, 16000)).astype("float32")


def magnitudes(n_fft: int, **options) -> np.ndarray:
    """librosa's magnitudes of `NOISE` in float64, frames before bins."""
    return np.abs(librosa.stft(NOISE[0].astype("float64"), n_fft=n_fft, dtype="complex128", **options)).T


@pytest.mark.parametrize("n_fft", [401, 511, 551])
def test_an_odd_transform_is_as_exact_as_an_even_one(n_fft) -> None:
    # Keras: off by 0.34 of the peak at 401, by 0.40 at 511.
    assert distance(run(STFT(n_fft, 128), NOISE)[0], magnitudes(n_fft, hop_length=128)) < FFT_TOLERANCE


@pytest.mark.parametrize("win_length", [401, 511, 551])
def test_an_odd_window_within_an_even_transform_is_exact(win_length) -> None:
    # `keras.ops.stft` on TensorFlow: off by 0.005 of the peak at 401, by 0.003 at 511 and 551.
    expected = magnitudes(1024, win_length=win_length, hop_length=128)
    assert distance(run(STFT(1024, 128, win_length=win_length), NOISE)[0], expected) < FFT_TOLERANCE


def test_the_error_stays_small_however_large_the_transform() -> None:
    # Keras: 1.4e-5 of the peak at 512, and twice that for each doubling, up to 1.2e-4 at 4096.
    for n_fft in (512, 1024, 2048, 4096):
        assert distance(run(STFT(n_fft), NOISE)[0], magnitudes(n_fft, hop_length=n_fft // 4)) < FFT_TOLERANCE, n_fft


def test_a_tone_120_db_below_full_scale_is_seen_beside_it() -> None:
    # Keras: -112 dB, its rounding. A periodic Hann window is zero two bins from a tone that lies on a bin.
    time = np.arange(4096)
    loud, faint = (np.cos(2 * np.pi * bin_of_tone * time / 512) for bin_of_tone in (40, 200))
    x = (loud + 1e-6 * faint).astype("float32")[None]
    stft, decibels = STFT(512, 128, center=False), Decibels(1, ref="max", amin=1e-30, top_db=None)
    levels = array(run(lambda tensor: decibels(stft(tensor)), x))[0]
    # float32 rounds the waveform itself to 3e-8, which adds up to about -150 dB in a bin: 0.3 dB of -120.
    np.testing.assert_allclose(levels[:, 200], -120, atol=0.3)
    np.testing.assert_array_less(levels[:, 100:180], -140)


def test_a_window_shorter_than_the_transform_stands_in_its_middle() -> None:
    # Keras: the window stands at the beginning of the frame and zeros after it, 0.42 of the peak off.
    expected = magnitudes(512, win_length=400, hop_length=128)
    assert distance(run(STFT(512, 128, win_length=400), NOISE)[0], expected) < FFT_TOLERANCE


def test_windows_are_periodic_unless_told_otherwise() -> None:
    # Keras: symmetric. Hops of one sample carry an impulse through every sample of the window.
    impulse = np.zeros((1, 16), "float32")
    impulse[0, 8] = 1
    window = array(run(STFT(8, 1, center=False), impulse))[0, 1:, 0][::-1]
    np.testing.assert_allclose(window, get_window("hann", 8, fftbins=True), atol=1e-6)


def test_the_range_in_decibels_is_each_example_s_own() -> None:
    # Keras: the loud neighbour raised the floor of the quiet clip by 25 dB.
    front_end = log_mel(16000, n_fft=512, hop_length=128, n_mels=40, top_db=20.0)
    quiet = 1e-4 * NOISE[:, :4000]
    together = array(run(front_end, np.concatenate([quiet, NOISE[:, :4000]])))
    # A matrix product of another height adds up in another order: 1e-6 of a band, in dB.
    np.testing.assert_allclose(together[:1], array(run(front_end, quiet)), rtol=0, atol=2e-5)


def test_silence_has_a_gradient() -> None:
    # Keras: NaN on JAX and torch.
    for power in (1.0, 2.0):
        slopes = gradient(log_mel(16000, n_fft=64, hop_length=16, n_mels=8, power=power), np.zeros((1, 200), "float32"))
        assert np.isfinite(slopes).all()


@pytest.mark.parametrize("norm", ["slaney", None])
@pytest.mark.parametrize("htk", [False, True])
def test_mel_bands_are_slaney_s_and_htk_s(htk, norm) -> None:
    # Keras: HTK's alone, 0.008 of the peak off librosa's.
    options = {"n_fft": 512, "hop_length": 128, "n_mels": 40, "fmin": 20.0, "fmax": 8000.0, "htk": htk, "norm": norm}
    mel = librosa.feature.melspectrogram(y=NOISE[0].astype("float64"), sr=16000, dtype="float64", **options)
    result = run(log_mel(16000, compression="log", scale=1.0, **options), NOISE)[0]
    assert distance(result, np.log1p(mel.T)) < FFT_TOLERANCE


def test_shapes_are_foretold_at_every_length_from_one_sample_to_three_frames() -> None:
    # Keras: one frame too many at every fifth length (fft_length 16, stride 5), and an error below half a frame.
    lengths = range(1, 3 * 5 + 1)
    for layer in (STFT(5, 2), STFT(5, 2, center=False)):
        # All at once: JAX would compile each length by itself.
        spectra = run(lambda x, layer=layer: [layer(x[:, :samples]) for samples in lengths], NOISE[:, :15])
        foretold = [tuple(layer.compute_output_shape((1, samples))) for samples in lengths]
        assert foretold == [tuple(spectrum.shape) for spectrum in spectra]


@pytest.mark.parametrize("pad_mode", ["constant", "reflect"])
@pytest.mark.parametrize("samples", [1, 2, 31])
def test_a_clip_shorter_than_half_a_frame_is_one_frame(samples, pad_mode) -> None:
    # Keras: an error on TensorFlow and torch, which cannot reflect so far.
    x = NOISE[:, :samples]
    frame = np.pad(x[0], 32, mode=pad_mode) if samples > 1 or pad_mode == "constant" else np.full(65, x[0, 0])
    expected = np.abs(np.fft.rfft(frame[:64] * get_window("hann", 64)))
    magnitude = array(run(STFT(64, 64, pad_mode=pad_mode), x))
    assert magnitude.shape == (1, 1, 33)
    assert distance(magnitude[0, 0], expected) < FFT_TOLERANCE


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_no_complex_tensor_leaves_a_layer(name) -> None:
    # Keras 3 casts what passes between layers to the policy's dtype, which drops the imaginary part.
    for layer in FRONT_ENDS[name](8000, samples=4000).layers:
        for output in keras.tree.flatten(layer.output):
            assert "complex" not in keras.backend.standardize_dtype(output.dtype), layer.name
    parts = run(STFT(64, power=None), NOISE)
    assert parts.shape[-1] == 2 and keras.backend.standardize_dtype(parts.dtype) == "float32"


@pytest.mark.parametrize(("n_fft", "hop_length", "win_length"), [(512, 128, 512), (511, 128, 400)])
def test_the_inverse_gives_the_waveform_back_to_its_ends(n_fft, hop_length, win_length) -> None:
    # `keras.ops.istft` on TensorFlow: 0.15 off at the ends, at 512/128.
    options = {"n_fft": n_fft, "win_length": win_length}
    x = NOISE[:, :4000]
    there = STFT(hop_length=hop_length, power=None, **options)
    back = ISTFT(hop_length, length=4000, **options)
    again = array(run(lambda tensor: back(there(tensor)), x))
    # The last hop is half covered at worst, where rounding is divided by a window's tail.
    np.testing.assert_allclose(again, x, rtol=0, atol=FFT_TOLERANCE)
