"""Ctrl-C becomes `KeyboardInterrupt` where no backend is at work, and is neither lost in one nor the end of it."""

import signal
import sys
import threading
import time
from _thread import interrupt_main
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

# Their C code calls Python back, and drops an exception that comes out of it, makes another of it, or crashes:
# TensorFlow asks a shape for its length while it makes a variable, JAX has a callback in the garbage collector.
_LIBRARIES = frozenset({"h5py", "jax", "jaxlib", "keras", "keras_hub", "tensorflow", "torch"})
_SECONDS = 0.02


class _Interruption:
    """One press of Ctrl-C after the other, from the signal to the exception."""

    def __init__(self) -> None:
        self.waits = False
        self._asks = False
        self._hook, sys.unraisablehook = sys.unraisablehook, self.hear
        # A signal's handler may use it whatever it has interrupted, where a lock or a thread's start may hang.
        self._requests: SimpleQueue[bool] = SimpleQueue()
        self._thread = threading.Thread(target=self._ask, name="interruption", daemon=True)
        self._thread.start()

    def handle(self, _number: int, frame: FrameType | None) -> None:
        """Of SIGINT, which is a press of Ctrl-C, or the thread that asks once more."""
        pressed, self._asks = not self._asks, False
        if not pressed and not self.waits:
            return
        if (pressed and self.waits) or not _within_library(frame):
            self.deliver()
        self._wait()

    def hear(self, lost: "sys.UnraisableHookArgs") -> None:
        """Of what Python cannot raise: out of `__del__`, a weak reference's callback, the garbage collector."""
        if issubclass(lost.exc_type, KeyboardInterrupt):
            self._wait()
        else:
            self._hook(lost)

    def _wait(self) -> None:
        self.waits = True
        self._requests.put(True)

    def _ask(self) -> None:
        while self._requests.get():
            time.sleep(_SECONDS)
            if self.waits:
                self._asks = True
                interrupt_main()

    def deliver(self) -> None:
        self.waits = False
        raise KeyboardInterrupt

    def close(self) -> None:
        """Leaves nothing behind that could interrupt later."""
        self.waits = False
        self._requests.put(False)
        self._thread.join()
        sys.unraisablehook = self._hook


def _within_library(frame: FrameType | None) -> bool:
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] in _LIBRARIES:
            return True
        frame = frame.f_back
    return False


_current: _Interruption | None = None


@contextmanager
def safe_interruptions() -> Iterator[None]:
    """Within the block Ctrl-C raises `KeyboardInterrupt` only where neither Keras nor a backend is being called.

    Until then it waits, in `model.fit` and `model.predict` until the running batch or the epoch's end is over, if they
    have the callback of `between_batches`; pressed once more, it does not wait. Nothing changes in other threads than
    the main one, and where something else than Python's own handler is told of Ctrl-C.
    """
    global _current
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    _current = interruption = _Interruption()
    signal.signal(signal.SIGINT, interruption.handle)
    try:
        yield
        check_interruption()
    finally:
        interruption.close()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _current = None


def check_interruption() -> None:
    """Raises `KeyboardInterrupt` if Ctrl-C waits for a place where it can be raised, such as this one."""
    if (interruption := _waiting()) is not None:
        interruption.deliver()


def _waiting() -> _Interruption | None:
    in_main_thread = threading.current_thread() is threading.main_thread()
    return _current if _current is not None and _current.waits and in_main_thread else None


def between_batches() -> "keras.callbacks.Callback":
    """A callback that lets Ctrl-C stop training, validation and prediction after each batch, and after each epoch.

    The model has the weights of that moment then.
    """
    import keras

    def check(_number: int, logs: dict | None = None) -> None:
        # Asked for its model, a callback makes JAX's trainer hand the weights back, which it has to itself.
        if _waiting() is not None and callback.model is not None:
            check_interruption()

    callback = keras.callbacks.LambdaCallback(
        on_epoch_end=check, on_train_batch_end=check, on_test_batch_end=check, on_predict_batch_end=check
    )
    return callback
