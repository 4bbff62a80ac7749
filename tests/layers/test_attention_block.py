import keras
import numpy as np
import pytest
from layer_checks import LayerCase, array, distance, drawn, every_check, run

from keraudio.layers import AttentionBlock

pytestmark = pytest.mark.backends


@every_check(
    LayerCase(
        lambda **options: AttentionBlock(2, units=6, layer_scale=0.2, **options),
        (5, 4),
        (1, 5),
        weights=16,
        trainable=16,
        follows_policy=True,
        call=drawn,
    ),
)
def test_the_layer_keeps_the_contract(check, case, tmp_path) -> None:
    check(case, tmp_path)


def test_without_its_ingredients_it_is_pytorchs_encoder_layer() -> None:
    import torch

    keras.utils.set_random_seed(0)
    options = {"qk_norm": False, "layer_scale": None}
    x = np.random.default_rng(0).standard_normal((2, 7, 8)).astype("float32")
    for pre_norm in (True, False):
        layer = AttentionBlock(2, units=12, pre_norm=pre_norm, **options)
        y = array(run(layer, x))
        peer = torch.nn.TransformerEncoderLayer(
            8, 2, 12, dropout=0.0, activation="gelu", batch_first=True, norm_first=pre_norm, layer_norm_eps=1e-6
        ).eval()
        values = [
            (peer.self_attn.in_proj_weight, array(layer.projection.kernel).T),
            (peer.self_attn.in_proj_bias, array(layer.projection.bias)),
            (peer.self_attn.out_proj.weight, array(layer.output_projection.kernel).T),
            (peer.self_attn.out_proj.bias, array(layer.output_projection.bias)),
            (peer.linear1.weight, array(layer.expansion.kernel).T),
            (peer.linear1.bias, array(layer.expansion.bias)),
            (peer.linear2.weight, array(layer.contraction.kernel).T),
            (peer.linear2.bias, array(layer.contraction.bias)),
        ]
        with torch.no_grad():
            for place, value in values:
                place.copy_(torch.tensor(np.ascontiguousarray(value)))
            expected = peer(torch.tensor(x)).numpy()
        assert distance(y, expected) < 1e-5


def test_with_zero_output_it_begins_as_the_identity() -> None:
    x = np.random.default_rng(0).standard_normal((2, 7, 8)).astype("float32")
    np.testing.assert_array_equal(array(AttentionBlock(zero_output=True)(x)), x)
    assert 0 < np.abs(array(AttentionBlock()(x)) - x).max() < 1e-3


def test_normalized_queries_and_keys_bound_the_logits() -> None:
    keras.utils.set_random_seed(0)
    # Frames so loud that a softmax of plain products has one winner each, of whatever sign; scaled ones do not.
    x = 1e4 * np.random.default_rng(0).standard_normal((1, 16, 8)).astype("float32")
    layer = AttentionBlock(1, pre_norm=False, layer_scale=None)
    other = AttentionBlock(1, pre_norm=False, layer_scale=None)
    for one, factor in ((layer, 1.0), (other, 10.0)):
        one.build(x.shape)
        one.set_weights([array(weight) for weight in layer.weights])
        one.projection.kernel.assign(array(layer.projection.kernel) * np.repeat([factor, factor, 1.0], 8))
    assert distance(run(other, x), array(run(layer, x))) < 1e-5


@pytest.mark.parametrize("options", [{"heads": 0}, {"units": 0}], ids=str)
def test_arguments_out_of_range_are_refused(options) -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        AttentionBlock(**options)


def test_heads_must_divide_the_channels() -> None:
    with pytest.raises(ValueError, match="`heads` must divide the channels. Received: heads=4, channels=6"):
        AttentionBlock()(np.zeros((1, 5, 6), "float32"))
