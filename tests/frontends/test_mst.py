import keras
import numpy as np
import pytest
from layer_checks import POLICIES, array, distance, edge_signals, gradient, run

from keraudio.frontends import FRONT_ENDS, mst

pytestmark = pytest.mark.backends

SMALL = {"filters": (6, 5, 4), "kernel_sizes": (16, 3, 3), "strides": 8}


def test_counts_and_shapes_are_table_1s() -> None:
    front_end = mst(22050, samples=51200)
    assert front_end.output_shape == (None, 100, 60)
    counts = [front_end.get_layer(f"conv_{number}").count_params() for number in (1, 2, 3)]
    assert counts == [524_800, 393_472, 46_140] and front_end.count_params() == 964_412
    assert mst(22050).output_shape == (None, None, 60)
    assert FRONT_ENDS["mst"] is mst
    # Glorot & Bengio 2010: uniform within the root of 6 over inputs and outputs.
    kernel = array(front_end.get_layer("conv_1").kernel)
    assert np.abs(kernel).max() == pytest.approx(np.sqrt(6 / (1024 + 1024 * 512)), rel=1e-3)
    assert all((array(weight) == 0).all() for weight in front_end.weights if "bias" in weight.path)


@pytest.mark.parametrize("samples", [1, 8, 9, 43, 64])
def test_any_length_gives_a_frame_for_every_stride_begun(samples: int) -> None:
    frames = -(-samples // 8)
    x = np.ones((2, samples), "float32")
    for length in (samples, None):
        front_end = mst(8000, **SMALL, samples=length)
        assert front_end.output_shape == (None, frames if length else None, 4)
        assert tuple(run(front_end, x).shape) == (2, frames, 4)


@pytest.mark.parametrize(("samples", "earlier"), [(10240, 0), (9729, 255), (10239, 0), (9984, 128)])
def test_a_frame_hears_from_256_samples_before_its_place_to_768_after(samples: int, earlier: int) -> None:
    front_end = mst(22050, filters=(4, 3, 2), kernel_sizes=(1024, 1, 1), samples=samples, peak=False)
    # Positive, so that no rectifier is shut; without biases silence gives zeros.
    front_end.set_weights([np.full(weight.shape, 0.1 if len(weight.shape) > 1 else 0) for weight in front_end.weights])
    places = [0, 3000, 512 * 9 - 257, 512 * 9 - 256, 512 * 8 + 767, 512 * 8 + 768]
    places = [max(place - earlier, 0) for place in places] + [samples - 1]
    impulses = np.zeros((len(places), samples), "float32")
    impulses[np.arange(len(places)), places] = 1
    for place, features in zip(places, array(run(front_end, impulses)), strict=True):
        heard = [frame for frame in range(20) if -256 <= place + earlier - 512 * frame < 768]
        assert list(np.flatnonzero(np.abs(features).max(axis=1))) == heard


def test_how_loud_a_window_is_says_nothing_unless_asked() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (2, 80)).astype("float32")
    front_end = mst(8000, **SMALL)
    np.testing.assert_allclose(array(run(front_end, x)), array(run(front_end, 0.01 * x)), atol=1e-6)
    plain = mst(8000, **SMALL, peak=False)
    assert np.abs(array(run(plain, x)) - array(run(plain, 0.01 * x))).max() > 1e-3


def test_dropout_follows_each_activation_and_has_no_weights() -> None:
    front_end = mst(8000, **SMALL, dropout=0.5)
    assert [layer.name for layer in front_end.layers] == [
        "waveform", "peak", "channel", "conv_1", "activation_1", "dropout_1", "conv_2", "activation_2", "dropout_2",
        "conv_3", "activation_3", "dropout_3",
    ]  # fmt: skip
    assert [front_end.get_layer(f"activation_{number}").activation.__name__ for number in (1, 2, 3)] == [
        "relu", "relu", "tanh",
    ]  # fmt: skip
    assert {front_end.get_layer(f"dropout_{number}").rate for number in (1, 2, 3)} == {0.5}
    assert len(front_end.weights) == len(mst(8000, **SMALL).weights) == 6


def test_normalization_is_that_of_the_authors_code() -> None:
    front_end = mst(8000, **SMALL, batch_norm=True)
    for number in (1, 2, 3):
        layer = front_end.get_layer(f"normalization_{number}")
        assert (layer.momentum, layer.epsilon, layer.scale) == (0.999, 1e-3, False)
    assert [layer.name for layer in front_end.layers][3:] == [
        "conv_1", "normalization_1", "activation_1", "conv_2", "normalization_2", "activation_2", "conv_3",
        "normalization_3", "activation_3",
    ]  # fmt: skip


def test_outputs_and_gradients_are_finite_at_the_edges() -> None:
    x = np.stack(list(edge_signals((64,)).values()))
    front_end = mst(8000, **SMALL)
    values = array(run(front_end, x))
    assert np.isfinite(values).all() and np.abs(values).max() <= 1
    assert np.isfinite(gradient(front_end, x)).all()


def test_the_waveform_is_not_rounded_under_a_half_precision_policy() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (2, 80)).astype("float32")
    exact = mst(8000, **SMALL)
    policy = keras.config.dtype_policy()
    try:
        for name, step in POLICIES.items():
            keras.config.set_dtype_policy(name)
            front_end = mst(8000, **SMALL)
            front_end.set_weights(exact.get_weights())
            parts = [front_end.get_layer(part).compute_dtype for part in ("peak", "channel", "conv_1", "conv_2")]
            expected = keras.config.dtype_policy().compute_dtype
            assert parts == ["float32"] * 3 + [expected]
            result = run(front_end, x)
            assert keras.backend.standardize_dtype(result.dtype) == expected
            # Rounded after each of the three layers, and with them the weights of two.
            assert distance(array(result), array(run(exact, x))) <= 5 * step, name
    finally:
        keras.config.set_dtype_policy(policy)


def test_its_file_gives_the_same_bits(tmp_path) -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (2, 80)).astype("float32")
    front_end = mst(8000, **SMALL, batch_norm=True)
    before = front_end.predict(x, verbose=0)
    front_end.save(tmp_path / "front_end.keras")
    after = keras.saving.load_model(tmp_path / "front_end.keras").predict(x, verbose=0)
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"filters": (4, 4)}, "must be three numbers of at least 1. Received: filters=.4, 4., kernel_sizes="),
        ({"filters": (4, 4, 0)}, "must be three numbers"),
        ({"strides": 0}, "`strides` must be between 1 and"),
        ({"kernel_sizes": (16, 0, 3)}, "must be three numbers"),
        ({"strides": 17, "kernel_sizes": (16, 3, 3)}, "`strides` must be between 1 and"),
        ({"dropout": 1.0}, "`dropout` must be"),
        ({"sample_rate": 0}, "`sample_rate` must be positive"),
    ],
)
def test_arguments_out_of_range_are_refused(options: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        mst(**{"sample_rate": 8000, **options})
