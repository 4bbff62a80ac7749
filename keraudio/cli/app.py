"""`keraudio app`."""

from pathlib import Path

import click

from keraudio.cli.options import backend_option
from keraudio.errors import KeraudioError

EPILOG = """\b
Examples:
  keraudio app
  keraudio app ~/Music
"""


@click.command(epilog=EPILOG)
@click.argument("folder", required=False, type=click.Path(path_type=Path, exists=True))
@backend_option
def app(folder: Path | None) -> int:
    """Open the desktop app, with the songs of FOLDER if one is given.

    Nothing is written to songs before they are accepted and Apply is pressed, and Undo takes it back.
    """
    try:
        from keraudio_desktop.start import run_app
    except ImportError as error:
        raise KeraudioError(
            f"The app needs PySide6 and, on Linux, its system libraries: pip install 'keraudio[app]'. Received: {error}"
        ) from error
    return run_app(folder)
