import keras
import numpy as np
import pytest
from layer_checks import LayerCase, array, drawn, every_check, run

from keraudio.layers import LocalAttention

pytestmark = pytest.mark.backends


def uneven(layer: LocalAttention, x, **options):
    """With rates of fading that differ from frame to frame by more than they do at the start."""
    if not layer.built:
        layer.build(x.shape)
        kernel = layer.decay.kernel
        kernel.assign(np.random.default_rng(0).uniform(-1, 1, kernel.shape))
    return drawn(layer, x, **options)


# A constant added to all keys is one added to all logits.
@every_check(
    LayerCase(
        lambda **options: LocalAttention(
            2, decays=3, kernel_initializer=keras.initializers.HeUniform(seed=0), **options
        ),
        (5, 2, 4),
        weights=10,
        trainable=10,
        idle=("key/bias",),
        follows_policy=True,
        call=uneven,
    )
)
def test_the_layer_keeps_the_contract(check, case, tmp_path) -> None:
    check(case, tmp_path)


def test_without_content_only_distance_counts_and_a_frame_does_not_hear_itself() -> None:
    layer = LocalAttention(1, decays=2)
    layer.build((None, 4, 1, 2))
    for weight in layer.weights:
        weight.assign(np.zeros(weight.shape))
    for part in (layer.content, layer.projection):
        part.kernel.assign(np.eye(2))
    x = np.zeros((1, 4, 1, 2), "float32")
    x[0, 1, 0, 0] = 1.0
    # Both rates are a quarter of sigmoid(0) = 1/2, of weights 1 and 2, over the root of 2.
    fading = np.exp(-(1 + 2) * 0.25 / np.sqrt(2) * np.abs(np.arange(4)[:, None] - np.arange(4)))
    np.fill_diagonal(fading, 0)
    heard = (fading / fading.sum(axis=1, keepdims=True))[:, 1]
    np.testing.assert_allclose(array(run(layer, x))[0, :, 0, 0], heard + x[0, :, 0, 0], rtol=1e-5)


def test_bins_do_not_hear_each_other() -> None:
    keras.utils.set_random_seed(0)
    layer = LocalAttention(2)
    x = np.random.default_rng(0).standard_normal((1, 5, 2, 4)).astype("float32")
    other = x.copy()
    other[:, :, 1] += 1
    np.testing.assert_array_equal(array(run(layer, x))[:, :, 0], array(run(layer, other))[:, :, 0])


@pytest.mark.parametrize("options", [{"heads": 0}, {"decays": 0}], ids=str)
def test_arguments_out_of_range_are_refused(options) -> None:
    with pytest.raises(ValueError, match="must be at least 1. Received"):
        LocalAttention(**options)


def test_heads_must_divide_the_channels_and_frames_be_known() -> None:
    with pytest.raises(ValueError, match="`heads` must divide the channels. Received: heads=4, channels=6"):
        LocalAttention()(np.zeros((1, 5, 1, 6), "float32"))
    with pytest.raises(ValueError, match="must be known"):
        LocalAttention()(keras.Input((None, 1, 8)))
