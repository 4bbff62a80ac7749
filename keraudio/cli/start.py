"""Starting Keras without its backend's talk on standard error."""

import os
import shutil
import sys
import tempfile

import click


def start_keras() -> None:
    """Imports Keras and its backend; what they write to standard error is shown only with `-v`, or if they fail.

    TensorFlow logs from C++ before its own log level holds, so the file descriptor itself is turned aside.
    """
    context = click.get_current_context(silent=True)
    if "keras" in sys.modules or (context is not None and context.find_root().obj["verbose"]):
        return
    sys.stderr.flush()
    descriptor = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        started = False
        try:
            import keras  # noqa: F401

            started = True
        finally:
            sys.stderr.flush()
            os.dup2(descriptor, 2)
            os.close(descriptor)
            if not started:
                aside.seek(0)
                shutil.copyfileobj(aside, sys.stderr.buffer)
