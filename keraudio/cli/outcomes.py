"""What became of songs, as lines for people, JSON, JSON lines or CSV."""

import json
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from rich.cells import cell_len, chop_cells

from keraudio.cli.answers import SCHEMA, UNSURE, printable, record, with_confidence, write_row
from keraudio.cli.exit_codes import SOME_FAILED
from keraudio.cli.progress import SongProgress
from keraudio.tagging import Outcome
from keraudio.tagging.rows import outcome_cells, outcome_columns, writing_values

_NONE = "no genre"
_LEAST_NAME = 24


def print_outcomes(
    outcomes: Iterable[Outcome],
    *,
    total: int,
    model: str | None,
    form: str | None,
    top_k: int,
    root: Path | None = None,
    writes: bool | None,
) -> int:
    """Prints each outcome as it comes and returns the exit code: 0, or 3 where a file failed.

    Args:
        outcomes: one a song.
        total: number of songs.
        model: its name, for the records; None where a plan is applied.
        form: `"json"`, `"jsonl"`, `"csv"`, or None for people.
        top_k: labels shown a file.
        root: folder that people's lines leave out of the paths.
        writes: whether they were carried out, or only shown; None where they cannot be.
    """
    counts: dict[str, int] = {}
    records = []
    about = {"schema": SCHEMA, "model": model}
    if form == "csv":
        write_row(outcome_columns(top_k))
    with SongProgress(total, "Writing" if model is None else "Tagging") as progress:
        for outcome in outcomes:
            counts[_kind(outcome)] = counts.get(_kind(outcome), 0) + 1
            if form == "json":
                records.append(_record(outcome, top_k))
            elif form == "jsonl":
                progress.print(json.dumps(about | _record(outcome, top_k)))
            elif form == "csv":
                write_row(outcome_cells(outcome, top_k))
            elif outcome.error is not None:
                # Reasons name their file already.
                progress.print(
                    click.style(outcome.error, fg="red") if sys.stderr.isatty() else outcome.error, error=True
                )
            else:
                progress.print(_line(outcome, top_k, root))
            sys.stdout.flush()
            progress.advance()
    failed = counts.get("failed", 0)
    if form == "json":
        click.echo(json.dumps(about | {"files": records, "failed": failed}, indent=1))
    if form is None:
        click.echo(_summary(counts, writes), err=True)
    return SOME_FAILED if failed else 0


def _kind(outcome: Outcome) -> str:
    if outcome.error is not None:
        return "failed"
    return "change" if outcome.proposal.changes else outcome.proposal.state


def _summary(counts: dict[str, int], writes: bool | None) -> str:
    total = sum(counts.values())
    parts = []
    for kind, text in (
        ("change", "named" if writes is None else "written" if writes else "would change"),
        ("keep", "keep their genre"),
        ("same", "right already"),
        ("unsure", "unsure"),
        ("untaggable", "cannot be tagged"),
        ("failed", "failed"),
    ):
        if kind in counts:
            parts.append(f"{counts[kind]} {text}")
    line = f"{total} song{'s' if total != 1 else ''}: {', '.join(parts)}"
    if writes is False and "change" in counts:
        return f"{line}. Nothing is written without --write."
    return f"{line}."


def _record(outcome: Outcome, top_k: int) -> dict[str, Any]:
    prediction = outcome.proposal.prediction
    base = {"path": str(outcome.proposal.path)} if prediction is None else record(prediction, top_k)
    return base | writing_values(outcome) | {"error": outcome.error}


def _line(outcome: Outcome, top_k: int, root: Path | None) -> str:
    """One song: its name, genre before -> after, and in brackets what else was heard."""
    proposal, prediction = outcome.proposal, outcome.proposal.prediction
    old = ", ".join(map(printable, proposal.current or ())) or _NONE
    named = [with_confidence(name, prediction.probability(name)) for name in prediction.chosen] if prediction else []
    heard = ", ".join(named) or UNSURE
    if prediction is not None and proposal.state == "change":
        chosen = dict(zip(prediction.chosen, named, strict=True))
        heard = ", ".join(chosen.get(name, printable(name)) for name in proposal.new)
    elif prediction is None:
        heard = ", ".join(map(printable, proposal.new))
    rest: list[str] = []
    match proposal.state:
        case "keep":
            text, rest = click.style(f"{old}, kept", dim=True), named
        case "same":
            text = click.style(f"{old}, right already", dim=True)
        case "unsure":
            text = f"{click.style(old, dim=True)}, {click.style(UNSURE, fg='yellow')}"
        case "untaggable":
            text = f"{click.style(heard, fg='green')}, cannot be tagged"
        case _:
            arrow = "" if proposal.current is None else f"{click.style(old, dim=True)} -> "
            text = f"{arrow}{click.style(heard, fg='green')}"
    if prediction is not None:
        others = prediction.top(top_k)
        rest += [with_confidence(label, value) for label, value in others if label not in prediction.chosen]
    name = proposal.path
    if root is not None and name.is_relative_to(root):
        name = name.relative_to(root)
    aside = click.style(f"  ({', '.join(rest)})", dim=True) if rest else ""
    line = _fitted(printable(str(name)), f": {text}", aside)
    if proposal.move_to is not None:
        place = proposal.move_to
        if root is not None and place.is_relative_to(root.absolute()):
            place = place.relative_to(root.absolute())
        line += f"\n    to {_shortened(printable(str(place)), _columns() - 7)}"
    return line if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else click.unstyle(line)


def _columns() -> int:
    """Width of the terminal; what is no terminal takes lines of any length."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize


def _fitted(name: str, text: str, aside: str) -> str:
    """The line in the terminal's width, if it can be: what was heard beside goes first, then the middle of the name."""
    room = _columns() - cell_len(click.unstyle(text))
    if cell_len(name) + cell_len(click.unstyle(aside)) > room:
        aside = ""
    return f"{_shortened(name, max(room, _LEAST_NAME))}{text}{aside}"


def _shortened(name: str, room: int) -> str:
    """A name with dots in its middle where it is wider than the room that it has."""
    if cell_len(name) <= room:
        return name
    half = (room - 3) // 2
    return f"{chop_cells(name, room - 3 - half)[0]}...{chop_cells(name[::-1], half)[0][::-1]}"
