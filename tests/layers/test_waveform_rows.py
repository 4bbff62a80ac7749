from functools import partial

import numpy as np
import pytest
from layer_checks import LayerCase, array, every_check, run

from keraudio.layers import WaveformRows

pytestmark = pytest.mark.backends


@every_check(LayerCase(partial(WaveformRows, 4), (10,), (1, 4, 5, 10)))
def test_the_layer_keeps_the_contract(check, case, tmp_path) -> None:
    check(case, tmp_path)


@pytest.mark.parametrize("samples", [1, 7, 8, 9])
def test_rows_follow_each_other_and_the_last_ends_in_zeros(samples: int) -> None:
    x = np.arange(1, samples + 1, dtype="float32")[None]
    rows = array(run(WaveformRows(4), x))
    filled = np.zeros(4 * -(-samples // 4), "float32")
    filled[:samples] = x[0]
    np.testing.assert_array_equal(rows[0, ..., 0].ravel(), filled)


def test_a_row_has_a_sample_at_least() -> None:
    with pytest.raises(ValueError, match="`row` must be at least 1. Received: row=0"):
        WaveformRows(0)
