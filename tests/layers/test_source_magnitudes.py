from functools import partial

import numpy as np
import pytest
from layer_checks import LayerCase, array, every_check, run

from keraudio.layers import SourceMagnitudes

pytestmark = pytest.mark.backends


@every_check(
    LayerCase(partial(SourceMagnitudes, 2, 3), (5, 6, 8)),
    LayerCase(partial(SourceMagnitudes, 2, 2, stack="channels"), (5, 6, 8)),
)
def test_the_layer_keeps_the_contract(check, case, tmp_path) -> None:
    check(case, tmp_path)


def test_sources_stand_one_behind_another_in_time_or_beside_each_other() -> None:
    x = np.random.default_rng(0).standard_normal((2, 5, 6, 3, 2, 2)).astype("float32")
    magnitudes = np.abs((x[..., 0] + 1j * x[..., 1]).mean(axis=4)).reshape(2, 5, 3, 2, 3).mean(axis=3)
    inputs = x.reshape(2, 5, 6, 12)
    beside = array(run(SourceMagnitudes(3, 3, stack="channels"), inputs))
    np.testing.assert_allclose(beside, magnitudes, rtol=1e-5)
    behind = array(run(SourceMagnitudes(3, 3), inputs))
    np.testing.assert_allclose(behind, np.concatenate([magnitudes[..., n] for n in range(3)], axis=1), rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"sources": 0, "bands": 2}, "`sources` and `bands` must be at least 1"),
        ({"sources": 2, "bands": 2, "stack": "bins"}, "`stack` must be 'frames' or 'channels'"),
        ({"sources": 2, "bands": 4}, "`bands` must divide the bins"),
        ({"sources": 3, "bands": 2}, "twice the sources the channels"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(options, rule) -> None:
    with pytest.raises(ValueError, match=rule):
        SourceMagnitudes(**options)(np.zeros((1, 5, 6, 8), "float32"))
