import json
import os
import sys
from types import SimpleNamespace

import pytest

from keraudio import backend
from keraudio.backend import choose_backend, installed_backends, on_cpu
from keraudio.errors import KeraudioError


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Sets which backends seem installed, in a process that has not chosen or imported anything."""
    # First, so that it is put back whatever the code under test writes there.
    monkeypatch.setenv("KERAS_BACKEND", "none")
    monkeypatch.delenv("KERAS_BACKEND")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delitem(sys.modules, "keras", raising=False)

    def choose(*names: str) -> None:
        monkeypatch.setattr(backend, "find_spec", lambda name: object() if name in names else None)

    return choose


def test_the_installed_backends_are_found_without_importing_them(installed) -> None:
    installed("torch", "jax", "numpy")
    assert installed_backends() == ["jax", "torch"]


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (("tensorflow", "jax", "torch"), None),
        (("jax", "torch"), "jax"),
        (("torch",), "torch"),
        ((), None),
    ],
)
def test_without_a_choice_keras_default_stands_if_it_is_installed_else_the_first_that_is(
    names, chosen, installed
) -> None:
    installed(*names)
    choose_backend()
    assert os.environ.get("KERAS_BACKEND") == chosen


def test_what_the_user_set_stands_even_if_it_is_not_installed(installed, monkeypatch) -> None:
    installed("jax")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    choose_backend()
    assert os.environ["KERAS_BACKEND"] == "torch"


@pytest.mark.parametrize(("configured", "chosen"), [("torch", None), ("tensorflow", "jax")])
def test_keras_own_configuration_stands_if_its_backend_is_installed(configured, chosen, installed, tmp_path) -> None:
    installed("jax", "torch")
    (tmp_path / "keras.json").write_text(json.dumps({"backend": configured}))
    choose_backend()
    assert os.environ.get("KERAS_BACKEND") == chosen


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "\xff"])
def test_a_damaged_configuration_counts_as_none(content, installed, tmp_path) -> None:
    installed("jax")
    (tmp_path / "keras.json").write_bytes(content.encode("latin-1"))
    choose_backend()
    assert os.environ["KERAS_BACKEND"] == "jax"


def test_a_name_is_chosen_over_everything(installed, monkeypatch) -> None:
    installed("jax", "torch")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    choose_backend("torch")
    assert os.environ["KERAS_BACKEND"] == "torch"


def test_a_name_that_is_not_installed_is_refused_with_the_command_that_installs_it(installed) -> None:
    installed("jax")
    with pytest.raises(KeraudioError) as caught:
        choose_backend("torch")
    assert str(caught.value) == (
        "The backend must be installed (pip install 'keraudio[torch]'). Received: torch, installed: jax"
    )
    assert "KERAS_BACKEND" not in os.environ


def test_after_keras_is_imported_only_the_backend_that_runs_may_be_named(installed, monkeypatch) -> None:
    installed("jax", "torch")
    running = SimpleNamespace(backend=SimpleNamespace(backend=lambda: "jax"))
    monkeypatch.setitem(sys.modules, "keras", running)
    choose_backend("jax")
    with pytest.raises(KeraudioError, match="before Keras is imported. Received: torch while jax runs"):
        choose_backend("torch")
    choose_backend()
    assert os.environ["KERAS_BACKEND"] == "jax"


@pytest.mark.parametrize(
    ("devices", "expected"),
    [(["cpu:0", "cpu:1"], True), (["cpu"], True), (["gpu:0"], False), (["cpu:0", "cuda:0"], False)],
)
def test_one_accelerator_is_enough_not_to_be_on_cpus_alone(monkeypatch, devices, expected: bool) -> None:
    monkeypatch.setattr(backend, "devices", lambda: devices)
    assert on_cpu() == expected
