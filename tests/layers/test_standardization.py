import numpy as np
import pytest
from layer_checks import LayerCase, array, every_check, run

from keraudio.layers import Standardization

pytestmark = pytest.mark.backends


@every_check(LayerCase(Standardization, (7, 3), (2, 7), call=lambda layer, x, **options: layer(x, **options)[0]))
def test_the_layer_keeps_the_contract(check, case, tmp_path) -> None:
    check(case, tmp_path)


def test_mean_and_deviation_are_numpys_of_a_sample_and_give_the_input_back() -> None:
    x = np.random.default_rng(0).normal(3.0, 2.0, (2, 5, 4)).astype("float32")
    y, mean, deviation = (array(part) for part in run(Standardization(), x))
    np.testing.assert_allclose(mean[:, 0, 0], x.mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_allclose(deviation[:, 0, 0], x.std(axis=(1, 2), ddof=1), rtol=1e-5)
    np.testing.assert_allclose(y * deviation + mean, x, rtol=1e-4)


def test_silence_stays_silent() -> None:
    y, mean, _ = Standardization()(np.zeros((1, 8), "float32"))
    assert not array(y).any() and not array(mean).any()
