"""`keraudio`: finds the verb, and turns what goes wrong into one line and an exit code."""

import contextlib
import importlib
import logging
import os
import sys
import traceback

import click

from keraudio.cli.exit_codes import INTERRUPTED
from keraudio.cli.start import show_stderr
from keraudio.errors import KeraudioError
from keraudio.interruption import safe_interruptions
from keraudio.nearest import did_you_mean
from keraudio.version import __version__

# Summaries stand here so that `keraudio --help` imports no verb.
VERBS = {
    "tag": "Name the genre of every song in a folder; with --write, in the songs too.",
    "apply": "Carry out a plan that `keraudio tag --plan` wrote.",
    "undo": "Take back what a run wrote.",
    "history": "List the runs that wrote, or what one of them did.",
    "app": "Open the desktop app: a folder of songs, tagged by eye and ear.",
    "fit": "Train a classifier from a recipe.",
    "pretrain": "Teach a front end a spectrogram from unlabelled clips.",
    "search": "Search the settings of a recipe that do best.",
    "evaluate": "Measure a classifier on labelled clips.",
    "predict": "Print a classifier's labels for audio files.",
    "embed": "Write the features that a model's layers hear in audio files.",
    "transfer": "Teach a trained model's features the labels of another data set.",
    "study": "Run the rows of a paper's table and set them beside its figures.",
    "visualize": "Draw what a trained network has learned.",
    "recipes": "List the recipes, or print one.",
    "models": "List the models that come with keraudio.",
    "convert": "Turn weights of another project into .keras files.",
    "datasets": "List the kinds of data sets, or check one.",
    "doctor": "Show versions, backends, devices and decoders, and what is missing.",
}

EPILOG = """\b
Examples:
  keraudio tag --demo
  keraudio tag ~/Music
  keraudio tag ~/Music --write
  keraudio undo --last
  keraudio fit folder_baseline --data folder:~/sounds --out runs/first
  keraudio evaluate runs/first --split test

\b
Exit codes: 0 all well, 1 fatal, 2 wrong usage, 3 some files failed and the
rest is done, 4 no audio found, 130 interrupted.
"""


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command = getattr(importlib.import_module(f"keraudio.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        _add_verbose(command)
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except BrokenPipeError:
            # The reader (`| head`) has gone; Python would complain once more when it closes the stream. Caught here,
            # because click would exit with 1.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0

    def resolve_command(self, ctx: click.Context, args: list[str]):
        if args and not args[0].startswith("-") and args[0] not in VERBS:
            raise click.UsageError(
                f"A command must be one of {', '.join(VERBS)}. Received: {args[0]!r}. " + did_you_mean(args[0], VERBS)
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


def _add_verbose(command: click.Command) -> None:
    """Gives `-v` to a verb and to the verbs below it, once each."""
    for verb in (command, *getattr(command, "commands", {}).values()):
        if all(param.name != "verbose" for param in verb.params):
            verb.params.append(_verbose_option())


def _verbose_option() -> click.Option:
    def remember(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        if value:
            ctx.find_root().obj["verbose"] = True
            logging.getLogger("keraudio").setLevel(logging.INFO)

    return click.Option(
        ["-v", "--verbose"], is_flag=True, expose_value=False, callback=remember, help="Say more; show tracebacks."
    )


@click.group(
    cls=_Verbs, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="keraudio")
def keraudio() -> None:
    """Train audio classifiers with learnable front ends, and tag folders of songs."""


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and exits with its code."""
    code = run(sys.argv[1:] if arguments is None else arguments)
    try:
        sys.stdout.flush()
    except OSError:
        # Reported already; Python would try once more as it exits, and exit with 120.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if code == INTERRUPTED:
        # A backend that compiles in its thread would keep the process for seconds.
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Runs the command line and returns its exit code."""
    _quieten()
    state: dict[str, bool] = {"verbose": False}
    try:
        with safe_interruptions():
            result = keraudio.main(args=arguments, prog_name="keraudio", standalone_mode=False, obj=state)
        return result if isinstance(result, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.UsageError as error:
        context = f" (see `{error.ctx.command_path} --help`)" if error.ctx else ""
        return _fail(f"{error.format_message()}{context}", 2, state)
    except click.ClickException as error:
        return _fail(error.format_message(), error.exit_code, state)
    except KeraudioError as error:
        return _fail(str(error), error.exit_code, state)
    except (KeyboardInterrupt, click.Abort):
        return _fail("interrupted; everything finished so far is kept", INTERRUPTED, state)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{(error.strerror or str(error)).lower()}", 1, state)
    except Exception as error:
        lines = str(error).splitlines() or [""]
        return _fail(f"internal error, please report it: {type(error).__name__}: {lines[0]}", 1, state)


def _fail(message: str, code: int, state: dict[str, bool]) -> int:
    if state["verbose"]:
        traceback.print_exc()
    # One line whatever stands in a name or a library's message.
    line = " ".join(message.split())
    show_stderr()
    sys.stderr.write(f"keraudio: {line}\n".encode(errors="backslashreplace").decode())
    sys.stderr.flush()
    return code


def _quieten() -> None:
    """Libraries keep their start-up talk to themselves; names that are not UTF-8 pass through the streams."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Standard output is for programs.
    logging.basicConfig(level=logging.WARNING, format="keraudio: %(message)s", stream=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="surrogateescape")
