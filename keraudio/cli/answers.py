"""Predictions of files as lines for people, JSON, JSON lines or CSV."""

import csv
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from keraudio.cli.exit_codes import SOME_FAILED
from keraudio.evaluation.label_text import shorten
from keraudio.tagging import Prediction
from keraudio.tagging.rows import prediction_cells, prediction_columns

SCHEMA = 1
UNSURE = "unsure"


def print_answers(
    predictions: Iterable[Prediction], *, model: str, form: str | None, top_k: int, root: Path | None = None
) -> int:
    """Prints each prediction as it comes and returns the exit code: 0, or 3 where a file could not be read.

    Args:
        predictions: one a file.
        model: its name, for the records.
        form: `"json"`, `"jsonl"`, `"csv"`, or None for people.
        top_k: labels shown a file.
        root: folder that people's lines leave out of the paths.
    """
    count = failed = 0
    records = []
    if form == "csv":
        write_row(prediction_columns(top_k))
    for prediction in predictions:
        count += 1
        failed += prediction.error is not None
        if form == "json":
            records.append(record(prediction, top_k))
        elif form == "jsonl":
            click.echo(json.dumps({"schema": SCHEMA, "model": model, **record(prediction, top_k)}))
        elif form == "csv":
            write_row(prediction_cells(prediction, top_k))
        else:
            _print_line(prediction, top_k, root)
        sys.stdout.flush()
    if form == "json":
        click.echo(json.dumps({"schema": SCHEMA, "model": model, "files": records, "failed": failed}, indent=1))
    if failed and form is None:
        click.echo(f"{failed} of {count} files could not be read", err=True)
    return SOME_FAILED if failed else 0


def record(prediction: Prediction, top_k: int) -> dict[str, Any]:
    """A prediction as JSON holds it."""
    return {
        "path": str(prediction.path),
        "labels": list(prediction.chosen),
        "unsure": prediction.error is None and not prediction.chosen,
        "top": [{"label": label, "probability": round(value, 6)} for label, value in prediction.top(top_k)],
        "windows": prediction.windows,
        "error": prediction.error,
    }


def write_row(cells: list[Any]) -> None:
    """Writes a row of CSV to standard output."""
    # Before Python 3.13 a carriage return alone is not reason enough for quotes.
    returns = any("\r" in str(cell) for cell in cells)
    writer = csv.writer(sys.stdout, lineterminator="\n", quoting=csv.QUOTE_ALL if returns else csv.QUOTE_MINIMAL)
    writer.writerow(cells)


def _print_line(prediction: Prediction, top_k: int, root: Path | None) -> None:
    path = prediction.path
    if root is not None and path.is_relative_to(root):
        path = path.relative_to(root)
    if prediction.error is not None:
        # Reasons name their file already.
        click.echo(prediction.error, err=True)
        return
    top = prediction.top(top_k)
    chosen = [with_confidence(label, prediction.probability(label)) for label in prediction.chosen]
    rest = [with_confidence(label, value) for label, value in top if label not in prediction.chosen]
    others = f"  ({', '.join(rest)})" if rest else ""
    click.echo(f"{printable(str(path))} -> {', '.join(chosen) or UNSURE}{others}")


def with_confidence(label: str, value: float) -> str:
    """A label with its probability in percent."""
    return f"{shorten(label, 30)} {value:.0%}"


def printable(text: str) -> str:
    """A name on one line: control characters, which could steer a terminal, become "?"; undecodable bytes stay."""
    return "".join("?" if ord(c) < 32 or 127 <= ord(c) < 160 else c for c in text)
