"""Batches as something `model.fit` reads ahead of itself: tf.data, or the same without TensorFlow."""

from concurrent.futures import Future, ThreadPoolExecutor
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from keraudio.pipeline.batches import Batch, Crops, Windows

if TYPE_CHECKING:
    import tensorflow as tf

# Batches assembled ahead of the model: enough to hide one slow read, small beside the model's own memory.
READ_AHEAD = 4


def feed_kind() -> str:
    """`"tf.data"` where TensorFlow is installed, else `"PyDataset"`."""
    return "tf.data" if find_spec("tensorflow") is not None else "PyDataset"


def start_feed() -> None:
    """Imports what feeds batches, which takes seconds and, with TensorFlow, is not silent."""
    if feed_kind() == "tf.data":
        import tensorflow  # noqa: F401


def feed(batches: Crops | Windows, *, first_epoch: int = 0, labels: bool = True, kind: str | None = None) -> Any:
    """What `fit` and `predict` iterate over: dicts of `"waveforms"` and `"labels"`, or waveforms alone.

    Training batches (`Crops`) go on without end, so `fit` needs `steps_per_epoch=batches.steps`; evaluation batches
    (`Windows`) end after one pass. Both kinds of feed give the same batches in the same order.

    Args:
        batches: what to feed.
        first_epoch: epoch that the first batch belongs to, when a run is resumed. Defaults to 0.
        labels: give the labels too. Defaults to True.
        kind: `"tf.data"` or `"PyDataset"`. Defaults to `feed_kind()`.

    Returns:
        A `tf.data.Dataset` or a `keras.utils.PyDataset`.

    Raises:
        ValueError: `kind` is neither.
    """
    kind = feed_kind() if kind is None else kind
    if kind == "tf.data":
        return _tf_dataset(batches, first_epoch, labels)
    if kind == "PyDataset":
        return _PyDataset(batches, first_epoch, labels)
    raise ValueError(f"`kind` must be 'tf.data' or 'PyDataset'. Received: kind={kind!r}")


def _tf_dataset(batches: Crops | Windows, first_epoch: int, with_labels: bool) -> "tf.data.Dataset":
    import tensorflow as tf

    def assemble(index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return batches.batch(*divmod(int(index), batches.steps))

    def load(index: "tf.Tensor") -> Any:
        waveforms, labels = tf.numpy_function(assemble, [index], [tf.float32, tf.float32], stateful=False)
        waveforms.set_shape((None, batches.window))
        labels.set_shape((None, batches.targets.shape[1]))
        return {"waveforms": waveforms, "labels": labels} if with_labels else waveforms

    last = batches.steps if isinstance(batches, Windows) else np.iinfo("int64").max
    first = first_epoch * batches.steps if isinstance(batches, Crops) else 0
    indices = tf.data.Dataset.range(first, last)
    return indices.map(load, num_parallel_calls=2, deterministic=True).prefetch(READ_AHEAD)


class _PyDataset(keras.utils.PyDataset):
    def __init__(self, batches: Crops | Windows, first_epoch: int, with_labels: bool):
        # One worker, and reading ahead here: with more, Keras' queue goes on behind the batch that it drew to build
        # the model, which `fit` then never sees.
        super().__init__(workers=1)
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="keraudio-feed")
        self._ahead: dict[int, Future[Batch]] = {}
        self._batches = batches
        self._with_labels = with_labels
        self._first_step = first_epoch * batches.steps if isinstance(batches, Crops) else 0

    @property
    def num_batches(self) -> int | None:
        return self._batches.steps if isinstance(self._batches, Windows) else None

    def __getitem__(self, index: int) -> tuple[Any]:
        stop = index + 1 + READ_AHEAD
        if self.num_batches is not None:
            stop = min(stop, self.num_batches)
        self._ahead = {i: self._ahead.get(i) or self._pool.submit(self._batch, i) for i in range(index, stop)}
        waveforms, labels = self._ahead[index].result()
        return ({"waveforms": waveforms, "labels": labels},) if self._with_labels else (waveforms,)

    def _batch(self, index: int) -> Batch:
        return self._batches.batch(*divmod(self._first_step + index, self._batches.steps))
