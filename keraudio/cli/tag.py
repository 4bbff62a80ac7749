"""`keraudio tag`."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keraudio.cli.exit_codes import nothing_found
from keraudio.cli.options import backend_option, format_options, voting_options

if TYPE_CHECKING:
    from keraudio.tagging import Aliases, Prediction

EPILOG = """\b
Aliases are TOML, by the labels' names (--aliases mine.toml):
  drop = ["Experimental"]
  [rename]
  "Hip-Hop" = "Rap"
  [parent]
  "Metal" = "Rock"

\b
Examples:
  keraudio tag --demo
  keraudio tag ~/Music --top-k 2
  keraudio tag ~/Music --jsonl > genres.jsonl
  keraudio tag ~/Music --playlists ~/Playlists --min-confidence 0.8
  find ~/Music -newer last -print0 | keraudio tag -0
"""


@click.command(epilog=EPILOG)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--demo", is_flag=True, help="Tag the few clips that come with keraudio.")
@click.option("--model", default=None, help="A .keras file, a run folder or a saved model's name.")
@click.option("-0", "--null", is_flag=True, help="Read paths from standard input, each ended by a NUL.")
@click.option(
    "--aliases",
    "aliases_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A TOML file that renames labels, drops some, or adds parents; see below.",
)
@click.option(
    "--playlists",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for one playlist a label (.m3u8); only those that keraudio made are replaced.",
)
@click.option("--top-k", type=click.IntRange(min=1), default=3, show_default=True, help="Labels shown a song.")
@click.option("--no-recursive", is_flag=True, help="Leave out the folders inside a folder.")
@voting_options
@format_options
@backend_option
def tag(
    paths: tuple[Path, ...],
    demo: bool,
    null: bool,
    aliases_file: Path | None,
    playlists: Path | None,
    model: str | None,
    top_k: int,
    no_recursive: bool,
    windows: int,
    aggregate: str | None,
    min_confidence: float,
    all_tags: bool,
    jobs: int | None,
    form: str | None,
) -> int:
    """Print song -> genre for every song in PATHS, folders or files. Nothing is written to them.

    - among PATHS stands for paths from standard input, one a line.
    """
    listed = null or Path("-") in paths
    if demo == (listed or bool(paths)):
        raise click.UsageError("Give folders or files to tag, or --demo")
    if listed:
        paths = _with_standard_input(paths, null)

    from keraudio.audio import find_audio
    from keraudio.cli.start import start_keras
    from keraudio.model_file import check_model_file
    from keraudio.saved_models import DEFAULT_MODEL, resolve_model
    from keraudio.tagging import Aliases, demo_folder, read_aliases

    chosen = (demo_folder(),) if demo else paths
    path = resolve_model(model or DEFAULT_MODEL)
    description = check_model_file(path)
    aliases = read_aliases(aliases_file) if aliases_file else Aliases()
    _check_names(aliases, description.labels, playlists)
    songs = find_audio(chosen, recursive=not no_recursive)
    if not songs:
        return nothing_found(chosen)

    start_keras()
    from keraudio.classifier import load
    from keraudio.cli.answers import print_answers
    from keraudio.tagging import apply_aliases, predict_files, write_playlists

    root = chosen[0] if len(chosen) == 1 and chosen[0].is_dir() else None
    predictions: Iterable[Prediction] = (
        apply_aliases(prediction, aliases)
        for prediction in predict_files(
            load(path),
            songs,
            windows=windows,
            how=aggregate,
            jobs=jobs,
            all_labels=all_tags,
            min_confidence=min_confidence,
        )
    )
    kept: list[Prediction] = []
    if playlists is not None:
        predictions = _kept(predictions, kept)
    try:
        return print_answers(predictions, model=path.stem, form=form, top_k=top_k, root=root)
    finally:
        # Interrupted, too, what is finished is kept.
        if playlists is not None:
            write_playlists(kept, playlists)


def _kept(predictions: "Iterable[Prediction]", into: "list[Prediction]") -> "Iterator[Prediction]":
    for prediction in predictions:
        into.append(prediction)
        yield prediction


def _with_standard_input(paths: tuple[Path, ...], null: bool) -> tuple[Path, ...]:
    """The paths, with those of standard input in the place of `-`, or with `-0` at the end."""
    ending = b"\0" if null else b"\n"
    listed = [Path(os.fsdecode(name)) for name in sys.stdin.buffer.read().split(ending) if name]
    if Path("-") not in paths:
        return (*paths, *listed)
    place = paths.index(Path("-"))
    return (*paths[:place], *listed, *(path for path in paths[place + 1 :] if path != Path("-")))


def _check_names(aliases: "Aliases", labels: Sequence[str], playlists: Path | None) -> None:
    """Says which aliases name no label, and refuses playlists that would replace others."""
    from keraudio.nearest import did_you_mean
    from keraudio.tagging import playlist_files

    for name in sorted(aliases.names() - set(labels)):
        click.echo(f"keraudio: no label of the model is called {name!r}. {did_you_mean(name, labels)}", err=True)
    if playlists is not None:
        renamed = {aliases.rename.get(label, label) for label in labels} | set(aliases.parent.values())
        playlist_files(sorted(renamed), playlists)
