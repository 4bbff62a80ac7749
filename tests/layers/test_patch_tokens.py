from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import pytest
from layer_checks import LayerCase, array, every_check, run

from keraudio.layers import PatchTokens

pytestmark = pytest.mark.backends


SMALL = partial(PatchTokens, 5, 4, initializer=keras.initializers.RandomNormal(seed=1))


@every_check(LayerCase(SMALL, (9, 8, 2), weights=5, trainable=5, follows_policy=True))
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


@pytest.mark.parametrize("stride", [3, (2, 4), None])
def test_tokens_are_products_of_patches_and_their_positions(stride) -> None:
    layer = PatchTokens(6, 4, stride=stride)
    x = np.random.default_rng(0).standard_normal((2, 13, 10, 2)).astype("float32")
    found = array(run(layer, x))
    frames, bins = (4, 4) if stride is None else (stride, stride) if isinstance(stride, int) else stride
    kernel, bias = array(layer.projection.kernel), array(layer.projection.bias)
    rows = [
        np.einsum("bfkc,fkcw->bw", x[:, f : f + 4, k : k + 4], kernel) + bias
        for f in range(0, 13 - 3, frames)
        for k in range(0, 10 - 3, bins)
    ]
    tokens = [np.repeat(array(token)[0], 2, axis=0) for token in (layer.class_token, layer.distillation_token)]
    expected = np.stack([*tokens, *rows], axis=1) + array(layer.positions)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("stride", [16, 10])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_bins_that_make_one_patch_are_heard_aright(policy: str, stride: int) -> None:
    layer = PatchTokens(24, stride=stride, dtype=policy)
    x = np.random.default_rng(0).standard_normal((8, 256, 16, 1)).astype("float32")
    found = array(keras.ops.cast(run(layer, x), "float32"))[:, 2:] - array(layer.positions)[:, 2:]
    kernel = array(layer.projection.kernel).astype("float64")
    expected = [np.einsum("bfkc,fkcw->bw", x[:, f : f + 16], kernel) for f in range(0, 256 - 15, stride)]
    np.testing.assert_allclose(found, np.stack(expected, axis=1), atol=1e-5 if policy == "float32" else 0.02)


@pytest.mark.parametrize(
    ("shape", "stride", "tokens"),
    # GAFX, section 3.2, and AST's code on 1,024 frames.
    [((1876, 128), 16, 936), ((3308, 128), 16, 1648), ((1024, 128), 16, 512), ((1024, 128), 10, 1212)],
)
def test_there_are_as_many_patches_as_published(shape, stride, tokens) -> None:
    layer = PatchTokens(192, stride=stride)
    assert layer.compute_output_shape((None, *shape, 1)) == (None, tokens + 2, 192)


@pytest.mark.parametrize(
    ("build", "rule"),
    [
        (lambda: PatchTokens(0), "`width` and `patch` must be at least 1. Received: width=0"),
        (lambda: PatchTokens(8, stride=0), "`stride` must be a number or .* at least 1. Received: stride=0"),
        (lambda: PatchTokens(8, dropout=1.0), "`dropout` must be at least 0 and below 1. Received: dropout=1.0"),
        (lambda: PatchTokens(8).build((None, 15, 128, 1)), "The input must be .* at least 16 .*. Received: .*15"),
        (lambda: PatchTokens(8).build((None, None, 128, 1)), "their numbers known. Received: .*None, 128"),
    ],
)
def test_wrong_arguments_are_named(build, rule) -> None:
    with pytest.raises(ValueError, match=rule):
        build()
