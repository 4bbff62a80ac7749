"""Ctrl-C: never within a backend, and never lost."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from keraudio.interruption import between_batches, check_interruption, safe_interruptions


@pytest.fixture(autouse=True)
def _as_python_starts() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press() -> None:
    signal.raise_signal(signal.SIGINT)


def wait() -> None:
    """Computes until it is interrupted."""
    began = time.monotonic()
    while time.monotonic() < began + 30:
        pass
    raise AssertionError("nothing has interrupted")


def within(module: str, body: Callable[[], None]) -> None:
    """Calls `body` from a function of a module of that name."""
    scope: dict[str, Any] = {"__name__": module}
    exec("def call(body): body()", scope)
    scope["call"](body)


class Presses(keras.callbacks.Callback):
    """Presses Ctrl-C at a moment of the training, and notes each that was passed."""

    def __init__(self, moment: str, times: int = 1):
        super().__init__()
        self.moment = moment
        self.times = times
        self.passed: list[str] = []

    def _pass(self, moment: str) -> None:
        for _ in range(self.times if moment == self.moment else 0):
            press()
        self.passed.append(moment)

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        self._pass("train")

    def on_test_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        self._pass("test")

    def on_predict_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        self._pass("predict")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._pass("epoch")


@pytest.fixture
def model() -> keras.Model:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


X, Y = np.ones((4, 3), "float32"), np.ones((4, 1), "float32")


def fit(model: keras.Model, presses: Presses) -> None:
    with safe_interruptions():
        model.fit(
            X,
            Y,
            batch_size=2,
            validation_data=(X, Y),
            validation_batch_size=2,
            epochs=2,
            callbacks=[presses, between_batches()],
            verbose=0,
        )


@pytest.mark.backends
@pytest.mark.parametrize(
    ("moment", "passed"),
    [
        ("train", ["train"]),
        ("test", ["train", "train", "test"]),
        ("epoch", ["train", "train", "test", "test", "epoch"]),
    ],
)
def test_training_stops_once_the_batch_is_done(model: keras.Model, moment: str, passed: list[str]) -> None:
    presses = Presses(moment)
    with pytest.raises(KeyboardInterrupt):
        fit(model, presses)
    assert presses.passed == passed
    # It can be used on, and has learned so far.
    assert np.isfinite(model.predict(X, verbose=0)).all() and int(model.optimizer.iterations.value) > 0


@pytest.mark.backends
def test_prediction_does_so_too(model: keras.Model) -> None:
    presses = Presses("predict")
    with pytest.raises(KeyboardInterrupt), safe_interruptions():
        model.predict(X, batch_size=2, verbose=0, callbacks=[presses, between_batches()])
    assert presses.passed == ["predict"]


@pytest.mark.backends
def test_a_layer_is_built_before_anything_is_raised() -> None:
    built = []

    class Pressing(keras.layers.Layer):
        def build(self, shape: tuple[int | None, ...]) -> None:
            press()
            built.append(self.add_weight(shape=(3,)))

    with pytest.raises(KeyboardInterrupt), safe_interruptions():
        Pressing().build((None, 3))
        wait()
    assert len(built) == 1


@pytest.mark.backends
def test_a_second_press_does_not_wait(model: keras.Model) -> None:
    presses = Presses("train", times=2)
    with pytest.raises(KeyboardInterrupt):
        fit(model, presses)
    assert presses.passed == []


def test_outside_of_libraries_nothing_waits() -> None:
    reached = False
    with pytest.raises(KeyboardInterrupt), safe_interruptions():
        press()
        reached = True
    assert not reached


@pytest.mark.parametrize("library", ["tensorflow.python.framework.tensor_shape", "jax", "torch._C", "keras.src"])
def test_after_a_librarys_callback_it_is_raised_by_itself(library: str) -> None:
    reached = False
    with pytest.raises(KeyboardInterrupt), safe_interruptions():
        within(library, press)
        reached = True
        wait()
    assert reached


@pytest.mark.parametrize("library", ["tensorflowish", "keraudio.training.fit", "numpy"])
def test_other_modules_are_none_of_these_libraries(library: str) -> None:
    reached = False

    def body() -> None:
        nonlocal reached
        press()
        reached = True

    with pytest.raises(KeyboardInterrupt), safe_interruptions():
        within(library, body)
    assert not reached


def test_it_can_be_asked_for() -> None:
    reached = []

    def body() -> None:
        check_interruption()
        press()
        reached.append("press")
        check_interruption()
        reached.append("check")

    with pytest.raises(KeyboardInterrupt), safe_interruptions():
        within("jax", body)
    assert reached == ["press"]


class _ThrownAway:
    def __del__(self) -> None:
        press()


def test_where_python_cannot_raise_it_comes_a_moment_later() -> None:
    reached = False
    with pytest.raises(KeyboardInterrupt), safe_interruptions():
        _ThrownAway()
        reached = True
        wait()
    assert reached


def test_what_else_python_cannot_raise_is_told_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    with safe_interruptions():
        sys.unraisablehook(SimpleNamespace(exc_type=ValueError))
    assert [one.exc_type for one in told] == [ValueError]
    assert sys.unraisablehook == told.append


def test_at_the_end_of_the_block_it_waits_no_more() -> None:
    with pytest.raises(KeyboardInterrupt), safe_interruptions():
        within("jax", press)


def test_an_error_stays_the_error_that_it_is_and_nothing_follows_it() -> None:
    def fail() -> None:
        press()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), safe_interruptions():
        within("jax", fail)
    time.sleep(0.1)


def test_blocks_may_stand_in_each_other() -> None:
    reached = False
    with pytest.raises(KeyboardInterrupt), safe_interruptions():
        with safe_interruptions():
            within("jax", press)
        reached = True
        wait()
    assert reached


@pytest.mark.parametrize("handler", [signal.SIG_IGN, lambda _number, _frame: None])
def test_who_handles_it_otherwise_goes_on_to(handler: Any) -> None:
    signal.signal(signal.SIGINT, handler)
    with safe_interruptions():
        assert signal.getsignal(signal.SIGINT) is handler
        within("jax", press)
    assert signal.getsignal(signal.SIGINT) is handler


def test_other_threads_train_as_ever(model: keras.Model) -> None:
    presses = Presses("never")
    thread = threading.Thread(target=fit, args=(model, presses))
    thread.start()
    thread.join()
    assert presses.passed.count("epoch") == 2
