"""`keraudio history`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keraudio.cli.options import journal_option

if TYPE_CHECKING:
    from keraudio.tagging import Change, Run

EPILOG = """\b
Examples:
  keraudio history
  keraudio history 3
  keraudio history 3 --json
"""


@click.command(epilog=EPILOG)
@click.argument("run", type=click.IntRange(min=1), required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@journal_option
def history(run: int | None, as_json: bool, journal_path: Path | None) -> int:
    """List the runs that wrote to songs, the latest first; with RUN, its changes."""
    from keraudio.errors import TagError
    from keraudio.tagging import Journal, finish_interrupted, journal_file

    path = journal_path or journal_file()
    if not path.exists():
        click.echo(json.dumps({"schema": 1, "runs": []}, indent=1) if as_json else "nothing was written yet")
        return 0
    finish_interrupted(path)
    with Journal(path) as journal:
        if run is None:
            runs = journal.runs()
            if as_json:
                click.echo(json.dumps({"schema": 1, "runs": [vars(one) for one in runs]}, indent=1))
            else:
                click.echo("\n".join(map(_run_line, runs)) or "nothing was written yet")
            return 0
        if run not in {one.id for one in journal.runs()}:
            raise TagError(f"A run must be one of `keraudio history`. Received: {run}")
        changes = [_record(change) for change in journal.changes(run)]
        if as_json:
            click.echo(json.dumps({"schema": 1, "run": run, "changes": changes}, indent=1))
        else:
            click.echo("\n".join(map(_change_line, changes)))
    return 0


def _run_line(run: "Run") -> str:
    states = ", ".join(f"{count} {state}" for state, count in sorted(run.states.items(), reverse=True))
    return f"{run.id:>4}  {run.started[:16].replace('T', ' ')}  {states:<24}  {run.command}"


def _record(change: "Change") -> dict[str, Any]:
    record = {"path": str(change.path), "kind": change.kind, "state": change.state, "reason": change.reason}
    if change.kind == "move":
        return record | {"move_to": str(change.target)}
    return record | {name: change.details[name]["values"] for name in ("old", "new")}


def _change_line(record: dict[str, Any]) -> str:
    from keraudio.cli.answers import printable

    if record["kind"] == "move":
        what = f"moved to {record['move_to']}"
    else:
        old, new = (", ".join(record[name]) or "no genre" for name in ("old", "new"))
        what = f"{old} -> {new}"
    return printable(f"{record['path']}: {what}, {record['state']}")
