"""Exit codes beside 0 (all well), 1 (fatal) and 2 (wrong usage), and what is said where nothing was found."""

from collections.abc import Iterable
from pathlib import Path

import click

SOME_FAILED = 3
NOTHING_FOUND = 4
INTERRUPTED = 130


def nothing_found(paths: Iterable[Path]) -> int:
    """Says that there is no audio in `paths`, and returns the exit code for that."""
    from keraudio.audio.sound import readable

    places = ", ".join(map(readable, paths)) or "the paths of standard input"
    click.echo(f"keraudio: no audio found in {places}", err=True)
    return NOTHING_FOUND
