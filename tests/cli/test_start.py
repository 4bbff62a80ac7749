import json

import pytest
from command_line import ENTRY, run_child

HEAVY = ("keras", "tensorflow", "jax", "torch", "librosa", "scipy", "sklearn", "matplotlib", "av", "keras_hub")

# Runs several command lines and then tells which heavy packages were imported.
LIGHT_RUNS = """
import json, sys
from keraudio.cli.main import run
codes = [run(arguments) for arguments in json.loads(sys.argv[1])]
print(json.dumps([codes, sorted(set(json.loads(sys.argv[2])) & set(sys.modules))]), file=sys.stderr)
"""


def light_runs(*command_lines: list[str]) -> tuple[list[int], list[str], float]:
    """Exit codes, heavy packages imported, CPU seconds."""
    child = run_child(LIGHT_RUNS, json.dumps(command_lines), json.dumps(HEAVY))
    codes, heavy = json.loads(child.message.splitlines()[-1])
    return codes, heavy, child.cpu_seconds


def test_help_takes_under_half_a_second_and_imports_nothing_heavy() -> None:
    codes, heavy, _ = light_runs(["--help"])
    assert (codes, heavy) == ([0], [])
    # The quickest of three, as the first may have to compile this package.
    assert min(run_child(ENTRY, "--help").cpu_seconds for _ in range(3)) < 0.5


def test_every_verbs_help_imports_nothing_heavy() -> None:
    from keraudio.cli.main import VERBS

    codes, heavy, _ = light_runs(*([verb, "--help"] for verb in VERBS), ["datasets", "verify", "--help"])
    assert (set(codes), heavy) == ({0}, [])


def test_what_only_lists_imports_no_backend() -> None:
    lists = ["recipes"], ["recipes", "--json"], ["models"], ["models", "openmusic_baseline", "--json"], ["datasets"]
    codes, heavy, _ = light_runs(*lists, ["datasets", "--json"])
    assert (set(codes), heavy) == ({0}, [])


def test_a_wrong_name_is_refused_without_waiting_for_a_backend(tmp_path) -> None:
    (tmp_path / "none").mkdir()
    damaged = tmp_path / "damaged.keras"
    damaged.write_bytes(b"PK\x03\x04 not an archive")
    codes, heavy, _ = light_runs(
        ["tag"],
        ["tag", str(tmp_path / "missing")],
        ["tag", str(tmp_path / "none")],
        ["tag", str(tmp_path), "--model", "openmusik"],
        ["predict", "openmusik", "song.wav"],
        ["predict", str(damaged), "song.wav"],
        ["evaluate", "openmusik", "--data", "folder:x"],
        ["evaluate", "openmusic_baseline"],
        ["evaluate", "openmusic_baseline", "--data", "foldr:x"],
        ["fit", "folder_baselin", "--data", "folder:x"],
        ["fit", "folder_baseline", "--data", "folder:x", "--resume"],
        ["datasets", "verify", "folder:/nowhere"],
    )
    assert codes == [2, 1, 4, 1, 1, 1, 1, 2, 2, 2, 2, 2]
    assert heavy == []


@pytest.mark.parametrize("flags", [[], ["-v"]])
def test_an_unknown_backend_in_the_environment_is_named(flags: list[str]) -> None:
    child = run_child(ENTRY, "recipes", "folder_baseline", *flags, KERAS_BACKEND="theano")
    assert (child.code, child.out) == (1, b"")
    last = child.message.splitlines()[-1]
    assert last.startswith("keraudio: Keras does not start with theano: ")
    assert "internal error" not in child.message


def test_what_feeds_batches_to_another_backend_is_silent_too() -> None:
    code = "import sys; from keraudio.cli.start import start_keras; start_keras(feeds=True); print(*sys.modules)"
    child = run_child(code, KERAS_BACKEND="torch")
    assert (child.code, child.err) == (0, b"")
    assert {"torch", "tensorflow"} <= set(child.lines[0].split())


FAKE_KERAS = """
import os, sys, types
from importlib.machinery import ModuleSpec

class Finder:
    def find_spec(self, name, path=None, target=None):
        return ModuleSpec(name, self) if name == "keras" else None
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        os.write(2, b"talk from C++\\n")
        print("talk from Python", file=sys.stderr)
        if sys.argv[1] == "fails":
            raise ImportError("no such library")

sys.meta_path.insert(0, Finder())
from keraudio.cli.start import start_keras
from keraudio.errors import KeraudioError
try:
    start_keras()
except KeraudioError as error:
    print(error)
print("after", file=sys.stderr)
"""


def test_the_talk_is_shown_if_the_backend_fails() -> None:
    # Layers are registered when Keras is imported; there are none here.
    quiet = "import keraudio, wrapt; keraudio._register_layers = None\n"
    child = run_child(quiet + FAKE_KERAS, "fails", KERAS_BACKEND="jax")
    assert child.lines == ["Keras does not start with jax: ImportError: no such library"]
    assert sorted(child.message.splitlines()) == ["after", "talk from C++", "talk from Python"]


def test_an_interruption_is_told_while_another_thread_starts_keras() -> None:
    # As `keraudio tag` does, whose network starts with the first song.
    code = """
import os, threading
import click
from keraudio.cli import main, start

held_back = threading.Event()
def verb():
    def begin():
        with start._talk_aside():
            os.write(2, b"talk from C++\\n")
            held_back.set()
            threading.Event().wait()
    threading.Thread(target=begin, daemon=True).start()
    held_back.wait()
    raise KeyboardInterrupt
main.keraudio.get_command = lambda _context, _name: click.Command("models", callback=verb)
main.main(["models"])
"""
    child = run_child(code)
    assert (child.code, child.message.strip()) == (130, "keraudio: interrupted; everything finished so far is kept")
