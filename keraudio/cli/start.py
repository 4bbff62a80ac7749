"""Starting Keras without its backend's talk on standard error."""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keraudio.errors import KeraudioError

if TYPE_CHECKING:
    import keras

    from keraudio.tagging import StoredModel


def is_verbose() -> bool:
    """Whether the user asked for more (`-v`)."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.find_root().obj["verbose"])


def start_keras(*, feeds: bool = False) -> None:
    """Imports Keras and its backend; what they write to standard error is shown only with `-v`, or if they fail.

    Args:
        feeds: also import what feeds batches, which is TensorFlow on the other backends too. Defaults to False.

    Raises:
        KeraudioError: they do not start, such as with an unknown name in KERAS_BACKEND.
    """
    if "keras" in sys.modules and not feeds:
        return
    try:
        with contextlib.nullcontext() if is_verbose() else _talk_aside():
            import keras  # noqa: F401

            if feeds:
                from keraudio.pipeline import start_feed

                start_feed()
    except Exception as error:
        backend = os.environ.get("KERAS_BACKEND", "the default backend")
        raise KeraudioError(f"Keras does not start with {backend}: {type(error).__name__}: {error}") from error


def stored_model(path: Path) -> "StoredModel":
    """A model file that is checked now, and for which Keras starts when the first song needs it.

    Raises:
        ModelFileError: it is missing, damaged or unsafe.
    """
    from keraudio.model_file import check_model_file
    from keraudio.tagging import StoredModel

    def load(file: Path) -> "keras.Model":
        start_keras()
        from keraudio.classifier import load

        return load(file)

    return StoredModel(path, check_model_file(path), load)


# What standard error was, while it is held back.
_held_back: int | None = None


def show_stderr() -> None:
    """Lets standard error through again, for a last message while another thread still starts Keras."""
    if (descriptor := _held_back) is not None:
        # Closed by now, it has been let through.
        with contextlib.suppress(OSError):
            os.dup2(descriptor, 2)


@contextlib.contextmanager
def _talk_aside() -> Iterator[None]:
    """Holds standard error back, and lets it out only if the block fails.

    TensorFlow logs from C++ before its own log level holds, so the file descriptor itself is turned aside.
    """
    global _held_back
    sys.stderr.flush()
    _held_back = descriptor = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        failed = False
        try:
            yield
        except Exception:
            failed = True
            raise
        finally:
            sys.stderr.flush()
            os.dup2(descriptor, 2)
            _held_back = None
            os.close(descriptor)
            if failed:
                aside.seek(0)
                shutil.copyfileobj(aside, sys.stderr.buffer)
