import keras
import numpy as np
import pytest
from layer_checks import LayerCase, array, drawn, every_check, run

from keraudio.layers import DConv

pytestmark = pytest.mark.backends


@every_check(
    LayerCase(
        lambda **options: DConv(
            1, compress=2, scale=0.2, kernel_initializer=keras.initializers.HeUniform(seed=0), **options
        ),
        (5, 2, 4),
        (1, 5),
        9,
        9,
        follows_policy=True,
        call=drawn,
    ),
)
def test_the_layer_keeps_the_contract(check, case, tmp_path) -> None:
    check(case, tmp_path)


def test_branches_begin_all_but_silent_and_see_further_one_by_one() -> None:
    x = np.zeros((1, 17, 1, 8), "float32")
    x[0, 8] = 1.0
    layer = DConv(2)
    y = array(run(layer, x))
    assert 0 < np.abs(y - x).max() < 1e-3
    # Normalization reaches all frames; without it a branch reaches as far as its dilation.
    wide = array(run(layer.branches[1]["conv"], x))[0, :, 0]
    assert np.abs(wide[[6, 8, 10]]).max(axis=1).all() and not wide[[5, 7, 9, 11]].any()


def test_counts_are_hybrid_demucs_of_its_fifth_layer() -> None:
    layer = DConv(2, lstm=True, attention=True)
    layer.build((None, 469, 1, 768))
    # Two branches: convolution, two LSTMs and a dense layer, five dense layers of attention, a dense layer, vectors.
    hidden = 192
    lstm = (
        2 * (4 * hidden * (hidden + hidden + 2))
        + 2 * (4 * hidden * (2 * hidden + hidden + 2))
        + hidden * (2 * hidden + 1)
    )
    attention = 4 * hidden * (hidden + 1) + 16 * (hidden + 1)
    rest = hidden * (3 * 768 + 1) + 2 * hidden + 1536 * (hidden + 1) + 2 * 1536 + 768
    assert layer.count_params() == 2 * (lstm + attention + rest)


@pytest.mark.parametrize("options", [{"depth": 0}, {"compress": 0}], ids=str)
def test_arguments_out_of_range_are_refused(options) -> None:
    with pytest.raises(ValueError, match="must be at least 1. Received"):
        DConv(**options)


def test_something_must_be_left_of_the_channels() -> None:
    with pytest.raises(ValueError, match="`compress` must be at most the channels"):
        DConv(compress=9)(np.zeros((1, 5, 1, 8), "float32"))
