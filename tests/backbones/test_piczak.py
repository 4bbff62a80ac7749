import keras
import numpy as np
import pytest
from layer_checks import array, edge_signals, gradient, run

from keraudio.backbones import BACKBONES, FIXED_FRAMES, piczak
from keraudio.frontends import mst

pytestmark = pytest.mark.backends


def head(backbone: keras.Model) -> int:
    """Parameters with ESC-50's fifty labels behind it."""
    return backbone.count_params() + 50 * (backbone.output_shape[-1] + 1)


@pytest.mark.parametrize(("deltas", "parameters"), [(False, 29_306_770), (True, 29_334_130)])
def test_counts_are_the_papers(deltas: bool, parameters: int) -> None:
    assert head(piczak((101, 60), deltas=deltas)) == parameters


def test_counts_behind_learned_convolutions_are_the_papers() -> None:
    front_end = mst(22050, samples=51200)
    backbone = piczak(front_end.output_shape[1:])
    assert head(backbone) == 28_906_770
    assert head(backbone) + front_end.count_params() == 29_871_182


def test_a_recipe_gives_it_a_fixed_number_of_frames() -> None:
    assert BACKBONES["piczak"] is piczak and "piczak" in FIXED_FRAMES


def test_weights_start_by_glorots_rule_and_biases_at_zero() -> None:
    backbone = piczak((101, 60), units=50)
    kernel = array(backbone.get_layer("conv_1").kernel)
    assert kernel.shape == (6, 57, 1, 80)
    assert np.abs(kernel).max() == pytest.approx(np.sqrt(6 / (6 * 57 * (1 + 80))), rel=1e-3)
    assert all((array(weight) == 0).all() for weight in backbone.weights if "bias" in weight.path)


@pytest.mark.parametrize(
    ("frames", "shapes"),
    [
        (101, [(96, 4), (32, 1), (30, 1), (10, 1), 800]),
        (100, [(95, 4), (31, 1), (29, 1), (9, 1), 720]),
        (22, [(17, 4), (5, 1), (3, 1), (1, 1), 80]),
    ],
)
def test_every_layers_output_shape(frames: int, shapes: list) -> None:
    backbone = piczak((frames, 60), units=7)
    for name, shape in zip(("conv_1", "pool_1", "conv_2", "pool_2"), shapes, strict=False):
        assert backbone.get_layer(name).output.shape == (None, *shape, 80)
    assert backbone.get_layer("flatten").output.shape == (None, shapes[-1])
    assert backbone.output_shape == (None, 7)


def test_dropout_stands_where_the_paper_has_it() -> None:
    names = [layer.name for layer in piczak((101, 60), units=7).layers]
    assert names == [
        "features", "channel", "conv_1", "rectified_1", "dropout_1", "pool_1", "conv_2", "rectified_2", "pool_2",
        "flatten", "dense_1", "dropout_3", "dense_2", "dropout_4",
    ]  # fmt: skip


def test_normalization_stands_before_the_first_convolution_and_both_rectifiers_and_no_dropout_before_it() -> None:
    names = [layer.name for layer in piczak((101, 60), units=7, batch_norm=True).layers]
    assert names == [
        "features", "channel", "normalization_0", "conv_1", "normalization_1", "rectified_1", "pool_1", "conv_2",
        "normalization_2", "rectified_2", "pool_2", "flatten", "dense_1", "dropout_3", "dense_2", "dropout_4",
    ]  # fmt: skip


def test_normalization_sees_at_inference_the_variance_that_it_gathered_in_training() -> None:
    backbone = piczak((20, 6), filters=4, units=5, deltas=True, batch_norm=True)
    x = np.random.default_rng(0).normal(0.5, 2.0, (64, 20, 6)).astype("float32")
    for _ in range(100):
        backbone(x, training=True)
    for number in (0, 1, 2):
        layer = backbone.get_layer(f"normalization_{number}")
        values = array(keras.Model(backbone.input, layer.output)(x))
        # `epsilon` of 1e-3 is the rest.
        np.testing.assert_allclose(values.var(axis=(0, 1, 2)), 1, atol=0.05)


