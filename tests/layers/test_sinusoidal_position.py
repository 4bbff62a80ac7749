import numpy as np
import pytest
from layer_checks import LayerCase, array, every_check, run

from keraudio.layers import SinusoidalPosition

pytestmark = pytest.mark.backends


@every_check(LayerCase(SinusoidalPosition, (5, 4), (1, 5), follows_policy=True))
def test_the_layer_keeps_the_contract(check, case, tmp_path) -> None:
    check(case, tmp_path)


def test_channels_are_sines_and_cosines_of_falling_rates() -> None:
    y = array(run(SinusoidalPosition(), np.zeros((1, 3308, 8), "float32")))[0]
    places = np.arange(3308)[:, None]
    angles = places / 10000 ** (np.arange(4) / 4)
    # float32 angles of up to 3307 are right to 2e-4.
    np.testing.assert_allclose(y, np.concatenate([np.sin(angles), np.cos(angles)], axis=1), atol=5e-4)


def test_channels_are_even() -> None:
    with pytest.raises(ValueError, match="The channels must be even"):
        SinusoidalPosition()(np.zeros((1, 5, 3), "float32"))
