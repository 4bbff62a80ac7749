"""`keraudio convert`."""

from pathlib import Path

import click

from keraudio.cli.options import backend_option

EPILOG = """\b
Examples:
  keraudio convert musicnn --out models
  keraudio convert musicnn --out models --wheel musicnn-0.1.0-py3-none-any.whl
  keraudio tag ~/Music --model models/msd_musicnn.keras
  keraudio convert hdemucs 955717e8.safetensors --out runs/hdemucs.keras
  keraudio convert sample_cnn best_weights.hdf5 --labels mtat --out samplecnn.keras
  keraudio convert ast ast-finetuned-audioset-10-10-0.4593 --out ast.keras
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


@convert.command("sample_cnn")
@click.argument("weights", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--labels",
    required=True,
    help="mtat (the 50 tags of MagnaTagATune's common split), or a text file with one label a line.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The .keras file.")
@click.option("--unflipped", is_flag=True, help="The weights are not Theano's, whose kernels run backwards.")
@backend_option
def sample_cnn(weights: Path, labels: str, out: Path, unflipped: bool) -> None:
    """Convert WEIGHTS of a SampleCNN that were saved by Keras 1 (Lee et al. 2017, 2018; HDF5)."""
    from keraudio.errors import KeraudioError

    if labels == "mtat":
        from importlib import resources

        text = (resources.files("keraudio.datasets") / "splits" / "mtat_top50_tags.txt").read_text(encoding="utf-8")
    else:
        try:
            text = Path(labels).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise KeraudioError(f"{labels}: labels must be UTF-8 text, one a line") from None
    _check_ending(out)

    from keraudio.cli.start import start_keras

    start_keras(feeds=True)
    from keraudio.convert import convert_sample_cnn

    names = [line.strip() for line in text.splitlines() if line.strip()]
    convert_sample_cnn(weights, out, names, flipped=not unflipped)
    click.echo(out)


@convert.command()
@click.argument("weights", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The .keras file.")
@click.option("--sample-rate", default=16000, show_default=True, type=click.IntRange(1000, 192000), help="In Hz.")
@click.option(
    "--seconds", default=30.0, show_default=True, type=click.FloatRange(0, min_open=True), help="Heard at once."
)
@backend_option
def hdemucs(weights: Path, out: Path, sample_rate: int, seconds: float) -> None:
    """Convert WEIGHTS of Hybrid Demucs (Défossez 2021; safetensors) to a GAFX-U front end that fit may start from."""
    _check_ending(out)
    from keraudio.cli.start import start_keras

    start_keras()
    from keraudio.convert import convert_hdemucs

    convert_hdemucs(weights, out, sample_rate=sample_rate, seconds=seconds)
    click.echo(out)


@convert.command()
@click.argument("checkpoint", type=click.Path(path_type=Path, file_okay=False))
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The .keras file.")
@click.option(
    "--window",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds that the model hears at once. Default: the whole seconds that its frames hold.",
)
@click.option(
    "--multi-label/--single-label",
    default=None,
    help="Several labels may hold at once. Default: what the checkpoint says, else for AudioSet's 527 labels only.",
)
@backend_option
def ast(checkpoint: Path, out: Path, window: float | None, multi_label: bool | None) -> None:
    """Convert the folder CHECKPOINT of an Audio Spectrogram Transformer of Hugging Face (safetensors)."""
    from keraudio.cli.start import start_keras

    _check_ending(out)
    start_keras(feeds=True)
    from keraudio.convert import convert_ast

    convert_ast(checkpoint, out, window=window, multi_label=multi_label)
    click.echo(out)


def _check_ending(out: Path) -> None:
    from keraudio.errors import ModelFileError

    if out.suffix != ".keras":
        raise ModelFileError(f"A model file must end in .keras. Received: {out}")
