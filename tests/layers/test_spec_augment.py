from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import pytest
from layer_checks import LayerCase, array, every_check
from scipy.stats import chisquare

from keraudio.layers import SpecAugment

pytestmark = pytest.mark.backends


@every_check(
    LayerCase(partial(SpecAugment, probability=0.5, seed=1), (12, 9), (1, 2, 12), follows_policy=True, random=True),
    LayerCase(partial(SpecAugment, time_width=0.4, seed=1), (12, 9, 2), (1, 12), follows_policy=True, random=True),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


def features(batch: int, frames: int, bins: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((batch, frames, bins)).astype("float32")


def stretch(mask: np.ndarray) -> int:
    """Length of the one stretch of True, none of it missing."""
    places = np.flatnonzero(mask)
    assert len(places) == 0 or len(places) == places[-1] - places[0] + 1
    return len(places)


@pytest.mark.parametrize("axis", [1, 2])
def test_a_mask_is_one_stretch_of_uniform_width_to_its_bound_over_all_of_the_other_axis(axis) -> None:
    x = features(600, 40, 40)
    only = {"frequency_masks": 0, "time_masks": 1} if axis == 1 else {"frequency_masks": 1, "time_masks": 0}
    changed = array(SpecAugment(**only, time_width=0.1, frequency_width=0.1, seed=1)(x, training=True)) != x
    across = changed.all(axis=3 - axis)
    np.testing.assert_array_equal(across, changed.any(axis=3 - axis))
    widths = np.bincount([stretch(mask) for mask in across], minlength=5)
    assert len(widths) == 5
    assert chisquare(widths).pvalue > 1e-3


def test_masks_lie_anywhere_ends_included() -> None:
    x = features(600, 10, 4)
    covered = (array(SpecAugment(time_masks=1, frequency_masks=0, time_width=0.1, seed=1)(x, training=True)) != x).all(
        axis=2
    )
    counts = covered.sum(axis=0)
    assert counts.min() > 0
    assert chisquare(counts).pvalue > 1e-3


def test_what_is_covered_takes_the_examples_own_mean() -> None:
    x = features(20, 30, 30) + np.arange(20, dtype="float32")[:, None, None]
    changed = array(SpecAugment(time_width=0.5, seed=1)(x, training=True))
    for before, after in zip(x, changed, strict=True):
        np.testing.assert_allclose(after[after != before], before.mean(dtype="float64"), rtol=1e-4, atol=1e-5)


def test_a_channel_has_its_own_mean_under_shared_masks() -> None:
    x = features(8, 30, 30)
    two = np.stack([x, 5 - 2 * x], axis=-1)
    changed = array(SpecAugment(seed=1)(two, training=True)) != two
    np.testing.assert_array_equal(changed[..., 0], changed[..., 1])


def test_there_are_at_most_as_many_masks_as_asked_for() -> None:
    x = features(50, 60, 5)
    changed = array(SpecAugment(time_masks=3, frequency_masks=0, time_width=0.05, seed=1)(x, training=True)) != x
    for mask in changed.all(axis=2):
        starts = np.sum(np.diff(np.concatenate([[0], mask.astype(int)])) == 1)
        assert starts <= 3
        assert mask.sum() <= 9


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_the_mean_of_large_features_does_not_overflow_in_half_precision(policy) -> None:
    # 64 x 64 levels of -60 dB add up to -245,760, beyond float16.
    x = np.full((2, 64, 64), -60.0, "float32")
    np.testing.assert_allclose(array(SpecAugment(seed=1, dtype=policy)(x, training=True)), -60, rtol=2**-8)


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_the_share_of_masked_examples_is_the_probability(probability) -> None:
    x = features(400, 50, 20)
    layer = SpecAugment(probability=probability, time_masks=4, time_width=0.5, seed=1)
    share = np.mean((array(layer(x, training=True)) != x).any(axis=(1, 2)))
    assert share == pytest.approx(probability, abs=4 * np.sqrt(probability * (1 - probability) / 400))


def test_nothing_happens_at_inference_or_without_masks() -> None:
    x = features(4, 20, 10)
    np.testing.assert_array_equal(array(SpecAugment(seed=1)(x)), x)
    np.testing.assert_array_equal(array(SpecAugment(time_masks=0, frequency_masks=0)(x, training=True)), x)
    np.testing.assert_array_equal(array(SpecAugment(time_width=0, frequency_width=0)(x, training=True)), x)


def test_a_seed_repeats_the_sequence_of_masks_and_examples_differ() -> None:
    x = np.repeat(features(1, 40, 40), 8, axis=0)
    first, second = SpecAugment(seed=3), SpecAugment(seed=3)
    runs = [[array(layer(x, training=True)) for _ in range(2)] for layer in (first, second)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert (runs[0][0] != runs[0][1]).any()
    assert len(np.unique(runs[0][0], axis=0)) == 8


def test_masks_of_the_whole_width_leave_the_mean_alone() -> None:
    layer = SpecAugment(time_masks=1, frequency_masks=0, time_width=1.0, seed=1)
    widths = [
        stretch(mask) for mask in (array(layer(features(200, 6, 3), training=True)) != features(200, 6, 3)).all(axis=2)
    ]
    assert set(widths) == set(range(7))
    assert keras.ops.shape(layer(features(1, 1, 1), training=True)) == (1, 1, 1)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"time_masks": -1}, "`time_masks` must be at least 0. Received: time_masks=-1"),
        ({"frequency_masks": -1}, "`frequency_masks` must be at least 0"),
        ({"time_width": 1.5}, "`time_width` must be between 0 and 1. Received: time_width=1.5"),
        ({"frequency_width": -0.5}, "`frequency_width` must be between 0 and 1"),
        ({"probability": 2}, "`probability` must be between 0 and 1. Received: probability=2"),
    ],
)
def test_wrong_arguments_are_named(options, rule) -> None:
    with pytest.raises(ValueError, match=rule):
        SpecAugment(**options)
