"""`keraudio tag`."""

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keraudio.cli.exit_codes import nothing_found
from keraudio.cli.options import backend_option, format_options, journal_option, voting_options, writing_options

if TYPE_CHECKING:
    from keraudio.tagging import Aliases, Outcome

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
  keraudio tag ~/Music --write
  keraudio undo --last
  keraudio tag ~/Music --existing append --plan genres.csv
  keraudio tag ~/Music --organize "{genre}/{artist}/{file}" --write
  keraudio tag ~/Music --jsonl > genres.jsonl
  keraudio tag ~/Music --playlists ~/Playlists --min-confidence 0.8
  find ~/Music -newer last -print0 | keraudio tag -0
"""


@click.command(epilog=EPILOG)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--demo", is_flag=True, help="Tag the few clips that come with keraudio.")
@click.option("--model", default=None, help="A .keras file, a run folder or a saved model's name.")
@click.option("-0", "--null", is_flag=True, help="Read paths from standard input, each ended by a NUL.")
@click.option("--no-recursive", is_flag=True, help="Leave out the folders inside a folder.")
@click.option("--follow", is_flag=True, help="Follow links to folders.")
@click.option("--write", is_flag=True, help="Write the genres into the songs; `keraudio undo` takes them back.")
@click.option(
    "--plan",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write what would change to a CSV file, to be edited and given to `keraudio apply`.",
)
@click.option(
    "--existing",
    type=click.Choice(("keep", "append", "replace")),
    default="keep",
    show_default=True,
    help="What becomes of genres that a song has: they stay alone, stay first, or go.",
)
@click.option(
    "--top-k",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Genres written, and labels shown, a song.",
)
@click.option(
    "--organize",
    "pattern",
    help='Move songs, too, below their folder: "{genre}/{artist}/{file}"; also {album}, {title}, {folder}.',
)
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
@click.option("--refresh", is_flag=True, help="Listen again to songs whose results are known.")
@voting_options
@writing_options
@journal_option
@format_options
@backend_option
def tag(
    paths: tuple[Path, ...],
    demo: bool,
    model: str | None,
    null: bool,
    no_recursive: bool,
    follow: bool,
    write: bool,
    plan: Path | None,
    existing: str,
    top_k: int,
    pattern: str | None,
    aliases_file: Path | None,
    playlists: Path | None,
    refresh: bool,
    windows: int,
    aggregate: str | None,
    min_confidence: float,
    all_tags: bool,
    jobs: int | None,
    time_limit: float,
    id3v23: bool,
    backup: Path | None,
    journal_path: Path | None,
    form: str | None,
) -> int:
    """Print song -> genre for every song in PATHS, folders or files.

    Nothing is written to them without --write. - among PATHS stands for paths from standard input, one a line.
    """
    listed = null or Path("-") in paths
    if demo == (listed or bool(paths)):
        raise click.UsageError("Give folders or files to tag, or --demo")
    if write and (demo or plan):
        raise click.UsageError(f"--write does not go with {'--demo' if demo else '--plan'}")
    if listed:
        paths = _with_standard_input(paths, null)

    from keraudio.audio import find_audio
    from keraudio.audio.sound import readable
    from keraudio.cli.outcomes import print_outcomes
    from keraudio.cli.start import stored_model
    from keraudio.saved_models import DEFAULT_MODEL, resolve_model
    from keraudio.tagging import (
        Aliases,
        Journal,
        Organizer,
        Outcome,
        apply_aliases,
        apply_proposals,
        demo_folder,
        finish_interrupted,
        predict_files,
        propose,
        read_aliases,
        require_tags,
        tags_installed,
    )

    chosen = (demo_folder(),) if demo else paths
    network = stored_model(resolve_model(model or DEFAULT_MODEL))
    aliases = read_aliases(aliases_file) if aliases_file else Aliases()
    _check_names(aliases, network.description.labels, playlists, plan)
    organizer = Organizer(pattern, chosen) if pattern else None
    if write or plan or organizer:
        require_tags()
    if tags_installed():
        finish_interrupted(journal_path)
    songs = find_audio(chosen, recursive=not no_recursive, follow=follow)
    if not songs:
        return nothing_found(chosen)

    predictions = predict_files(
        network,
        songs,
        windows=windows,
        how=aggregate,
        jobs=jobs,
        all_labels=all_tags,
        min_confidence=min_confidence,
        time_limit=time_limit,
        tags=True,
        keep_results=True,
        refresh=refresh,
    )
    proposals = (propose(apply_aliases(one, aliases), existing=existing, most=top_k) for one in predictions)
    if organizer is not None:
        proposals = (organizer.place(one) for one in proposals)
    done: list[Outcome] = []
    keeps = playlists is not None or plan is not None
    with contextlib.ExitStack() as stack:
        # Interrupted, too, what is finished is kept.
        stack.callback(_write_lists, done, playlists, plan)
        outcomes = (Outcome(one, error=one.error) for one in proposals)
        if write:
            journal = stack.enter_context(Journal(journal_path))
            command = f"tag {', '.join(readable(path) for path in chosen[:3])}{', ...' if len(chosen) > 3 else ''}"
            outcomes = apply_proposals(proposals, journal, command=command, id3v23=id3v23, backup=backup)
        # Before the journal, which is needed to settle what an interruption leaves.
        stack.enter_context(contextlib.closing(outcomes))
        return print_outcomes(
            _kept(outcomes, done) if keeps else outcomes,
            total=len(songs),
            model=network.path.stem,
            form=form,
            top_k=top_k,
            root=chosen[0] if len(chosen) == 1 and chosen[0].is_dir() else None,
            writes=None if demo else write,
        )


def _kept(outcomes: "Iterator[Outcome]", into: "list[Outcome]") -> "Iterator[Outcome]":
    for outcome in outcomes:
        into.append(outcome)
        yield outcome


def _write_lists(done: "Sequence[Outcome]", playlists: Path | None, plan: Path | None) -> None:
    """Writes the playlists and the plan of the songs that are done."""
    from keraudio.tagging import write_plan, write_playlists

    if playlists is not None:
        heard = [(one.proposal.prediction, one.moved_to) for one in done]
        write_playlists([replace(song, path=moved or song.path) for song, moved in heard if song], playlists)
    if plan is not None:
        write_plan(plan, [one.proposal for one in done])


def _with_standard_input(paths: tuple[Path, ...], null: bool) -> tuple[Path, ...]:
    """The paths, with those of standard input in the place of `-`, or with `-0` at the end."""
    ending = b"\0" if null else b"\n"
    listed = [Path(os.fsdecode(name)) for name in sys.stdin.buffer.read().split(ending) if name]
    if Path("-") not in paths:
        return (*paths, *listed)
    place = paths.index(Path("-"))
    return (*paths[:place], *listed, *(path for path in paths[place + 1 :] if path != Path("-")))


def _check_names(aliases: "Aliases", labels: Sequence[str], playlists: Path | None, plan: Path | None) -> None:
    """Says which aliases name no label; refuses playlists and plans that would replace other files."""
    from keraudio.nearest import did_you_mean
    from keraudio.tagging import check_plan, playlist_files

    for name in sorted(aliases.names() - set(labels)):
        click.echo(f"keraudio: no label of the model is called {name!r}. {did_you_mean(name, labels)}", err=True)
    renamed = sorted({aliases.rename.get(label, label) for label in labels} | set(aliases.parent.values()))
    if playlists is not None:
        playlist_files(renamed, playlists)
    if plan is not None:
        check_plan(plan)
