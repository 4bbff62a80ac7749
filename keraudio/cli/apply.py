"""`keraudio apply`."""

from contextlib import closing
from pathlib import Path

import click

from keraudio.cli.options import format_options, journal_option, writing_options

EPILOG = """\b
A plan's columns: path, state, current, new, confidence, move_to, sha256.
Edit `new` (genres with | between) and `move_to` (where the song shall go);
a row without either changes nothing.

\b
Examples:
  keraudio tag ~/Music --plan genres.csv
  keraudio apply genres.csv
  keraudio undo --last
"""


@click.command(epilog=EPILOG)
@click.argument("plan", type=click.Path(path_type=Path, dir_okay=False))
@writing_options
@journal_option
@format_options
def apply(plan: Path, id3v23: bool, backup: Path | None, journal_path: Path | None, form: str | None) -> int:
    """Carry out PLAN: write its genres into the songs, and move those that it moves.

    Songs that have changed since the plan was written are left as they are.
    """
    from keraudio.audio.sound import readable
    from keraudio.cli.outcomes import print_outcomes
    from keraudio.tagging import Journal, apply_proposals, read_plan

    proposals = read_plan(plan)
    command = f"apply {readable(plan)}"
    with (
        Journal(journal_path) as journal,
        closing(apply_proposals(proposals, journal, command=command, id3v23=id3v23, backup=backup)) as outcomes,
    ):
        return print_outcomes(outcomes, total=len(proposals), model=None, form=form, top_k=0, writes=True)
