"""`keraudio evaluate`."""

import json
from pathlib import Path
from typing import Any

import click

from keraudio.cli.exit_codes import SOME_FAILED
from keraudio.cli.options import backend_option, cache_option
from keraudio.errors import DatasetError, KeraudioError

EPILOG = """\b
Examples:
  keraudio evaluate runs/first                      # a run's own data, test clips
  keraudio evaluate openmusic_baseline --data openmusic:data/openmusic --json
  keraudio evaluate model.keras --data esc50:data/esc50 --folds 5
  keraudio evaluate model.keras --data folder:~/sounds --split all
"""


def _fold_numbers(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in value.split(",")) if value else ()
    except ValueError:
        raise click.BadParameter(f"must be numbers with commas between, such as 4,5. Received: {value!r}") from None


@click.command(epilog=EPILOG)
@click.argument("model")
@click.option("--data", metavar="KIND:PATH", help="Data set. Default: that of the run folder MODEL.")
@click.option(
    "--split",
    type=click.Choice(("train", "valid", "test", "all")),
    default="test",
    show_default=True,
    help="Which clips, where the data set (or the run) splits them.",
)
@click.option("--folds", callback=_fold_numbers, help="Only these folds, such as 5 or 4,5, instead of a split.")
@click.option("--option", "options", multiple=True, metavar="KEY=VALUE", help="Option of the data set's kind.")
@click.option("--vote", type=click.Choice(("mean", "majority", "max")), help="How windows vote. Default: the model's.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@cache_option
@backend_option
def evaluate(
    model: str,
    data: str | None,
    split: str,
    folds: tuple[int, ...],
    options: tuple[str, ...],
    vote: str | None,
    as_json: bool,
    cache_folder: Path | None,
) -> int:
    """Measure MODEL on labelled clips: accuracy with its interval, F1, a table of labels, the confusion matrix.

    MODEL is a .keras file, a name of `keraudio models`, or a run folder, whose data and split are taken.
    """
    from keraudio.cli.start import start_keras
    from keraudio.model_file import check_model_file
    from keraudio.saved_models import resolve_model

    path = resolve_model(model)
    description = check_model_file(path)
    manifest = _manifest(Path(model).expanduser(), data, options)
    if folds:
        chosen = [clip for clip in manifest.clips if clip.fold in folds]
        if not chosen:
            raise DatasetError(f"Folds must be folds of the data set. Received: {','.join(map(str, folds))}")
        manifest = manifest.replace(chosen)
    elif split != "all":
        if all(clip.split is None for clip in manifest.clips):
            raise DatasetError(f"{manifest.name} has no splits: use --split all or --folds. Received: --split {split}")
        manifest = manifest.split(split)

    start_keras(feeds=True)
    from keraudio.classifier import load
    from keraudio.evaluation import align_labels, evaluate_clips, format_report
    from keraudio.pipeline import cache_clips

    manifest = align_labels(manifest, description.labels)
    clips = cache_clips(manifest, sample_rate=description.sample_rate, folder=cache_folder)
    for _, reason in clips.failures:
        click.echo(f"left out: {reason}", err=True)
    report = evaluate_clips(load(path), clips, how=vote)
    report["failures"] = [{"id": clip.id, "reason": reason} for clip, reason in clips.failures]
    click.echo(json.dumps(report, indent=1, allow_nan=False) if as_json else format_report(report))
    return SOME_FAILED if clips.failures else 0


def _manifest(run: Path, data: str | None, options: tuple[str, ...]) -> Any:
    if data is not None:
        from keraudio.datasets import load_manifest
        from keraudio.recipes import parse_assignment

        return load_manifest(data, **dict(map(parse_assignment, options)))
    if not (run / "run.json").is_file():
        raise click.UsageError("--data is needed unless MODEL is a run folder")
    if options:
        raise click.UsageError("--option needs --data: a run folder keeps the options of its own data")
    from keraudio.cli.start import start_keras

    start_keras(feeds=True)
    from keraudio.recipes import load_recipe, prepare_manifest

    try:
        facts = json.loads((run / "run.json").read_text())
        data, seed = str(facts["data"]), int(facts["seed"])
    except (ValueError, KeyError, TypeError) as error:
        raise KeraudioError(f"{run / 'run.json'}: not the record of a run: {type(error).__name__}: {error}") from error
    return prepare_manifest(load_recipe(run / "recipe.toml"), data, seed=seed)
