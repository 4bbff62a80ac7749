"""Options that several verbs share."""

import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from keraudio.backend import BACKENDS, choose_backend


def _use(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        choose_backend(value)
    return value


def backend_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--backend`, settled before anything imports Keras."""
    return click.option(
        "--backend",
        type=click.Choice(BACKENDS),
        callback=_use,
        expose_value=False,
        is_eager=True,
        help="Keras backend. Default: the configured one, or one that is installed.",
    )(command)


def recipe_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--set` and `--seed`: what of a recipe is changed, and of its randomness."""
    command = click.option(
        "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of everything random."
    )(command)
    return click.option(
        "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a recipe's key; may be repeated."
    )(command)


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--set`, `--seed`, `--out`, `--resume`: how a recipe is run, and where."""
    command = click.option("--resume", is_flag=True, help="Go on with the run in --out.")(command)
    command = click.option(
        "--out",
        type=click.Path(path_type=Path, file_okay=False),
        help="Run folder. Default: runs/RECIPE-DATE-TIME.",
    )(command)
    return recipe_options(command)


def run_folder(out: Path | None, recipe: str, *, resume: bool) -> Path:
    """The folder that `run_options` ask for.

    Raises:
        UsageError: there is none to go on with.
    """
    if out is not None:
        return out
    if resume:
        raise click.UsageError("--resume needs --out, the run folder to go on with")
    return Path("runs") / f"{Path(recipe).stem}-{time.strftime('%Y%m%d-%H%M%S')}"


def can_draw() -> bool:
    """Whether matplotlib is there; if not, it is said that no pictures will be drawn."""
    found = find_spec("matplotlib") is not None
    if not found:
        click.echo("no pictures will be drawn: they need pip install 'keraudio[plots]'", err=True)
    return found


def cache_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--cache`, the folder of decoded clips."""
    return click.option(
        "--cache",
        "cache_folder",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder of decoded clips. Default: KERAUDIO_CACHE or the platform's cache folder.",
    )(command)


def format_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--json`, `--jsonl`, `--csv`: the form of the output for programs; none of them is the form for people."""
    for name, text in (
        ("csv", "One row a file, as CSV."),
        ("jsonl", "One JSON record a file, each as soon as it is known."),
        ("json", "One JSON document."),
    ):
        command = click.option(f"--{name}", "form", flag_value=name, help=text)(command)
    return command


def voting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--windows`, `--aggregate`, `--min-confidence`, `--all-tags`, `--jobs`, `--time-limit`: for predicting files."""
    command = click.option(
        "--time-limit",
        type=click.FloatRange(min=0, min_open=True),
        default=180.0,
        show_default=True,
        help="Seconds that opening a file may take.",
    )(command)
    command = click.option(
        "--jobs", type=click.IntRange(min=1), help="Decoding processes. Default: the number of processors."
    )(command)
    command = click.option(
        "--all-tags",
        is_flag=True,
        help="Also what is no genre - moods, eras, voices, instruments - if the model knows it.",
    )(command)
    command = click.option(
        "--min-confidence",
        type=click.FloatRange(0, 1),
        default=0.0,
        help="Answers below it are unsure, whatever the model's thresholds.",
    )(command)
    command = click.option(
        "--aggregate", type=click.Choice(("mean", "majority", "max")), help="How windows vote. Default: the model's."
    )(command)
    return click.option(
        "--windows",
        type=click.IntRange(min=1),
        default=10,
        show_default=True,
        help="Most windows of a file, evenly spread over it.",
    )(command)


def journal_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--journal`, the file that remembers what was written."""
    return click.option(
        "--journal",
        "journal_path",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Where it is noted what was written. Default: KERAUDIO_JOURNAL or the platform's data folder.",
    )(command)


def writing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--id3v23` and `--backup` of the verbs that write to songs."""
    command = click.option(
        "--backup",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder for whole copies of the songs as they were before.",
    )(command)
    return click.option(
        "--id3v23",
        is_flag=True,
        help='Write ID3 tags of version 2.3, several genres as "a/b", for old software.',
    )(command)


def model_files(names: str) -> list[Path]:
    """The checked files of models by path, run folder or name, with commas between.

    Raises:
        ModelFileError: there is no such model, or a file is no model's.
    """
    from keraudio.model_file import check_model_file
    from keraudio.saved_models import resolve_model

    files = [resolve_model(name) for name in names.split(",")]
    for file in files:
        check_model_file(file)
    return files


def _names(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    names = tuple(part.strip() for part in value.split(",") if part.strip())
    if not names:
        raise click.BadParameter(f"must be names or levels with commas between. Received: {value!r}")
    return names


def feature_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--layers`, `--time` and `--over-windows` of the verbs that take features from inside a model."""
    command = click.option(
        "--over-windows",
        type=click.Choice(("mean", "max")),
        default="mean",
        show_default=True,
        help="How the features of a file's windows are joined.",
    )(command)
    command = click.option(
        "--time",
        type=click.Choice(("max", "mean")),
        default="max",
        show_default=True,
        help="How a window's frames are joined.",
    )(command)
    return click.option(
        "--layers",
        "asked",
        callback=_names,
        help="Layers by name, or levels from the end, with commas between. Default: -1,-2,-3, as far as there are.",
    )(command)
