import importlib
import warnings
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from command_line import ENTRY, ODD_NAMES, Outcome, run_child

import keraudio
from keraudio import AudioError, DatasetError, KeraudioError, ModelFileError, RecipeError, TagError
from keraudio.cli.main import VERBS

Command = Callable[..., Outcome]


def test_the_version_is_the_packages(command: Command) -> None:
    outcome = command("--version")
    assert (outcome.code, outcome.lines) == (0, [f"keraudio, version {keraudio.__version__}"])


def test_help_names_every_verb_examples_and_exit_codes(command: Command) -> None:
    outcome = command("--help")
    assert outcome.code == 0 and outcome.err == b""
    text = "\n".join(outcome.lines)
    assert all(f"\n  {verb} " in text for verb in VERBS)
    assert "Examples:" in text and "Exit codes:" in text


def test_no_verb_shows_the_help_as_a_usage_error(command: Command) -> None:
    outcome = command()
    assert (outcome.code, outcome.out) == (2, b"")
    assert outcome.message.splitlines() == command("--help").lines


@pytest.mark.parametrize("verb", VERBS)
def test_each_verbs_help_ends_with_examples_or_is_short(command: Command, verb: str) -> None:
    for flag in ("--help", "-h"):
        outcome = command(verb, flag)
        assert outcome.code == 0 and outcome.err == b""
    assert outcome.lines[0].startswith(f"Usage: keraudio {verb}")
    assert max(map(len, outcome.lines)) <= 100
    options = sum(line.startswith(("  --", "  -v,")) for line in outcome.lines)
    assert options <= 5 or f"  keraudio {verb} " in "\n".join(outcome.lines[-6:])


@pytest.mark.parametrize("verb", VERBS)
def test_the_summary_in_the_list_is_about_what_the_verb_says(command: Command, verb: str) -> None:
    # They stand in two places, so that the list imports no verb.
    shown = importlib.import_module(f"keraudio.cli.{verb}").__dict__[verb].help or ""
    first = VERBS[verb].split()[0]
    assert first.lower() in shown.lower() or verb == "tag"


def test_an_unknown_verb_names_the_nearest(command: Command) -> None:
    outcome = command("evalute", "x")
    assert outcome.code == 2 and outcome.out == b""
    assert outcome.message.startswith("keraudio: A command must be one of tag, apply, undo, history, app, fit, ")
    assert outcome.message.endswith("Received: 'evalute'. Did you mean 'evaluate'?")


@pytest.mark.parametrize(
    ("arguments", "nearest"),
    [
        (["tag", ".", "--jsonn"], "--json"),
        (["tag", ".", "--window", "3"], "--windows"),
        (["fit", "x", "--data", "folder:x", "--outt", "y"], "--out"),
        (["evaluate", "x", "--fold", "1"], "--folds"),
        (["datasets", "verify", "x", "--jso"], "--json"),
    ],
)
def test_an_unknown_option_names_the_nearest(command: Command, arguments: list[str], nearest: str) -> None:
    outcome = command(*arguments)
    assert outcome.code == 2 and outcome.out == b""
    assert "No such option" in outcome.message and f"'{nearest}'" in outcome.message
    assert "\n" not in outcome.message


