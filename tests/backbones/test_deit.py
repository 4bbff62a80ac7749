from collections.abc import Callable
from typing import Any

import keras
import layer_checks
import numpy as np
import pytest
from layer_checks import LayerCase, array, weight_gradients

from keraudio.backbones.deit import DeiTBlock, resampled_positions

pytestmark = pytest.mark.backends


def small(**options: Any) -> DeiTBlock:
    """One whose weights are random and always the same."""
    keras.utils.set_random_seed(0)
    return DeiTBlock(2, 5, **options)


@pytest.mark.parametrize(
    "check",
    [
        layer_checks.weights_are_counted,
        layer_checks.shapes_are_foretold,
        layer_checks.policies_are_followed,
        layer_checks.edges_stay_finite,
        layer_checks.examples_are_independent,
        layer_checks.file_gives_the_same_bits,
        layer_checks.a_training_step_runs,
    ],
)
def test_the_layer_keeps_the_contract(check: Callable, tmp_path) -> None:
    check(LayerCase(small, (3, 4), weights=16, trainable=16, follows_policy=True), tmp_path)


def test_its_config_rebuilds_it() -> None:
    config = small(dropout=0.1, epsilon=1e-5, recompute=True).get_config()
    assert DeiTBlock.from_config(config).get_config() == config


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_softmax_and_normalization_are_float32(policy: str) -> None:
    """Logits whose softmax float16 and bfloat16 would round: 300 tokens alike share what one twice as likely leaves."""
    layer = DeiTBlock(1, 2, dtype=policy)
    layer.build((None, 300, 2))
    for weight in layer.weights:
        weight.assign(np.zeros(weight.shape))
    x = np.zeros((1, 300, 2), "float32")
    # The mean of so large numbers, squared, is beyond float16.
    x[..., 0] = 3000
    x[:, 7] = [-3000, 0]
    block = layer.block
    block.layer_norm_1.gamma.assign([1, 1])
    # Normalized tokens are (1, -1) and, the seventh, (-1, 1); the value is 1 for that one alone.
    block.mha.value_dense.kernel.assign(np.array([[-0.5, 0], [0, 0]]).reshape(2, 1, 2))
    block.mha.value_dense.bias.assign([[0.5, 0]])
    block.mha.key_dense.kernel.assign(np.array([[-0.5, 0], [0, 0]]).reshape(2, 1, 2))
    block.mha.query_dense.bias.assign([[np.log(300) * np.sqrt(2), 0]])
    block.mha.output_dense.kernel.assign(np.array([[0, 1], [0, 0]]).reshape(1, 2, 2))
    # As likely as all others, within the rounding of the logarithm to the policy's digits, is half of the attention.
    # Not compiled: XLA on a CPU has no product of float16 that it sums in float32.
    difference = array(layer(x))[0, :, 1]
    likely = np.exp(float(np.log(300)) * 2 * 0.5)
    np.testing.assert_allclose(difference, likely / (likely + 299), atol=0.02)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_what_is_computed_again_gives_the_same_gradients(dropout: float) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 4)).astype("float32")
    gradients = []
    for recompute in (False, True):
        layer = small(dropout=dropout, recompute=recompute)
        layer.build((None, 3, 4))
        # torch draws what it drops from its own state.
        keras.utils.set_random_seed(1)
        gradients.append(weight_gradients(layer, x, lambda tensor, layer=layer: layer(tensor, training=True)))
    for again, kept in zip(*gradients[::-1], strict=True):
        np.testing.assert_allclose(again, kept, rtol=1e-5, atol=1e-6)


def test_dropout_goes_on_where_blocks_are_computed_again() -> None:
    layer = small(dropout=0.5, recompute=True)
    inputs = keras.Input((3, 4))
    model = keras.Model(inputs, layer(inputs))
    # Its weights stay, so only what is dropped differs.
    model.compile(keras.optimizers.SGD(0.0), loss="mse")
    x = np.random.default_rng(0).standard_normal((8, 3, 4)).astype("float32")
    losses = {float(model.train_on_batch(x, np.zeros_like(x), return_dict=True)["loss"]) for _ in range(3)}
    assert len(losses) == 3


@pytest.mark.parametrize(("frames", "bins"), [(117, 8), (101, 12), (206, 20), (9, 5), (14, 14)])
def test_positions_are_interpolated_as_torch_does_and_cut_from_the_middle(frames: int, bins: int) -> None:
    import torch

    grid = np.random.default_rng(0).standard_normal((14, 14, 3))
    image = torch.from_numpy(grid).permute(2, 0, 1)[None]
    # AST's code, its model of 14 by 14.
    if frames <= 14:
        image = image[:, :, :, 7 - frames // 2 : 7 - frames // 2 + frames]
    else:
        image = torch.nn.functional.interpolate(image, size=(14, frames), mode="bilinear")
    if bins <= 14:
        image = image[:, :, 7 - bins // 2 : 7 - bins // 2 + bins]
    else:
        image = torch.nn.functional.interpolate(image, size=(bins, frames), mode="bilinear")
    expected = image[0].permute(2, 1, 0).numpy()
    np.testing.assert_allclose(resampled_positions(grid, frames, bins), expected, atol=1e-12)
    if bins == 8:
        # Rows 3 to 10, GAFX, section 3.2.
        np.testing.assert_allclose(resampled_positions(grid, 14, 8), grid.swapaxes(0, 1)[:, 3:11], atol=0)
