"""`keraudio fit`."""

from pathlib import Path

import click

from keraudio.cli.exit_codes import SOME_FAILED
from keraudio.cli.options import backend_option, cache_option, can_draw, run_folder, run_options

EPILOG = """\b
Examples:
  keraudio fit folder_baseline --data folder:~/sounds
  keraudio fit esc50_baseline --data esc50:data/esc50 --set training.epochs=20 --out runs/short
  keraudio fit esc50_baseline --data esc50:data/esc50 --out runs/short --resume

A run folder can be repeated: keraudio fit RUN/recipe.toml with the data and seed of RUN/run.json.
"""


@click.command(epilog=EPILOG)
@click.argument("recipe")
@click.option("--data", required=True, metavar="KIND:PATH", help="Data set; `keraudio datasets` lists the kinds.")
@run_options
@cache_option
@backend_option
def fit(
    recipe: str,
    data: str,
    changes: tuple[str, ...],
    out: Path | None,
    seed: int,
    resume: bool,
    cache_folder: Path | None,
) -> int:
    """Train RECIPE, a name of `keraudio recipes` or a TOML file, on a data set.

    The run folder gets the effective recipe, the best model, metrics, a report and pictures.
    """
    out = run_folder(out, recipe, resume=resume)

    from keraudio.cli.progress import FitProgress
    from keraudio.cli.start import start_keras
    from keraudio.recipes import read_recipe

    # Before Keras is imported: a wrong name should not take seconds.
    read_recipe(recipe)
    start_keras(feeds=True)
    from keraudio.evaluation import format_report
    from keraudio.recipes import load_recipe, run_recipe
    from keraudio.visualize import save_confusion_matrix, save_learning_curves

    has_plots = can_draw()
    chosen = load_recipe(recipe, changes=changes)
    with FitProgress() as progress:
        run = run_recipe(
            chosen, data, folder=out, seed=seed, resume=resume, cache_folder=cache_folder, progress=progress
        )
    split, report = list(run.reports.items())[-1]
    if has_plots:
        save_learning_curves(out / "metrics.csv", out / "learning_curves.png", title=chosen.name)
        if "confusion" in report:
            title = f"{chosen.name}, {split}"
            save_confusion_matrix(report["confusion"], report["labels"], out / "confusion_matrix.png", title=title)
    click.echo(f"{split} clips, best epoch {run.fitted.best_epoch + 1} of {len(run.fitted.history)}\n")
    click.echo(format_report(report))
    click.echo(f"\nRun folder: {out}")
    return SOME_FAILED if run.failures else 0
