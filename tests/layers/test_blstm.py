import keras
import numpy as np
import pytest
from layer_checks import LayerCase, array, distance, drawn, every_check, run, sum_weights, weight_gradients

from keraudio.layers import BLSTM

pytestmark = pytest.mark.backends


@every_check(
    LayerCase(lambda **options: BLSTM(1, **options), (5, 2, 3), weights=6, trainable=6, follows_policy=True, call=drawn)
)
def test_the_layer_keeps_the_contract(check, case, tmp_path) -> None:
    check(case, tmp_path)


def modules(layer: BLSTM, channels: int):
    """PyTorch's LSTM and dense layer with the layer's weights."""
    import torch

    lstm = torch.nn.LSTM(channels, channels, num_layers=layer.layers, bidirectional=True, batch_first=True)
    dense = torch.nn.Linear(2 * channels, channels)
    with torch.no_grad():
        for number in range(layer.layers):
            for direction, end in enumerate(("", "_reverse")):
                for name, weight in (
                    ("weight_ih", layer.kernels[number]),
                    ("weight_hh", layer.recurrent_kernels[number]),
                ):
                    getattr(lstm, f"{name}_l{number}{end}").copy_(torch.tensor(array(weight)[direction].T))
                for name, weight in zip(("bias_ih", "bias_hh"), layer.biases[number], strict=True):
                    getattr(lstm, f"{name}_l{number}{end}").copy_(torch.tensor(array(weight)[direction]))
        dense.weight.copy_(torch.tensor(array(layer.dense_kernel).T))
        dense.bias.copy_(torch.tensor(array(layer.dense_bias)))
    return lstm, dense


def peer(layer: BLSTM, channels: int):
    import torch

    lstm, dense = modules(layer, channels)

    def apply(x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return dense(lstm(torch.tensor(x))[0]).numpy()

    return apply


def test_it_is_pytorchs_lstm_behind_a_dense_layer_with_the_input_added() -> None:
    keras.utils.set_random_seed(0)
    layer = BLSTM()
    x = np.random.default_rng(0).standard_normal((2, 7, 2, 4)).astype("float32")
    actual = array(run(layer, x))
    apply = peer(layer, 4)
    for place in range(2):
        expected = x[:, :, place] + apply(np.ascontiguousarray(x[:, :, place]))
        assert distance(actual[:, :, place], expected) < 1e-5


@pytest.mark.parametrize("frames", [9, 12, 16, 17])
def test_long_sequences_are_read_in_stretches_of_which_the_middles_count(frames: int) -> None:
    keras.utils.set_random_seed(0)
    layer = BLSTM(1, max_steps=8)
    x = np.random.default_rng(0).standard_normal((1, frames, 1, 3)).astype("float32")
    actual = array(run(layer, x))[0, :, 0]
    apply = peer(layer, 3)
    padded = np.concatenate([x[0, :, 0], np.zeros((16, 3), "float32")])
    expected, starts = np.zeros((0, 3)), range(0, frames, 4)
    for start in starts:
        stretch = apply(padded[None, start : start + 8])[0]
        first, last = (0 if start == 0 else 2), (8 if start == starts[-1] else 6)
        expected = np.concatenate([expected, stretch[first:last]])
    assert distance(actual, x[0, :, 0] + expected[:frames]) < 1e-5


@pytest.mark.parametrize(("options", "rule"), [({"layers": 0}, "`layers`"), ({"max_steps": 6}, "`max_steps`")])
def test_arguments_out_of_range_are_refused(options, rule) -> None:
    with pytest.raises(ValueError, match=f"{rule} must be"):
        BLSTM(**options)


def test_frames_must_be_known() -> None:
    with pytest.raises(ValueError, match="Frames and bins must be known"):
        BLSTM()(keras.Input((None, 1, 8)))


@pytest.mark.parametrize("frames", [1, 7, 8, 19])
def test_its_gradients_are_pytorchs(frames: int) -> None:
    import torch

    keras.utils.set_random_seed(0)
    layer = BLSTM(1)
    x = np.random.default_rng(0).standard_normal((2, frames, 1, 3)).astype("float32")
    layer.build(x.shape)
    actual = dict(zip([weight.name for weight in layer.trainable_weights], weight_gradients(layer, x), strict=True))
    lstm, dense = modules(layer, 3)
    (dense(lstm(torch.tensor(x[:, :, 0]))[0]) * torch.tensor(sum_weights(x.shape)[:, :, 0])).sum().backward()
    for direction, end in enumerate(("", "_reverse")):
        for name, theirs in (("kernel_0", "weight_ih"), ("recurrent_kernel_0", "weight_hh"), ("bias_0", "bias_ih")):
            expected = getattr(lstm, f"{theirs}_l0{end}").grad.numpy().T
            assert distance(array(actual[name])[direction], expected) < 1e-5
