"""`keraudio undo`."""

import json
from contextlib import closing
from pathlib import Path

import click

from keraudio.cli.exit_codes import SOME_FAILED
from keraudio.cli.options import journal_option

EPILOG = """\b
Examples:
  keraudio history
  keraudio undo --last
  keraudio undo 3
"""


@click.command(epilog=EPILOG)
@click.argument("run", type=click.IntRange(min=1), required=False)
@click.option("--last", is_flag=True, help="The latest run that has something to take back.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@journal_option
def undo(run: int | None, last: bool, as_json: bool, journal_path: Path | None) -> int:
    """Take back what RUN, a number of `keraudio history`, wrote: genres and moves.

    Songs whose genre has changed since are left as they are.
    """
    if (run is None) == (not last):
        raise click.UsageError("Give a run of `keraudio history`, or --last")

    from keraudio.cli.progress import SongProgress
    from keraudio.errors import TagError
    from keraudio.tagging import Journal, finish_interrupted, undo_run

    finish_interrupted(journal_path)
    with Journal(journal_path) as journal:
        runs = {one.id: one for one in journal.runs()}
        if run is None:
            run = next((number for number, one in runs.items() if one.states.get("written")), None)
            if run is None:
                click.echo("keraudio: nothing to undo", err=True)
                return 0
        if run not in runs:
            raise TagError(f"A run must be one of `keraudio history`. Received: {run}")
        total = runs[run].states.get("written", 0)
        errors = []
        with SongProgress(total, "Undoing") as progress, closing(undo_run(journal, run)) as undone:
            for one in undone:
                if one.error is not None:
                    errors.append(one.error)
                    progress.print(one.error, error=True)
                progress.advance()
    if as_json:
        click.echo(json.dumps({"schema": 1, "run": run, "undone": total - len(errors), "errors": errors}, indent=1))
    else:
        click.echo(f"run {run}: {total - len(errors)} of {total} changes undone", err=True)
    return SOME_FAILED if errors else 0
