import importlib.util
import json
import sys
from collections.abc import Callable

import keras
import pytest
from command_line import Outcome

import keraudio
from keraudio.backend import BACKENDS
from keraudio.saved_models import DEFAULT_MODEL

Command = Callable[..., Outcome]

pytestmark = pytest.mark.backends


def test_all_is_well_here(command: Command, backend: str) -> None:
    outcome = command("doctor", "--json")
    assert (outcome.code, outcome.err) == (0, b"")
    findings = json.loads(outcome.out)
    assert findings["schema"] == 1
    assert findings["healthy"] is True and findings["problems"] == [] and findings["missing"] == []
    assert findings["versions"]["keraudio"] == keraudio.__version__
    assert findings["versions"]["keras"] == keras.__version__
    assert findings["backend"] == backend
    assert findings["backends"] == dict.fromkeys(BACKENDS, True)
    assert findings["devices"] and all(isinstance(device, str) for device in findings["devices"])
    assert findings["feed"] == "tf.data"
    assert findings["decoders"] == dict.fromkeys(("wav", "flac", "ogg", "aiff", "mp3", "opus", "m4a"), True)
    assert DEFAULT_MODEL in findings["models"]


def test_people_read_the_same_and_the_verdict_last(command: Command, backend: str) -> None:
    outcome = command("doctor")
    assert (outcome.code, outcome.err) == (0, b"")
    assert outcome.lines[-1] == "all well"
    assert any(line.startswith(f"backend in use: {backend} on ") for line in outcome.lines)


def test_the_backend_in_use_may_be_asked_for_and_no_other(command: Command, backend: str) -> None:
    assert command("doctor", "--backend", backend).code == 0
    other = next(name for name in BACKENDS if name != backend)
    outcome = command("doctor", "--backend", other)
    assert (outcome.code, outcome.out) == (1, b"")
    assert outcome.message.endswith(f"Received: {other} while {backend} runs")


def test_what_is_missing_comes_with_the_command_that_adds_it(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "matplotlib" else find_spec(name))
    outcome = command("doctor", "--json")
    (missing,) = json.loads(outcome.out)["missing"]
    assert outcome.code == 0
    assert missing["extra"] == "plots" and missing["command"] == f"{sys.executable} -m pip install 'keraudio[plots]'"
    assert f"missing: pictures of runs: {missing['command']}" in command("doctor").lines


def test_no_backend_at_all_is_a_problem(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keraudio.cli.doctor.installed_backends", lambda: [])
    outcome = command("doctor", "--json")
    findings = json.loads(outcome.out)
    assert outcome.code == 1 and findings["healthy"] is False
    assert findings["problems"] == ["no backend is installed: pip install 'keraudio[tensorflow]'"]
    outcome = command("doctor")
    assert outcome.code == 1 and outcome.lines[-1] == "not all is well"


def test_keras_that_does_not_start_is_a_problem(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise keraudio.KeraudioError("Keras does not start with jax: ImportError: no such library")

    monkeypatch.setattr("keraudio.cli.doctor.start_keras", fail)
    outcome = command("doctor")
    assert outcome.code == 1
    assert "PROBLEM: Keras does not start with jax: ImportError: no such library" in outcome.lines
    findings = json.loads(command("doctor", "--json").out)
    assert findings["backend"] is None and findings["devices"] == []


def test_a_damaged_saved_model_is_a_problem(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    damaged = tmp_path / f"{DEFAULT_MODEL}.keras"
    damaged.write_bytes(b"damaged")
    monkeypatch.setattr("keraudio.saved_models.saved_models", lambda: {DEFAULT_MODEL: damaged})
    outcome = command("doctor", "--json")
    problems = json.loads(outcome.out)["problems"]
    assert outcome.code == 1
    assert problems[0].startswith(f"{damaged}: not a whole .keras archive")
    assert problems[1] == f"the default model {DEFAULT_MODEL} is missing: install keraudio again"
