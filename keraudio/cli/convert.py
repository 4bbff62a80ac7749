"""`keraudio convert`."""

from pathlib import Path

import click

from keraudio.cli.options import backend_option

EPILOG = """\b
Examples:
  keraudio convert musicnn --out models
  keraudio convert musicnn --out models --wheel musicnn-0.1.0-py3-none-any.whl
  keraudio tag ~/Music --model models/msd_musicnn.keras
"""


@click.group(epilog=EPILOG)
def convert() -> None:
    """Turn weights of another project into .keras files."""


@convert.command()
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder for the models.")
@click.option(
    "--wheel",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The wheel musicnn 0.1.0, if you have it. Default: pip fetches it (29 MB).",
)
@backend_option
def musicnn(out: Path, wheel: Path | None) -> None:
    """Convert MusiCNN and its VGG, each with 50 tags of MSD and of MagnaTagATune (Pons & Serra 2019, ISC licence)."""
    from keraudio.cli.start import start_keras

    # TensorFlow reads the checkpoints, whatever the backend.
    start_keras(feeds=True)
    from keraudio.convert import convert_musicnn

    convert_musicnn(out, wheel, report=lambda path: click.echo(str(path)))
