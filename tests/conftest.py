"""Each backend has its own worker process (see `addopts` in pyproject.toml); tests of no backend run on one of them."""

import gc
import os

import pytest

# As the command line sets it, and before JAX is imported, which would set a lower one.
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
# Most tests compile more than they compute. Level 0 is quicker still, but XLA's gradient of a maximum is NaN there.
if os.environ.get("KERAS_BACKEND") == "jax":
    os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=1")

# Three workers share the cores, and threads that wait for each other's shares spin: one thread each is quicker.
if "PYTEST_XDIST_WORKER" in os.environ:
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "NPROC"):
        os.environ.setdefault(name, "1")

BACKENDS = ("tensorflow", "jax", "torch")
# Unmarked tests run here: the worker whose own share is the shortest.
SHARED_WORKER = "torch"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ or os.environ["KERAS_BACKEND"] == SHARED_WORKER:
        return
    kept = [item for item in items if item.get_closest_marker("backends")]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def pytest_collection_finish() -> None:
    # What is imported by now stays: `keras.utils.clear_session` collects, which takes half a second with all of it.
    gc.collect()
    gc.freeze()


@pytest.fixture
def backend() -> str:
    """The backend that this process runs."""
    import keras

    return str(keras.backend.backend())
