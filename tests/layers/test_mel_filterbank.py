from collections.abc import Callable
from functools import partial

import keras
import librosa
import numpy as np
import pytest
from layer_checks import LayerCase, array, distance, every_check

from keraudio.layers import MelFilterbank
from keraudio.layers.mel_filterbank import band_groups, hz_to_mel, mel_matrix, mel_to_hz

pytestmark = pytest.mark.backends


@every_check(
    LayerCase(partial(MelFilterbank, 8000, 7), (6, 33), (1, 2, 6), weights=1, positive=True),
    LayerCase(
        partial(MelFilterbank, 8000, 5, n_fft=31, htk=True, norm=None), (6, 16, 2), (1, 6), weights=1, positive=True
    ),
    # Wide enough to be summed in groups.
    LayerCase(partial(MelFilterbank, 22050, 64), (6, 257), (1, 6), weights=1, positive=True),
    LayerCase(partial(MelFilterbank, 8000, 7, learnable=True), (6, 33, 2), (6,), weights=1, trainable=1, positive=True),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


def test_slopes_in_mels_are_straight_there_and_bands_add_up_to_one() -> None:
    options = {"n_mels": 10, "fmin": 100.0, "fmax": 4000.0, "htk": True, "norm": None}
    matrix = mel_matrix(8000, 2048, slopes="mel", **options)
    mels = 1127 * np.log1p(np.arange(1025) * 8000 / 2048 / 700)
    corners = np.linspace(*(1127 * np.log1p(np.array([100.0, 4000.0]) / 700)), 12)
    for band in range(10):
        expected = np.interp(mels, corners[band : band + 3], [0, 1, 0])
        # Of HTK's rounded factors.
        np.testing.assert_allclose(matrix[:, band], expected, atol=1e-5)
    inside = (mels > corners[1]) & (mels < corners[-2])
    np.testing.assert_allclose(matrix[inside].sum(axis=1), 1)
    assert np.abs(matrix - mel_matrix(8000, 2048, **options)).max() > 0.01


@pytest.mark.parametrize("norm", ["slaney", None])
@pytest.mark.parametrize("htk", [False, True])
@pytest.mark.parametrize(
    ("sample_rate", "n_fft", "n_mels", "fmin", "fmax"),
    [
        (22050, 1024, 128, 0.0, 11025.0),
        (16000, 512, 96, 0.0, 8000.0),
        (44100, 2048, 60, 20.0, 20000.0),
        (16000, 401, 40, 60.0, 7800.0),
        (8000, 64, 1, 0.0, 4000.0),
        # More bands than bins leave some empty.
        (22050, 256, 256, 0.0, 11025.0),
    ],
)
@pytest.mark.filterwarnings("ignore:Empty filters detected")
def test_the_matrix_equals_librosas_in_float64(sample_rate, n_fft, n_mels, fmin, fmax, htk, norm) -> None:
    expected = librosa.filters.mel(
        sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax, htk=htk, norm=norm, dtype="float64"
    )
    actual = mel_matrix(sample_rate, n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax, htk=htk, norm=norm)
    assert actual.dtype == np.float64
    np.testing.assert_allclose(actual.T, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("htk", [False, True])
def test_mels_and_hertz_equal_librosas_and_undo_each_other(htk) -> None:
    frequencies = np.concatenate([np.linspace(0, 24000, 997), [999.999, 1000, 1000.001]])
    mels = hz_to_mel(frequencies, htk=htk)
    np.testing.assert_allclose(mels, librosa.hz_to_mel(frequencies, htk=htk), rtol=1e-13)
    np.testing.assert_allclose(mel_to_hz(mels, htk=htk), frequencies, rtol=1e-12, atol=1e-9)


def test_known_points_of_both_scales() -> None:
    # Slaney: 1 kHz is mel 15, and a factor of 6.4 above it 27 mels more. HTK: 1 kHz is 1000 mels to 0.02.
    assert hz_to_mel(np.array(1000.0), htk=False) == pytest.approx(15)
    assert hz_to_mel(np.array(6400.0), htk=False) == pytest.approx(42)
    assert hz_to_mel(np.array(1000.0), htk=True) == pytest.approx(1000, abs=0.02)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_bands_are_sums_of_bins_weighted_by_librosas_filters(channels) -> None:
    x = np.random.default_rng(0).uniform(0, 100, (2, 9, 513, *channels)).astype("float32")
    filters = librosa.filters.mel(sr=22050, n_fft=1024, n_mels=64, dtype="float64")
    expected = np.einsum("btf...,mf->btm...", x.astype("float64"), filters)
    # Sums of 513 float32 products.
    assert distance(MelFilterbank(22050, 64)(x), expected) < 1e-6


@pytest.mark.parametrize(("bins", "n_mels", "fmin"), [(257, 64, 0.0), (513, 128, 300.0), (129, 300, 0.0), (33, 8, 0.0)])
def test_groups_cover_every_weight_once_and_save_most_of_the_product(bins, n_mels, fmin) -> None:
    matrix = mel_matrix(22050, 2 * (bins - 1), n_mels=n_mels, fmin=fmin, fmax=11025, htk=False, norm=None)
    covered = np.zeros(matrix.shape, dtype=int)
    for group in band_groups(matrix):
        covered[group] += 1
    assert (covered[matrix > 0] == 1).all()
    assert covered.max() == 1
    assert covered.mean() < 0.45 or matrix.size < 2**14


def test_learned_filters_stay_at_zero_or_above_and_may_reach_bins_that_they_did_not() -> None:
    x = np.random.default_rng(0).uniform(0, 1, (4, 5, 33)).astype("float32")
    layer = MelFilterbank(8000, 6, learnable=True)
    model = keras.Sequential([keras.Input((5, 33)), layer])
    before = array(layer.filters.value)
    model.compile(keras.optimizers.Adam(0.1), "mse")
    model.train_on_batch(x, np.zeros((4, 5, 6), "float32"))
    assert (array(layer.filters.value) <= before).all()
    assert array(layer.filters.value).min() == 0
    model.train_on_batch(x, np.full((4, 5, 6), 100, "float32"))
    # The output sees the whole matrix: no group cuts off what was zero at the start.
    layer.filters.assign(np.ones((33, 6)))
    np.testing.assert_allclose(array(layer(x))[..., 0], x.sum(axis=2), rtol=1e-5)


def test_filters_of_norm_none_peak_at_one_and_those_of_slaney_have_equal_area() -> None:
    options = {"n_mels": 20, "fmin": 0.0, "fmax": 4000.0, "htk": False}
    step = 8000 / 2**16
    plain = mel_matrix(8000, 2**16, norm=None, **options)
    assert plain.max(axis=0) == pytest.approx(1, abs=1e-2)
    assert mel_matrix(8000, 2**16, norm="slaney", **options).sum(axis=0) * step == pytest.approx(1, rel=1e-3)


def test_a_reloaded_filterbank_takes_its_matrix_from_the_file_and_trains_nothing(tmp_path) -> None:
    layer = MelFilterbank(8000, 4)
    layer.build((None, None, 17))
    assert [weight.trainable for weight in layer.weights] == [False]
    np.testing.assert_array_equal(
        array(layer.filters),
        mel_matrix(8000, 32, n_mels=4, fmin=0, fmax=4000, htk=False, norm="slaney").astype("float32"),
    )


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"sample_rate": 0}, "`fmin` and `fmax` must|`sample_rate` must be positive. Received: sample_rate=0"),
        ({"n_mels": 0}, "`n_mels` must be at least 1. Received: n_mels=0"),
        ({"fmax": 4001.0}, "0 <= fmin < fmax <= sample_rate / 2. Received: fmin=0.0, fmax=4001.0, sample_rate=8000"),
        ({"fmin": 4000.0}, "0 <= fmin < fmax"),
        ({"fmin": -1.0}, "0 <= fmin < fmax"),
        ({"norm": "l1"}, "`norm` must be 'slaney' or None. Received: norm='l1'"),
        ({"slopes": "bark"}, "`slopes` must be 'hz' or 'mel'. Received: slopes='bark'"),
    ],
)
def test_wrong_arguments_are_named(options, rule) -> None:
    with pytest.raises(ValueError, match=rule):
        MelFilterbank(**{"sample_rate": 8000, **options})


@pytest.mark.parametrize(("bins", "n_fft"), [(17, 31), (1, None), (16, 32)])
def test_bins_that_do_not_belong_to_the_transform_are_refused(bins, n_fft) -> None:
    with pytest.raises(ValueError, match=r"The input must have 1 \+ n_fft // 2 bins. Received: n_fft="):
        MelFilterbank(8000, 4, n_fft=n_fft)(np.ones((1, 2, bins), "float32"))
