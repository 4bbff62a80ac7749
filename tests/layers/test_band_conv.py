from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import pytest
from layer_checks import LayerCase, array, distance, every_check, gradient, run, weight_gradients
from scipy.signal import correlate

from keraudio.layers import BandConv

pytestmark = pytest.mark.backends

SMALL = partial(BandConv, filters=3, kernel_initializer=keras.initializers.GlorotUniform(seed=1))


def pair(bins: int, channels: int, kernel_size: tuple[int, int], **options) -> tuple[BandConv, keras.layers.Conv2D]:
    """The layer, and the one that it stands for, with the same random weights."""
    found = BandConv(5, kernel_size, **options), keras.layers.Conv2D(5, kernel_size, **options)
    random = np.random.default_rng(1)
    values = [random.standard_normal((*kernel_size, channels, 5)), random.standard_normal(5)]
    for layer in found:
        layer.build((None, None, bins, channels))
        layer.set_weights([value.astype("float32") for value in values[: len(layer.weights)]])
    return found


def features(bins: int, channels: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((2, 9, bins, channels)).astype("float32")


@every_check(
    LayerCase(partial(SMALL, kernel_size=(4, 5)), (9, 7, 2), weights=2, trainable=2, follows_policy=True),
    LayerCase(partial(SMALL, kernel_size=(1, 5)), (9, 7, 2), (1, 9), weights=2, trainable=2, follows_policy=True),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


def test_it_is_what_scipy_convolves() -> None:
    layer, _ = pair(7, 2, (4, 5))
    kernel, bias = (array(weight).astype("float64") for weight in layer.weights)
    x = features(7, 2)
    responses = [
        [sum(correlate(row[..., c], kernel[:, :, c, f], "valid") for c in range(2)) + bias[f] for f in range(5)]
        for row in x.astype("float64")
    ]
    # Sums of 40 float32 products.
    assert distance(run(layer, x), np.moveaxis(np.array(responses), 1, -1)) < 2e-6


@pytest.mark.parametrize(
    ("bins", "channels", "kernel_size", "options"),
    [
        (60, 1, (6, 57), {}),
        (7, 2, (4, 5), {"activation": "tanh"}),
        (5, 3, (1, 5), {"use_bias": False}),
        (4, 1, (9, 1), {}),
    ],
)
def test_values_and_gradients_are_those_of_conv2d(bins, channels, kernel_size, options) -> None:
    layer, conv = pair(bins, channels, kernel_size, **options)
    x = features(bins, channels)
    assert distance(run(layer, x), array(run(conv, x))) < 1e-5
    assert distance(gradient(layer, x), gradient(conv, x)) < 1e-5
    for ours, theirs in zip(weight_gradients(layer, x), weight_gradients(conv, x), strict=True):
        assert distance(ours, theirs) < 1e-5


@pytest.mark.parametrize(
    "options",
    [{"strides": 2}, {"padding": "same"}, {"dilation_rate": 2}, {"groups": 5}, {"data_format": "channels_first"}],
)
def test_what_it_cannot_do_is_refused(options: dict) -> None:
    with pytest.raises(ValueError, match="A kernel over the band takes"):
        BandConv(5, (4, 5), **options)


@pytest.mark.parametrize("bins", [None, 4])
def test_fewer_bins_than_the_kernels_are_refused(bins: int | None) -> None:
    with pytest.raises(ValueError, match="at least 5 bins"):
        BandConv(5, (4, 5)).build((None, 9, bins, 1))
