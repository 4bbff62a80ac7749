import keras
import numpy as np
import pytest
from layer_checks import array, edge_signals, gradient, run

from keraudio.frontends import mst

pytestmark = pytest.mark.backends

SMALL = {"filters": (6, 5, 4), "kernel_sizes": (16, 3, 3), "strides": 8}


def test_counts_and_shapes_are_table_1s() -> None:
    front_end = mst(22050, samples=51200)
    assert front_end.output_shape == (None, 100, 60)
    counts = [front_end.get_layer(f"conv_{number}").count_params() for number in (1, 2, 3)]
    assert counts == [524_800, 393_472, 46_140] and front_end.count_params() == 964_412
    assert mst(22050).output_shape == (None, None, 60)
    # Glorot & Bengio 2010: uniform within the root of 6 over inputs and outputs.
    kernel = array(front_end.get_layer("conv_1").kernel)
    assert np.abs(kernel).max() == pytest.approx(np.sqrt(6 / (1024 + 1024 * 512)), rel=1e-3)


def test_a_frame_hears_from_256_samples_before_its_place_to_768_after() -> None:
    front_end = mst(22050, filters=(4, 3, 2), kernel_sizes=(1024, 1, 1), samples=10240, peak=False)
    # Positive, so that no rectifier is shut.
    front_end.set_weights([np.abs(array(weight)) for weight in front_end.weights])
    silence = array(run(front_end, np.zeros((1, 10240), "float32")))[0]
    for place in (3000, 512 * 9 - 257, 512 * 9 - 256, 512 * 8 + 767, 512 * 8 + 768):
        x = np.zeros((1, 10240), "float32")
        x[0, place] = 1
        changed = np.abs(array(run(front_end, x))[0] - silence).max(axis=1) > 0
        heard = [frame for frame in range(20) if 512 * frame - 256 <= place < 512 * frame + 768]
        assert set(np.flatnonzero(changed)) <= set(heard) and changed.any()


def test_how_loud_a_window_is_says_nothing_unless_asked() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (2, 80)).astype("float32")
    front_end = mst(8000, **SMALL)
    np.testing.assert_allclose(array(run(front_end, x)), array(run(front_end, 0.01 * x)), atol=1e-6)
    plain = mst(8000, **SMALL, peak=False)
    assert np.abs(array(run(plain, x)) - array(run(plain, 0.01 * x))).max() > 1e-3


def test_dropout_follows_each_activation_and_has_no_weights() -> None:
    names = [layer.name for layer in mst(8000, **SMALL, dropout=0.5).layers]
    assert names[-6:] == ["conv_2", "activation_2", "dropout_2", "conv_3", "activation_3", "dropout_3"]
    assert "dropout_1" in names
    assert len(mst(8000, **SMALL, dropout=0.5).weights) == len(mst(8000, **SMALL).weights) == 6


def test_normalization_is_that_of_the_authors_code() -> None:
    front_end = mst(8000, **SMALL, batch_norm=True)
    for number in (1, 2, 3):
        layer = front_end.get_layer(f"normalization_{number}")
        assert (layer.momentum, layer.epsilon, layer.scale) == (0.999, 1e-3, False)
    names = [layer.name for layer in front_end.layers]
    assert names[names.index("conv_3") :] == ["conv_3", "normalization_3", "activation_3"]


def test_outputs_and_gradients_are_finite_at_the_edges() -> None:
    x = np.stack(list(edge_signals((64,)).values()))
    front_end = mst(8000, **SMALL)
    values = array(run(front_end, x))
    assert np.isfinite(values).all() and np.abs(values).max() <= 1
    assert np.isfinite(gradient(front_end, x)).all()


def test_the_waveform_is_not_rounded_under_a_half_precision_policy() -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        front_end = mst(8000, **SMALL)
    finally:
        keras.config.set_dtype_policy("float32")
    assert [front_end.get_layer(name).compute_dtype for name in ("peak", "conv_1")] == ["float32", "float32"]
    assert front_end.get_layer("conv_2").compute_dtype == "bfloat16"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"filters": (4, 4)}, "must be three numbers"),
        ({"kernel_sizes": (16, 0, 3)}, "must be three numbers"),
        ({"strides": 17, "kernel_sizes": (16, 3, 3)}, "`strides` must be between 1 and"),
        ({"dropout": 1.0}, "`dropout` must be"),
        ({"sample_rate": 0}, "`sample_rate` must be positive"),
    ],
)
def test_arguments_out_of_range_are_refused(options: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        mst(**{"sample_rate": 8000, **options})
