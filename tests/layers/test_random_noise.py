from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from layer_checks import LayerCase, array, every_check
from scipy.stats import kstest, normaltest

from keraudio.layers import RandomNoise

pytestmark = pytest.mark.backends


@every_check(
    LayerCase(partial(RandomNoise, probability=0.5, seed=1), (20,), (1, 20), random=True),
    LayerCase(partial(RandomNoise, 0.1, 0.5, seed=1), (20, 2), (1, 20), random=True),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


def test_the_noises_level_over_the_waveforms_own_is_uniform_between_the_bounds() -> None:
    random = np.random.default_rng(0)
    x = (random.standard_normal((500, 2000)) * random.uniform(0.01, 1, (500, 1))).astype("float32")
    noise = array(RandomNoise(0.2, 0.6, seed=1)(x, training=True)).astype("float64") - x
    ratios = noise.std(axis=1) / x.std(axis=1)
    # The spread of 2000 normal numbers is known to 1.6 % (one standard deviation).
    assert ratios.min() > 0.2 * 0.93
    assert ratios.max() < 0.6 * 1.07
    assert kstest(ratios, "uniform", args=(0.2, 0.4)).pvalue > 1e-3


def test_the_noise_is_normal_and_white() -> None:
    x = np.random.default_rng(0).standard_normal((1, 50_000)).astype("float32")
    noise = (array(RandomNoise(0.5, 0.5, seed=1)(x, training=True)) - x)[0]
    assert normaltest(noise).pvalue > 1e-3
    assert abs(np.corrcoef(noise[1:], noise[:-1])[0, 1]) < 4 / np.sqrt(50_000)
    assert abs(np.corrcoef(noise, x[0])[0, 1]) < 4 / np.sqrt(50_000)


def test_silence_stays_silent() -> None:
    silence = np.zeros((2, 30), "float32")
    np.testing.assert_array_equal(array(RandomNoise(seed=1)(silence, training=True)), silence)


@pytest.mark.parametrize("bounds", [(-0.1, 0.1), (0.2, 0.1)])
def test_wrong_bounds_are_named(bounds) -> None:
    with pytest.raises(
        ValueError, match=f"0 <= min_ratio <= max_ratio. Received: min_ratio={bounds[0]}, max_ratio={bounds[1]}"
    ):
        RandomNoise(*bounds)
