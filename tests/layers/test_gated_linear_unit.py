import numpy as np
import pytest
from layer_checks import LayerCase, array, every_check, run
from scipy.special import expit

from keraudio.layers import GatedLinearUnit

pytestmark = pytest.mark.backends


@every_check(LayerCase(GatedLinearUnit, (5, 4), (1, 5), follows_policy=True))
def test_the_layer_keeps_the_contract(check, case, tmp_path) -> None:
    check(case, tmp_path)


def test_the_second_half_gates_the_first() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 6)).astype("float32")
    np.testing.assert_allclose(array(run(GatedLinearUnit(), x)), x[..., :3] * expit(x[..., 3:]), rtol=1e-5, atol=1e-6)


def test_there_must_be_two_halves() -> None:
    with pytest.raises(ValueError, match="must be even"):
        GatedLinearUnit()(np.zeros((1, 3), "float32"))
