from collections.abc import Callable
from functools import partial

import librosa
import numpy as np
import pytest
from layer_checks import LayerCase, array, every_check
from scipy.special import exp10

from keraudio.layers import Decibels

pytestmark = pytest.mark.backends

# float32 logarithms: 1.5e-5 dB at 100 dB.
TOLERANCE = 5e-5


def powers(seed: int = 0, shape: tuple[int, ...] = (4, 9, 11)) -> np.ndarray:
    """Powers over 130 dB, and zeros."""
    random = np.random.default_rng(seed)
    return (exp10(random.uniform(-11, 2, shape)) * (random.uniform(size=shape) > 0.1)).astype("float32")


@every_check(
    LayerCase(Decibels, (6, 5), (1, 2, 6), follows_policy=True, positive=True),
    LayerCase(partial(Decibels, 1, ref="max", top_db=None), (6, 5, 2), (1, 6), follows_policy=True, positive=True),
    LayerCase(partial(Decibels, ref=0.5, amin=1e-6), (6,), follows_policy=True, positive=True),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


@pytest.mark.parametrize("top_db", [80.0, 20.0, 0.0, None])
@pytest.mark.parametrize("amin", [1e-10, 1e-5])
@pytest.mark.parametrize("ref", [1.0, 0.01, 7.5, "max"])
def test_powers_equal_librosas_of_each_example_alone(ref, amin, top_db) -> None:
    x = powers()
    actual = array(Decibels(ref=ref, amin=amin, top_db=top_db)(x))
    reference = np.max if ref == "max" else ref
    for example, result in zip(x.astype("float64"), actual, strict=True):
        expected = librosa.power_to_db(example, ref=reference, amin=amin, top_db=top_db)
        np.testing.assert_allclose(result, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("top_db", [80.0, None])
@pytest.mark.parametrize("ref", [1.0, 3.0, "max"])
def test_magnitudes_equal_librosas_of_each_example_alone(ref, top_db) -> None:
    x = np.sqrt(powers())
    actual = array(Decibels(1, ref=ref, amin=1e-10, top_db=top_db)(x))
    reference = np.max if ref == "max" else ref
    for example, result in zip(x.astype("float64"), actual, strict=True):
        expected = librosa.amplitude_to_db(example, ref=reference, amin=1e-5, top_db=top_db)
        np.testing.assert_allclose(result, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("ref", [1.0, "max"])
def test_a_loud_neighbour_changes_nothing(ref) -> None:
    quiet = powers(1, (1, 9, 11)) * 1e-4
    alone = array(Decibels(ref=ref)(quiet))
    for loud in (1e8, 1e20):
        together = array(Decibels(ref=ref)(np.concatenate([quiet, np.full_like(quiet, loud)])))
        np.testing.assert_allclose(together[:1], alone, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("options", "values", "levels"),
    [
        ({}, [1.0, 0.1, 0.001, 0.0], [0, -10, -30, -80]),
        ({"power": 1}, [1.0, 0.1, 0.001, 0.0], [0, -20, -60, -80]),
        ({"ref": "max"}, [4.0, 0.4], [0, -10]),
        ({"top_db": None}, [0.0], [-100]),
    ],
)
def test_values_by_hand(options, values, levels) -> None:
    np.testing.assert_allclose(array(Decibels(**options)(np.array([values]))), [levels], atol=TOLERANCE)


def test_silence_is_the_floor_and_with_the_maximum_as_reference_zero() -> None:
    silence = np.zeros((1, 3, 4), "float32")
    np.testing.assert_allclose(array(Decibels()(silence)), -100, atol=TOLERANCE)
    np.testing.assert_allclose(array(Decibels(ref="max")(silence)), 0, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"power": 0}, "`power` must be positive. Received: power=0"),
        ({"ref": 0}, "`ref` must be positive or 'max'. Received: ref=0"),
        ({"ref": "median"}, "`ref` must be positive or 'max'. Received: ref='median'"),
        ({"amin": 0}, "`amin` must be positive. Received: amin=0"),
        ({"top_db": -1}, "`top_db` must be at least 0 or None. Received: top_db=-1"),
    ],
)
def test_wrong_arguments_are_named(options, rule) -> None:
    with pytest.raises(ValueError, match=rule):
        Decibels(**options)
