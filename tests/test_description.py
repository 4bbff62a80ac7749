import pytest
from pydantic import ValidationError
from small_classifier import DESCRIPTION

from keraudio import Description
from keraudio.description import first_error


def test_what_is_not_said_has_its_default() -> None:
    description = Description(labels=("a",), sample_rate=8000, window=10, hop=5)
    assert description.model_dump() == {
        "labels": ("a",),
        "sample_rate": 8000,
        "window": 10,
        "hop": 5,
        "extra_labels": (),
        "multi_label": False,
        "aggregate": "mean",
        "silence": None,
        "thresholds": None,
        "temperature": 1.0,
        "name": "",
        "schema_version": 1,
    }


def test_it_comes_back_from_json_and_cannot_be_changed() -> None:
    description = Description(**DESCRIPTION)
    assert Description.model_validate_json(description.model_dump_json()) == description
    with pytest.raises(ValidationError):
        description.window = 3


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"window": -1}, "`window`: Input should be greater than 0. Received: -1"),
        ({"aggregate": "sum"}, "`aggregate`: Input should be 'mean', 'majority' or 'max'. Received: 'sum'"),
        ({"labels": ["a", "a", "b"]}, "`labels` must differ from each other"),
        (
            {"multi_label": True, "extra_labels": ["dog", "horse"]},
            "`extra_labels` must be among `labels`. Received: 'horse'",
        ),
        (
            {"multi_label": False, "extra_labels": ["dog"]},
            "`extra_labels` need `multi_label`, and a label that is not among them",
        ),
        (
            {"multi_label": True, "extra_labels": DESCRIPTION["labels"]},
            "`extra_labels` need `multi_label`, and a label that is not among them",
        ),
        ({"thresholds": [0.1]}, "`thresholds` must be one a label. Received: 1 for 3 labels"),
    ],
)
def test_the_first_error_is_one_line_with_key_rule_and_value(change, line) -> None:
    with pytest.raises(ValidationError) as caught:
        Description(**{**DESCRIPTION, **change})
    assert first_error(caught.value) == line
