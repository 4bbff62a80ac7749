import sys
from typing import Any

import keras
import numpy as np
import pytest

from keraudio.pipeline import Crops, Windows, feed, feed_kind

KINDS = ("tf.data", "PyDataset")


def take(source: Any, count: int) -> list[Any]:
    """The first batches of either kind of feed, as arrays."""
    if isinstance(source, keras.utils.PyDataset):
        return [source[index][0] for index in range(count)]
    return list(source.take(count).as_numpy_iterator())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first_epoch", [0, 3])
def test_crops_are_fed_in_order_and_without_end(counted_clips: Any, kind: str, first_epoch: int) -> None:
    crops = Crops(counted_clips([20, 30, 5, 40, 9]), 8, 2, seed=4)
    fed = take(feed(crops, first_epoch=first_epoch, kind=kind), 3 * crops.steps)
    for index, batch in enumerate(fed):
        waveforms, labels = crops.batch(first_epoch + index // crops.steps, index % crops.steps)
        np.testing.assert_array_equal(batch["waveforms"], waveforms)
        np.testing.assert_array_equal(batch["labels"], labels)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first_epoch", [0, 2])
def test_windows_are_fed_once_whatever_the_epoch(counted_clips: Any, kind: str, first_epoch: int) -> None:
    windows = Windows(counted_clips([20, 30, 5]), 8, 4, 4)
    source = feed(windows, first_epoch=first_epoch, labels=False, kind=kind)
    length = source.num_batches if kind == "PyDataset" else int(source.cardinality())
    assert length == windows.steps
    for step, waveforms in enumerate(take(source, windows.steps)):
        np.testing.assert_array_equal(waveforms, windows.batch(0, step)[0])


def test_tf_data_knows_the_shape_of_a_batch(counted_clips: Any) -> None:
    spec = feed(Crops(counted_clips([20, 30]), 8, 2), kind="tf.data").element_spec
    assert {name: tuple(part.shape) for name, part in spec.items()} == {"waveforms": (None, 8), "labels": (None, 2)}


def test_tf_data_is_taken_where_tensorflow_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert feed_kind() == "tf.data"
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    assert feed_kind() == "PyDataset"


def test_an_unknown_kind_is_refused(counted_clips: Any) -> None:
    with pytest.raises(ValueError, match=r"'tf.data' or 'PyDataset'\. Received: kind='torch'"):
        feed(Crops(counted_clips([20]), 8, 1), kind="torch")


class Regression(keras.Model):
    """A linear model of the waveform whose labels come with the inputs; its weights remember the order of batches."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(2, kernel_initializer="zeros")

    def call(self, inputs: dict) -> Any:
        return self.dense(inputs["waveforms"] * 100.0)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):  # type: ignore[no-untyped-def]
        return keras.ops.mean(keras.ops.square(keras.ops.subtract(y_pred, x["labels"])))


def compiled(crops: Crops) -> Regression:
    model = Regression()
    model.compile(keras.optimizers.SGD(0.02))
    model({"waveforms": np.zeros((1, crops.window), "float32"), "labels": np.zeros((1, 2), "float32")})
    return model


@pytest.mark.backends
@pytest.mark.parametrize("kind", KINDS)
def test_fit_sees_the_batches_of_its_epochs_in_order(counted_clips: Any, kind: str) -> None:
    crops = Crops(counted_clips([20, 30, 5, 40, 9]), 8, 2, seed=4)
    looped = compiled(crops)
    for epoch in (1, 2, 3):
        for step in range(crops.steps):
            waveforms, labels = crops.batch(epoch, step)
            looped.train_on_batch({"waveforms": waveforms, "labels": labels})
    fitted = compiled(crops)
    fitted.fit(
        feed(crops, first_epoch=1, kind=kind),
        steps_per_epoch=crops.steps,
        initial_epoch=1,
        epochs=4,
        shuffle=False,
        verbose=0,
    )
    # The same program on the same numbers; what is left is the rounding of float32 sums in another order.
    for mine, theirs in zip(fitted.get_weights(), looped.get_weights(), strict=True):
        assert np.abs(theirs).max() > 1e-3
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)
