from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import pytest
from layer_checks import LayerCase, Tilt, array, every_check, gradient

from keraudio.layers import RunningNormalization

pytestmark = pytest.mark.backends


def decibels(examples: int = 22, channels: tuple[int, ...] = ()) -> np.ndarray:
    """Features whose bins differ in mean and deviation, and whose examples differ in level."""
    random = np.random.default_rng(0)
    shape = (examples, 9, 4, *channels)
    x = random.normal(np.linspace(-70, -20, 4)[:, *[None] * len(channels)], 6, shape)
    return (x + random.normal(0, 8, (examples, *[1] * (len(shape) - 1)))).astype("float32")


def fit(layer: keras.Layer, x: np.ndarray, batch_size: int) -> keras.Model:
    """A model of the layer alone, trained on `x` for an epoch, in order."""
    inputs = keras.Input(x.shape[1:])
    model = keras.Model(inputs, layer(inputs))
    model.compile("sgd", loss="mse")
    model.fit(x, x, batch_size, verbose=0, shuffle=False)
    return model


@every_check(
    LayerCase(RunningNormalization, (6, 5), (1, 2, 6), weights=3, follows_policy=True),
    LayerCase(
        partial(RunningNormalization, 0.5, axis="all"), (6, 5, 2), (1, 6), weights=3, follows_policy=True, random=True
    ),
    LayerCase(RunningNormalization, (6, 5, 2), (1, 6), weights=3, follows_policy=True, random=True),
    LayerCase(partial(RunningNormalization, axis="all"), (6,), weights=3, follows_policy=True),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


@pytest.mark.parametrize("axis", ["bins", "all"])
def test_after_an_epoch_the_statistics_are_numpys_of_all_values_though_the_last_batch_was_short(axis) -> None:
    x = decibels()
    layer = RunningNormalization(axis=axis)
    fit(layer, x, batch_size=8)
    axes = (0, 1) if axis == "bins" else None
    np.testing.assert_allclose(array(layer.mean), x.mean(axes, dtype="float64"), rtol=1e-5)
    np.testing.assert_allclose(array(layer.variance), x.var(axes, dtype="float64"), rtol=1e-4)
    assert float(array(layer.count)) == (22 * 9 if axis == "bins" else x.size)


def test_the_trained_layer_brings_the_data_to_mean_0_and_deviation_1() -> None:
    x = decibels()
    layer = RunningNormalization()
    fit(layer, x, batch_size=22)
    result = array(layer(x))
    np.testing.assert_allclose(result.mean((0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(result.std((0, 1)), 1, atol=1e-5)


def test_later_batches_enter_with_a_share_of_one_minus_momentum() -> None:
    # Momentum 0.75: four batches count alike, the fifth a quarter.
    x = decibels(5)
    layer = RunningNormalization(0.75)
    for example in x:
        layer(example[None], training=True)
    means, squares = x.mean(1, dtype="float64"), np.mean(x.astype("float64") ** 2, 1)
    mean = 0.75 * means[:4].mean(0) + 0.25 * means[4]
    square = 0.75 * squares[:4].mean(0) + 0.25 * squares[4]
    np.testing.assert_allclose(array(layer.mean), mean, rtol=1e-5)
    np.testing.assert_allclose(array(layer.variance), square - mean**2, rtol=1e-4)


def test_a_training_batch_is_normalized_by_the_statistics_that_it_has_entered() -> None:
    x = decibels()
    layer = RunningNormalization()
    for batch in (x[:10], x[10:]):
        trained = array(layer(batch, training=True))
        np.testing.assert_allclose(trained, array(layer(batch)), atol=1e-5)


def test_each_bin_of_each_channel_has_statistics_of_its_own() -> None:
    x = decibels(channels=(2,)) * np.array([1, 5], "float32")
    layer = RunningNormalization()
    layer(x, training=True)
    np.testing.assert_allclose(array(layer.mean), x.mean((0, 1), dtype="float64"), rtol=1e-5)
    np.testing.assert_allclose(array(layer.variance), x.var((0, 1), dtype="float64"), rtol=1e-4)


def test_untrained_it_gives_what_it_takes_and_inference_gathers_nothing() -> None:
    x = decibels()
    layer = RunningNormalization()
    np.testing.assert_allclose(array(layer(x)), x, rtol=1e-6)
    assert [float(np.max(array(weight))) for weight in layer.weights] == [0, 1, 0]


def test_frozen_it_gathers_nothing_in_training_and_uses_what_it_has() -> None:
    x = decibels()
    layer = RunningNormalization()
    layer(x[:5], training=True)
    before = [array(weight) for weight in layer.weights]
    layer.trainable = False
    frozen = array(layer(x, training=True))
    for weight, old in zip(layer.weights, before, strict=True):
        np.testing.assert_array_equal(array(weight), old)
    np.testing.assert_array_equal(frozen, array(layer(x)))


def test_statistics_are_part_of_the_file(tmp_path) -> None:
    x = decibels()
    model = fit(RunningNormalization(), x, batch_size=8)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


def test_a_bin_that_never_moved_is_not_blown_up() -> None:
    x = np.full((4, 9, 2), -80.3, "float32")
    layer = RunningNormalization(epsilon=1e-2)
    assert np.max(np.abs(array(layer(x, training=True)))) < 1e-3
    np.testing.assert_allclose(array(layer(x + 1)), 10, rtol=1e-4)


def test_a_mean_far_from_zero_costs_no_digits_of_the_variance() -> None:
    x = np.round(decibels())
    near, far = RunningNormalization(), RunningNormalization()
    for batch in (x[:10], x[10:]):
        near(batch, training=True)
        far(batch + np.float32(2**14), training=True)
    # The first batch is summed about 0, where 16384 leaves float32 1e-3.
    np.testing.assert_allclose(array(far.variance), array(near.variance), rtol=1e-4)


def test_gradients_take_the_statistics_for_constants() -> None:
    x = decibels(3)
    layer = RunningNormalization()
    layer(x, training=True)
    deviation = np.sqrt(array(layer.variance))
    weights = np.random.default_rng(1).uniform(0.5, 1.5, x.size).astype("float32").reshape(x.shape)
    layer = RunningNormalization()
    layer.build(x.shape)
    actual = gradient(lambda tensor: layer(tensor, training=True), x)
    np.testing.assert_allclose(actual, weights / deviation, rtol=1e-4)


def test_it_gathers_behind_trained_layers_and_compiled(backend) -> None:
    x = decibels(12)
    layer = RunningNormalization()
    inputs = keras.Input(x.shape[1:])
    model = keras.Model(inputs, layer(Tilt()(inputs)))
    model.compile(keras.optimizers.SGD(0.0), loss="mse", jit_compile=backend != "torch")
    model.fit(x, x, batch_size=5, epochs=2, verbose=0, shuffle=False)
    np.testing.assert_allclose(array(layer.mean), x.mean((0, 1), dtype="float64"), rtol=1e-5)
    np.testing.assert_allclose(array(layer.variance), x.var((0, 1), dtype="float64"), rtol=1e-4)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"momentum": 1.1}, "`momentum` must be between 0 and 1. Received: momentum=1.1"),
        ({"epsilon": 0}, "`epsilon` must be positive. Received: epsilon=0"),
        ({"axis": "frames"}, "`axis` must be 'bins' or 'all'. Received: axis='frames'"),
    ],
)
def test_wrong_arguments_are_named(options, rule) -> None:
    with pytest.raises(ValueError, match=rule):
        RunningNormalization(**options)


def test_a_waveform_has_no_bins() -> None:
    with pytest.raises(ValueError, match="The input must have bins. Received: input_shape="):
        RunningNormalization()(np.ones((2, 8), "float32"))
