"""`keraudio tag`."""

from pathlib import Path

import click

from keraudio.cli.options import backend_option, format_options, voting_options

NOTHING_FOUND = 4
EPILOG = """\b
Examples:
  keraudio tag --demo
  keraudio tag ~/Music --top-k 2
  keraudio tag ~/Music --jsonl > genres.jsonl
"""


@click.command(epilog=EPILOG)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--demo", is_flag=True, help="Tag the few clips that come with keraudio.")
@click.option("--model", default=None, help="A .keras file, a run folder or a saved model's name.")
@click.option("--top-k", type=click.IntRange(min=1), default=3, show_default=True, help="Labels shown a song.")
@click.option("--no-recursive", is_flag=True, help="Leave out the folders inside a folder.")
@voting_options
@format_options
@backend_option
def tag(
    paths: tuple[Path, ...],
    demo: bool,
    model: str | None,
    top_k: int,
    no_recursive: bool,
    windows: int,
    aggregate: str | None,
    all_tags: bool,
    jobs: int | None,
    form: str | None,
) -> int:
    """Print song -> genre for every song in PATHS, folders or files. Nothing is written to them."""
    if demo == bool(paths):
        raise click.UsageError("Give folders or files to tag, or --demo")

    from keraudio.audio import find_audio
    from keraudio.audio.sound import readable
    from keraudio.cli.start import start_keras
    from keraudio.model_file import check_model_file
    from keraudio.saved_models import DEFAULT_MODEL, resolve_model
    from keraudio.tagging import demo_folder

    chosen = (demo_folder(),) if demo else paths
    path = resolve_model(model or DEFAULT_MODEL)
    check_model_file(path)
    songs = find_audio(chosen, recursive=not no_recursive)
    if not songs:
        click.echo(f"keraudio: no audio found in {', '.join(map(readable, chosen))}", err=True)
        return NOTHING_FOUND

    start_keras()
    from keraudio.classifier import load
    from keraudio.cli.answers import print_answers
    from keraudio.tagging import predict_files

    root = chosen[0] if len(chosen) == 1 and chosen[0].is_dir() else None
    predictions = predict_files(load(path), songs, windows=windows, how=aggregate, jobs=jobs, all_labels=all_tags)
    return print_answers(predictions, model=path.stem, form=form, top_k=top_k, root=root)
