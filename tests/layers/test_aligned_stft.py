from functools import partial

import librosa
import numpy as np
import pytest
from layer_checks import LayerCase, array, distance, every_check, run

from keraudio.layers import AlignedISTFT, AlignedSTFT

pytestmark = pytest.mark.backends

# float32 FFTs of 64 samples.
TOLERANCE = 1e-5


@every_check(LayerCase(partial(AlignedSTFT, 16), (40, 2)))
def test_the_layer_keeps_the_contract(check, case, tmp_path) -> None:
    check(case, tmp_path)


@every_check(LayerCase(partial(AlignedISTFT, 38), (10, 8, 4)))
def test_the_inverse_keeps_the_contract(check, case, tmp_path) -> None:
    check(case, tmp_path)


def waveforms(samples: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((2, samples, 2)).astype("float32")


@pytest.mark.parametrize("samples", [160, 161, 175])
def test_it_is_librosas_transform_of_the_reflected_waveform_without_its_outer_frames(samples: int) -> None:
    x = waveforms(samples)
    actual = array(run(AlignedSTFT(64), x))
    frames = -(-samples // 16)
    assert actual.shape == (2, frames, 32, 4)
    for channel in range(2):
        padded = np.pad(x[0, :, channel].astype("float64"), (24, 24 + 16 * frames - samples), mode="reflect")
        spectrum = librosa.stft(padded, n_fft=64, hop_length=16, pad_mode="reflect", dtype="complex128")[:-1, 2:-2] / 8
        expected = np.stack([spectrum.T.real, spectrum.T.imag], axis=-1)
        assert distance(actual[0, :, :, 2 * channel : 2 * channel + 2], expected) < TOLERANCE


@pytest.mark.parametrize("samples", [160, 161, 175])
def test_the_inverse_gives_back_all_but_the_highest_bin_and_the_ends_whose_outer_frames_are_missing(
    samples: int,
) -> None:
    x = waveforms(samples)
    # Nothing near the Nyquist frequency, whose bin is left out.
    x = np.stack([np.apply_along_axis(np.convolve, 1, x[..., n], np.hanning(9) / 4, mode="same") for n in (0, 1)], -1)
    x = x.astype("float32")
    back = array(run(AlignedISTFT(samples), array(run(AlignedSTFT(64), x))))
    inside = slice(48, samples - 48 - 16)
    assert back.shape == x.shape and distance(back[:, inside], x[:, inside]) < 1e-3


def test_shapes_are_hybrid_demucs_of_30_seconds_at_16_khz() -> None:
    assert AlignedSTFT().compute_output_shape((None, 480000, 2)) == (None, 469, 2048, 4)
    assert AlignedISTFT(480000).compute_output_shape((None, 469, 2048, 8)) == (None, 480000, 4)


def test_what_does_not_fit_is_refused() -> None:
    for n_fft in (0, 4, 12):
        with pytest.raises(ValueError, match=f"`n_fft` must be a multiple of 8. Received: n_fft={n_fft}"):
            AlignedSTFT(n_fft)
    with pytest.raises(ValueError, match="more than 40 samples. Received: 40"):
        AlignedSTFT(64)(np.zeros((1, 40, 2), "float32"))
    with pytest.raises(ValueError, match="`length` must be at least 1"):
        AlignedISTFT(0)
    with pytest.raises(ValueError, match="a frame for each 16 samples begun. Received: 9 frames, length=160"):
        AlignedISTFT(160)(np.zeros((1, 9, 32, 4), "float32"))
