from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import pytest
from layer_checks import LayerCase, array, every_check
from scipy.stats import beta, kstest

from keraudio.layers import Mixup

pytestmark = pytest.mark.backends


def mixed_waveforms(layer, x, **options):
    return layer({"waveforms": x, "labels": x[:, :1]}, **options)["waveforms"]


@every_check(
    LayerCase(partial(Mixup, seed=1), (20,), (1, 20), random=True, mixes_batch=True, call=mixed_waveforms),
    LayerCase(
        partial(Mixup, 0.4, probability=0.5, seed=1),
        (20, 2),
        (1, 20),
        random=True,
        mixes_batch=True,
        call=mixed_waveforms,
    ),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


def mix(layer: Mixup, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Mixes unit vectors: row i of the result tells the share of every example in example i."""
    units = np.eye(batch, dtype="float32")
    result = layer({"waveforms": units, "labels": units}, training=True)
    return array(result["waveforms"]), array(result["labels"])


@pytest.mark.parametrize("batch", [1, 2, 7, 8])
def test_an_example_is_mixed_with_its_mirror_alone_and_labels_in_the_same_proportion(batch) -> None:
    waveforms, labels = mix(Mixup(1.0, seed=1), batch)
    np.testing.assert_array_equal(waveforms, labels)
    np.testing.assert_allclose(waveforms.sum(axis=1), 1, rtol=1e-6)
    own = np.eye(batch, dtype=bool)
    assert not waveforms[~(own | own[::-1])].any()


def test_shares_follow_the_upper_half_of_the_beta_distribution_and_each_example_has_its_own() -> None:
    share = np.diag(mix(Mixup(0.4, seed=1), 800)[0]).astype("float64")
    assert share.min() >= 0.5
    assert kstest(share, lambda x: beta(0.4, 0.4).cdf(x) - beta(0.4, 0.4).cdf(1 - x)).pvalue > 1e-3
    assert len(np.unique(share)) > 700


@pytest.mark.parametrize("alpha", [1e-3, 0.01, 100.0])
def test_extreme_concentrations_stay_finite(alpha) -> None:
    share = np.diag(mix(Mixup(alpha, seed=1), 500)[0])
    assert np.isfinite(share).all()
    assert (np.mean(share > 0.99) > 0.9) if alpha < 1 else (share.max() < 0.75)


@pytest.mark.parametrize("probability", [0.0, 0.3])
def test_the_share_of_mixed_examples_is_the_probability(probability) -> None:
    share = np.diag(mix(Mixup(5.0, probability=probability, seed=1), 400)[0])
    assert np.mean(share < 1) == pytest.approx(probability, abs=4 * np.sqrt(probability * (1 - probability) / 400))


def test_nothing_happens_at_inference() -> None:
    random = np.random.default_rng(0)
    batch = {"waveforms": random.normal(size=(4, 6)).astype("float32"), "labels": np.eye(4, dtype="float32")}
    for result in (Mixup(seed=1)(batch), Mixup(seed=1)(batch, training=False)):
        for name, value in batch.items():
            np.testing.assert_array_equal(array(result[name]), value)


def test_a_seed_repeats_the_sequence_of_shares_which_goes_on() -> None:
    first, second = Mixup(seed=3), Mixup(seed=3)
    runs = [[mix(layer, 6)[0] for _ in range(2)] for layer in (first, second)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert (runs[0][0] != runs[0][1]).any()


def test_shapes_are_foretold_for_both_parts() -> None:
    layer = Mixup()
    shapes = {"waveforms": (None, 20, 2), "labels": (None, 5)}
    assert layer.compute_output_shape(shapes) == shapes
    result = layer({name: keras.Input(shape[1:]) for name, shape in shapes.items()})
    assert {name: tuple(value.shape) for name, value in result.items()} == shapes


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"alpha": 0}, "`alpha` must be positive. Received: alpha=0"),
        ({"probability": 1.5}, "`probability` must be between 0 and 1. Received: probability=1.5"),
    ],
)
def test_wrong_arguments_are_named(options, rule) -> None:
    with pytest.raises(ValueError, match=rule):
        Mixup(**options)
