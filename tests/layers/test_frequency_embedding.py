import keras
import numpy as np
import pytest
from layer_checks import LayerCase, array, drawn, every_check

from keraudio.layers import FrequencyEmbedding

pytestmark = pytest.mark.backends


@every_check(LayerCase(FrequencyEmbedding, (4, 3, 2), (1, 4), 1, 1, follows_policy=True, call=drawn))
def test_the_layer_keeps_the_contract(check, case, tmp_path) -> None:
    check(case, tmp_path)


def test_each_bin_has_a_vector_of_its_own_near_its_neighbours() -> None:
    keras.utils.set_random_seed(0)
    y = array(FrequencyEmbedding(0.5)(np.zeros((2, 3, 256, 16), "float32")))
    assert (y == y[:1, :1]).all()
    vectors = y[0, 0]
    # Sums of n normal numbers over the root of n have deviation 1, wherever they stand; neighbours share all but one.
    assert vectors.std() == pytest.approx(0.5, rel=0.3)
    assert np.abs(np.diff(vectors[32:], axis=0)).mean() < 0.2 * np.abs(vectors).mean()


def test_weights_are_kept_small_so_that_they_learn_fast() -> None:
    layer = FrequencyEmbedding(1.0, boost=10.0)
    y = array(layer(np.zeros((1, 1, 4, 2), "float32")))[0, 0]
    np.testing.assert_allclose(array(layer.embedding) * 10, y, rtol=1e-6)