@pytest.mark.parametrize(
    ("arguments", "phrase"),
    [
        (["tag", ".", "--top-k", "0"], "'--top-k'"),
        (["tag", ".", "--windows", "many"], "'--windows'"),
        (["tag", ".", "--jobs", "-1"], "'--jobs'"),
        (["tag", ".", "--aggregate", "median"], "'mean', 'majority', 'max'"),
        (["tag", ".", "--backend", "theano"], "'tensorflow', 'jax', 'torch'"),
        (["predict", "m.keras"], "Missing argument 'FILES...'"),
        (["predict"], "Missing argument 'MODEL'"),
        (["fit", "folder_baseline"], "Missing option '--data'"),
        (["fit", "folder_baseline", "--data", "folder:x", "--seed", "-1"], "'--seed'"),
        (["evaluate", "x", "--split", "tets"], "'train', 'valid', 'test', 'all'"),
        (["evaluate", "x", "--folds", "one"], "must be numbers with commas between"),
        (["models", "a", "b"], "unexpected extra argument"),
        (["datasets", "verfy"], "No such command 'verfy'"),
    ],
)
def test_wrong_usage_is_one_line_that_names_what_is_wrong_and_the_help(
    command: Command, arguments: list[str], phrase: str
) -> None:
    outcome = command(*arguments)
    assert outcome.code == 2 and outcome.out == b""
    assert phrase in outcome.message and "\n" not in outcome.message
    assert f"`keraudio {arguments[0]}" in outcome.message


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Makes `keraudio models` raise."""

    def fail(error: BaseException) -> None:
        def callback(**_options: object) -> None:
            raise error

        monkeypatch.setattr(importlib.import_module("keraudio.cli.models").models, "callback", callback)

    return fail


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeraudioError("reason"), 1),
        (AudioError("reason"), 1),
        (ModelFileError("reason"), 1),
        (TagError("reason"), 1),
        (RecipeError("reason"), 2),
        (DatasetError("reason"), 2),
        (click.UsageError("reason"), 2),
    ],
)
def test_each_error_is_one_line_and_its_code(command: Command, failing, error: Exception, code: int) -> None:
    failing(error)
    outcome = command("models")
    assert (outcome.code, outcome.out) == (code, b"")
    assert outcome.message.removesuffix(" (see `keraudio models --help`)") == "keraudio: reason"


def test_a_message_of_many_lines_is_printed_as_one(command: Command, failing) -> None:
    failing(KeraudioError("first\nsecond\r\n\tthird  "))
    assert command("models").message == "keraudio: first second third"


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_message_may_hold_any_file_name(command: Command, failing, name: str) -> None:
    failing(KeraudioError(f"{name} is wrong"))
    outcome = command("models")
    assert outcome.code == 1
    assert outcome.message.endswith("is wrong") and "\n" not in outcome.message


def test_an_error_of_the_system_names_its_file(command: Command, failing) -> None:
    failing(OSError(28, "No space left on device", "runs/first/model.keras"))
    outcome = command("models")
    assert (outcome.code, outcome.message) == (1, "keraudio: runs/first/model.keras: no space left on device")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interruption_exits_130_and_says_what_is_kept(command: Command, failing, error: BaseException) -> None:
    failing(error)
    outcome = command("models")
    assert (outcome.code, outcome.out) == (130, b"")
    assert outcome.message.strip() == "keraudio: interrupted; everything finished so far is kept"


def test_a_bug_asks_to_be_reported_without_a_traceback(command: Command, failing) -> None:
    failing(ZeroDivisionError("division by zero\nmore"))
    outcome = command("models")
    assert outcome.code == 1
    assert outcome.message == "keraudio: internal error, please report it: ZeroDivisionError: division by zero"


@pytest.mark.parametrize("flag", ["-v", "--verbose"])
def test_verbose_shows_the_traceback_before_the_line(command: Command, failing, flag: str) -> None:
    failing(KeraudioError("reason"))
    outcome = command("models", flag)
    assert outcome.code == 1
    lines = outcome.message.splitlines()
    assert lines[0] == "Traceback (most recent call last):" and lines[-1] == "keraudio: reason"
    assert "Traceback" not in command("models").message


def test_every_verb_takes_verbose_once_however_often_it_runs(command: Command) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for verb in (*([verb] for verb in VERBS), ["datasets", "verify"]):
            for _ in range(2):
                outcome = command(*verb, "-v", "--help")
                assert outcome.code == 0
                assert sum("--verbose" in line for line in outcome.lines) == 1


def test_a_reader_that_leaves_ends_the_run_quietly() -> None:
    # As `keraudio recipes --json | true`: the pipe has no reader when the first line is written.
    code = "import os, sys; r, w = os.pipe(); os.close(r); os.dup2(w, 1); " + ENTRY
    child = run_child(code, "recipes", "--json")
    assert (child.code, child.out, child.err) == (0, b"", b"")


def test_a_full_disk_is_one_line_and_an_error() -> None:
    assert Path("/dev/full").exists()
    child = run_child("import os; os.dup2(os.open('/dev/full', os.O_WRONLY), 1); " + ENTRY, "recipes")
    assert (child.code, child.message) == (1, "keraudio: no space left on device")
