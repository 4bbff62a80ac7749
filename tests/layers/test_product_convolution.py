from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_checks import LayerCase, array, distance, every_check, run, weight_gradients

from keraudio.layers import ProductConv2D, ProductConv2DTranspose

pytestmark = pytest.mark.backends

DRAWN = keras.initializers.GlorotUniform(seed=1)
CONV = partial(ProductConv2D, 40, (3, 2), strides=(2, 1), padding="same", kernel_initializer=DRAWN)
TRANSPOSE = partial(ProductConv2DTranspose, 3, (1, 5), strides=(1, 2), kernel_initializer=DRAWN)


@every_check(
    LayerCase(CONV, (9, 2, 5), weights=2, trainable=2, follows_policy=True),
    LayerCase(partial(CONV, strides=1), (9, 5, 5), (9, 10), weights=2, trainable=2, follows_policy=True),
)
def test_the_convolution_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


@every_check(
    LayerCase(TRANSPOSE, (4, 3, 20), weights=2, trainable=2, follows_policy=True),
    LayerCase(TRANSPOSE, (6, 4, 20), (6, 9), weights=2, trainable=2, follows_policy=True),
)
def test_the_transposed_one_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


def agree(one: keras.Layer, other: keras.Layer, shape: tuple[int, ...], seed: int) -> None:
    """Both layers give the same, and the same gradients, with one's weights."""
    random = np.random.default_rng(seed)
    x = random.standard_normal(shape).astype("float32")
    one.build(shape)
    other.build(shape)
    values = [random.standard_normal(weight.shape).astype("float32") for weight in one.weights]
    one.set_weights(values)
    other.set_weights(values)
    assert distance(run(one, x), array(run(other, x))) < 1e-5
    for slope, expected in zip(weight_gradients(one, x), weight_gradients(other, x), strict=True):
        assert distance(slope, expected) < 1e-5


STRIDES = st.tuples(st.integers(1, 3), st.integers(1, 3))
SHAPES = st.tuples(st.integers(1, 3), st.integers(6, 9), st.integers(6, 9), st.integers(1, 4))


@settings(max_examples=4, deadline=None)
@given(
    SHAPES, STRIDES, st.sampled_from([(3, 4), (6, 2), (4, 6)]), st.sampled_from(["same", "valid"]), st.integers(0, 99)
)
def test_it_is_kerass_own_convolution(shape, strides, size, padding: str, seed: int) -> None:
    # As many positions as filters at most, and more of them than filters: a product, and Keras' own. In float64, as in
    # float32 oneDNN is wrong for one channel strided over to one bin.
    for filters in (100, 3):
        options: dict[str, Any] = {"strides": strides, "padding": padding, "activation": "tanh"}
        exact = keras.layers.Conv2D(filters, size, dtype="float64", **options)
        agree(ProductConv2D(filters, size, **options), exact, shape, seed)


@pytest.mark.parametrize("filters", [3, 100])
@pytest.mark.parametrize(("size", "strides"), [((3, 4), (1, 3)), ((4, 6), (1, 2))], ids=str)
def test_one_channel_strided_over_to_one_bin_too(filters: int, size, strides) -> None:
    exact = keras.layers.Conv2D(filters, size, strides=strides, dtype="float64")
    agree(ProductConv2D(filters, size, strides=strides), exact, (3, 6, 6, 1), 0)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(
    ("size", "strides", "shape"),
    [
        ((1, 8), (1, 4), (2, 3, 13, 3)),
        ((8, 1), (4, 1), (2, 21, 1, 3)),
        ((4, 1), (2, 1), (2, 9, 1, 3)),
        ((3, 4), (1, 2), (2, 5, 9, 2)),
        ((8, 1), (8, 1), (2, 25, 1, 3)),
        ((9, 1), (4, 1), (2, 25, 1, 3)),
        ((8, 1), (4, 1), (2, 21, 2, 3)),
    ],
    ids=str,
)
def test_strided_kernels_of_all_sorts(padding: str, size, strides, shape) -> None:
    options: dict[str, Any] = {"strides": strides, "padding": padding}
    agree(ProductConv2D(3, size, **options), keras.layers.Conv2D(3, size, **options), shape, 0)


@pytest.mark.parametrize(("size", "shape"), [((3, 3), (2, 6, 1, 2)), ((5, 5), (2, 1, 2, 2)), ((5, 7), (1, 1, 1, 2))])
def test_what_sees_only_padding_learns_nothing(size, shape) -> None:
    agree(ProductConv2D(40, size, padding="same"), keras.layers.Conv2D(40, size, padding="same"), shape, seed=0)


@pytest.mark.parametrize("size", [(3, 1), (5, 1), (2, 1), (3, 2)], ids=str)
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("dilation", "frames"), [((2, 1), 9), ((3, 3), 12), ((4, 1), 3)], ids=str)
def test_dilated_too(size, padding: str, dilation, frames: int) -> None:
    if padding == "valid":
        frames += dilation[0] * (size[0] - 1)
    options: dict[str, Any] = {"dilation_rate": dilation, "padding": padding}
    for filters in (60, 3):
        one, other = ProductConv2D(filters, size, **options), keras.layers.Conv2D(filters, size, **options)
        agree(one, other, (2, frames, 5, 4), 0)


@settings(max_examples=6, deadline=None)
@given(st.integers(1, 4), st.integers(4, 8), st.booleans(), st.integers(1, 3), st.booleans())
def test_it_is_kerass_own_transposed_convolution(stride, size, along_time: bool, other: int, use_bias: bool) -> None:
    options: dict[str, Any] = {"strides": (stride, 1) if along_time else (1, stride), "use_bias": use_bias}
    sizes, shape = ((size, 1), (2, 5, other, 5)) if along_time else ((1, size), (2, other, 5, 5))
    agree(ProductConv2DTranspose(3, sizes, **options), keras.layers.Conv2DTranspose(3, sizes, **options), shape, 0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ProductConv2D(4, 3, groups=2), "`groups`"),
        (lambda: ProductConv2D(4, 3, data_format="channels_first"), "`data_format`"),
        (lambda: ProductConv2DTranspose(4, (3, 1), padding="same"), "`padding`"),
        (lambda: ProductConv2DTranspose(4, (1, 3), strides=(1, 4)), "`strides`"),
        (lambda: ProductConv2DTranspose(4, (3, 1), dilation_rate=2), "dilation"),
        (lambda: ProductConv2DTranspose(4, 3), "`kernel_size` 1"),
    ],
)
def test_what_it_cannot_do_is_said(make: Callable[[], keras.Layer], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()