def test_statistics_follow_within_some_ten_steps() -> None:
    backbone = piczak((20, 6), filters=3, units=4, batch_norm=True)
    x = np.random.default_rng(0).normal(size=(2, 20, 6)).astype("float32")
    backbone(x, training=True)
    mean = array(backbone.get_layer("normalization_0").moving_mean)
    np.testing.assert_allclose(mean, [0.1 * x.mean()], rtol=1e-4, atol=1e-6)
    # A thousandth of the variance apart from its epsilon.
    normalized = (x - x.mean()) / np.sqrt(x.var() + 1e-3)
    convolved = array(backbone.get_layer("conv_1")(normalized[..., None]))
    mean = array(backbone.get_layer("normalization_1").moving_mean)
    np.testing.assert_allclose(mean, 0.1 * convolved.mean(axis=(0, 1, 2)), rtol=1e-3, atol=1e-5)


def test_channels_are_taken_as_they_are_and_deltas_of_each_are_added() -> None:
    x = np.random.default_rng(0).normal(size=(2, 40, 20, 3)).astype("float32")
    backbone = piczak((40, 20, 3), filters=3, units=5, deltas=True)
    assert backbone.get_layer("conv_1").kernel.shape == (6, 17, 6, 3)
    assert np.isfinite(array(run(backbone, x))).all()


@pytest.mark.parametrize("options", [{}, {"deltas": True}, {"batch_norm": True}])
def test_outputs_and_gradients_are_finite_at_the_edges(options: dict) -> None:
    x = np.stack(list(edge_signals((20, 6)).values()))
    backbone = piczak((20, 6), filters=3, units=4, **options)
    assert np.isfinite(array(run(backbone, x))).all()
    assert np.isfinite(gradient(backbone, x)).all()


def test_a_training_step_moves_every_trained_weight() -> None:
    keras.utils.set_random_seed(1)
    backbone = piczak((20, 6), filters=4, units=16, dropout=0.1, deltas=True, batch_norm=True)
    model = keras.Sequential([backbone, keras.layers.Dense(2)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    random = np.random.default_rng(0)
    before = [array(weight) for weight in model.trainable_weights]
    model.train_on_batch(random.normal(size=(8, 20, 6)), random.normal(size=(8, 2)))
    for weight, old in zip(model.trainable_weights, before, strict=True):
        # A bias before batch normalization has no gradient but rounding.
        assert (array(weight) != old).any() or "bias" in weight.path, weight.path


def test_its_file_gives_the_same_bits(tmp_path) -> None:
    x = np.random.default_rng(0).normal(size=(2, 20, 6)).astype("float32")
    backbone = piczak((20, 6), filters=3, units=4, deltas=True, batch_norm=True)
    before = backbone.predict(x, verbose=0)
    backbone.save(tmp_path / "backbone.keras")
    after = keras.saving.load_model(tmp_path / "backbone.keras").predict(x, verbose=0)
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize(
    ("shape", "options", "said"),
    [
        ((None, 60), {}, r"must be \(frames, bins\)"),
        ((60,), {}, r"must be \(frames, bins\)"),
        ((19, 60), {}, "at least 20 frames and 4 bins. Received: .19, 60."),
        ((101, 3), {}, "at least 20 frames and 4 bins"),
        ((101, 60), {"units": 0}, "`filters` and `units`"),
        ((101, 60), {"dropout": 1}, "`dropout`"),
    ],
)
def test_arguments_out_of_range_are_refused(shape: tuple, options: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        piczak(shape, **options)


def test_the_least_that_is_taken_leaves_one_frame() -> None:
    backbone = piczak((20, 4), filters=1, units=1)
    assert backbone.get_layer("pool_2").output.shape == (None, 1, 1, 1)
