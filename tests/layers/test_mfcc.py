from collections.abc import Callable
from functools import partial

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_checks import LayerCase, array, distance, every_check
from scipy.fft import dct

from keraudio.layers import MFCC
from keraudio.layers.mfcc import cosine_matrix

pytestmark = pytest.mark.backends


def decibels(shape: tuple[int, ...] = (2, 7, 40)) -> np.ndarray:
    return np.random.default_rng(0).uniform(-80, 0, shape).astype("float32")


@every_check(
    LayerCase(partial(MFCC, 5), (6, 12), (1, 2, 6), weights=1, follows_policy=True),
    LayerCase(partial(MFCC, 7, dct_type=3, norm=None, lifter=4), (6, 7, 2), (1, 6), weights=1, follows_policy=True),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


@pytest.mark.parametrize("norm", ["ortho", None])
@pytest.mark.parametrize("dct_type", [1, 2, 3])
@given(size=st.integers(2, 64))
@settings(max_examples=20, deadline=None)
def test_the_matrix_is_scipys_transform_of_any_size(size, dct_type, norm) -> None:
    expected = dct(np.eye(size), type=dct_type, norm=norm, axis=1)
    np.testing.assert_allclose(cosine_matrix(size, dct_type=dct_type, norm=norm), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dct_type", [2, 3])
def test_of_a_single_band_the_transform_is_the_band(dct_type) -> None:
    np.testing.assert_allclose(cosine_matrix(1, dct_type=dct_type, norm="ortho"), [[1]], atol=1e-12)


@pytest.mark.parametrize("dct_type", [1, 2, 3])
def test_the_orthogonal_transform_keeps_lengths(dct_type) -> None:
    matrix = cosine_matrix(20, dct_type=dct_type, norm="ortho")
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(20), atol=1e-12)


@pytest.mark.parametrize("lifter", [0, 22, 7.5])
@pytest.mark.parametrize("norm", ["ortho", None])
@pytest.mark.parametrize("dct_type", [1, 2, 3])
def test_it_equals_librosa_in_float64(dct_type, norm, lifter) -> None:
    x = decibels()
    options = {"n_mfcc": 13, "dct_type": dct_type, "norm": norm, "lifter": lifter}
    for example, result in zip(x, MFCC(**options)(x), strict=True):
        expected = librosa.feature.mfcc(S=example.T.astype("float64"), **options).T
        # Sums of 40 float32 products.
        assert distance(result, expected) < 1e-6


def test_a_channel_is_transformed_as_if_it_stood_alone() -> None:
    x = decibels((2, 7, 40, 3))
    together = array(MFCC(13)(x))
    for channel in range(3):
        np.testing.assert_allclose(together[..., channel], array(MFCC(13)(x[..., channel])), atol=1e-3)


def test_the_first_coefficient_of_a_flat_spectrum_is_the_root_of_the_bands_times_it_and_the_others_nothing() -> None:
    coefficients = array(MFCC(5)(np.full((1, 1, 64), -30, "float32")))[0, 0]
    np.testing.assert_allclose(coefficients, [-240, 0, 0, 0, 0], atol=1e-4)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"n_mfcc": 0}, "`n_mfcc` must be at least 1. Received: n_mfcc=0"),
        ({"dct_type": 4}, "`dct_type` must be 1, 2 or 3. Received: dct_type=4"),
        ({"norm": "slaney"}, "`norm` must be 'ortho' or None. Received: norm='slaney'"),
        ({"lifter": -1}, "`lifter` must be at least 0. Received: lifter=-1"),
    ],
)
def test_wrong_arguments_are_named(options, rule) -> None:
    with pytest.raises(ValueError, match=rule):
        MFCC(**options)


@pytest.mark.parametrize(("n_mfcc", "dct_type", "bands"), [(13, 2, 12), (1, 1, 1)])
def test_fewer_bands_than_coefficients_are_refused(n_mfcc, dct_type, bands) -> None:
    with pytest.raises(ValueError, match=f"at least `n_mfcc` bands.* Received: n_mfcc={n_mfcc}, dct_type={dct_type}"):
        MFCC(n_mfcc, dct_type=dct_type)(np.ones((1, 2, bands), "float32"))
