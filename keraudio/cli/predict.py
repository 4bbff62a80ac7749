"""`keraudio predict`."""

from pathlib import Path

import click

from keraudio.cli.options import backend_option, format_options, voting_options

EPILOG = """\b
Examples:
  keraudio predict openmusic_baseline song.ogg
  keraudio predict runs/first a.wav b.wav --top-k 5 --jsonl
"""


@click.command(epilog=EPILOG)
@click.argument("model")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--top-k", type=click.IntRange(min=1), default=3, show_default=True, help="Labels shown a file.")
@voting_options
@format_options
@backend_option
def predict(
    model: str,
    files: tuple[Path, ...],
    top_k: int,
    windows: int,
    aggregate: str | None,
    min_confidence: float,
    all_tags: bool,
    jobs: int | None,
    time_limit: float,
    form: str | None,
) -> int:
    """Print the labels that MODEL gives to FILES.

    MODEL is a .keras file, a run folder, or a name of `keraudio models`.
    """
    from keraudio.cli.answers import print_answers
    from keraudio.cli.start import stored_model
    from keraudio.saved_models import resolve_model
    from keraudio.tagging import predict_files

    network = stored_model(resolve_model(model))

    predictions = predict_files(
        network,
        files,
        windows=windows,
        how=aggregate,
        jobs=jobs,
        all_labels=all_tags,
        min_confidence=min_confidence,
        time_limit=time_limit,
    )
    return print_answers(predictions, model=network.path.stem, form=form, top_k=top_k)
