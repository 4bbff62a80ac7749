from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from layer_checks import LayerCase, array, every_check
from scipy.special import expit, softmax

from keraudio import Description
from keraudio.layers import LabelProbabilities

pytestmark = pytest.mark.backends

DESCRIPTION = {"labels": ["a", "b", "c"], "sample_rate": 8000, "window": 800, "hop": 400}
LOGITS = np.array([[0.0, 1.0, -2.0], [500.0, 0.0, -500.0], [3.0, 3.0, 3.0]], "float32")


@every_check(
    LayerCase(partial(LabelProbabilities, DESCRIPTION), (3,)),
    LayerCase(partial(LabelProbabilities, {**DESCRIPTION, "multi_label": True, "temperature": 2.0}), (3,)),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


@pytest.mark.parametrize("temperature", [1.0, 0.5, 3.0])
@pytest.mark.parametrize("multi_label", [False, True])
def test_probabilities_equal_scipys(multi_label, temperature) -> None:
    layer = LabelProbabilities({**DESCRIPTION, "multi_label": multi_label, "temperature": temperature})
    scaled = LOGITS.astype("float64") / temperature
    expected = expit(scaled) if multi_label else softmax(scaled, axis=-1)
    np.testing.assert_allclose(array(layer(LOGITS)), expected, rtol=2e-6, atol=1e-12)


def test_the_description_travels_in_the_config() -> None:
    description = Description(**DESCRIPTION, thresholds=(0.1, 0.2, 0.3), temperature=1.7, name="n", aggregate="max")
    layer = LabelProbabilities(description)
    assert LabelProbabilities.from_config(layer.get_config()).description == description


def test_another_number_of_logits_than_labels_is_refused() -> None:
    with pytest.raises(ValueError, match="one output a label. Received: 2 outputs for 3 labels"):
        LabelProbabilities(DESCRIPTION)(LOGITS[:, :2])


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"labels": []}, "`labels`: "),
        ({"labels": ["a", "a"]}, "`labels` must differ"),
        ({"sample_rate": 0}, "`sample_rate`: Input should be greater than 0. Received: 0"),
        ({"hop": -1}, "`hop`: "),
        ({"colour": 1}, "`colour`: "),
        ({"schema_version": 2}, "`schema_version`: "),
        ({"thresholds": [0.5]}, "`thresholds` must be one a label. Received: 1 for 3 labels"),
        ({"temperature": float("nan")}, "`temperature`: "),
        ({"temperature": float("inf")}, "`temperature`: "),
        ({"thresholds": [0.5, float("nan"), 0.5]}, "`thresholds.1`: "),
    ],
)
def test_a_description_that_breaks_its_schema_is_named_in_one_line(change, rule) -> None:
    with pytest.raises(ValueError, match=rule) as caught:
        LabelProbabilities({**DESCRIPTION, **change})
    assert "\n" not in str(caught.value)
