"""`keraudio pretrain`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from keraudio.cli.exit_codes import SOME_FAILED
from keraudio.cli.options import backend_option, cache_option, can_draw, run_folder, run_options

if TYPE_CHECKING:
    from keraudio.recipes import Pretrained, PretrainingRecipe

EPILOG = """\b
Examples:
  keraudio pretrain
  keraudio pretrain mst --data audio:~/sounds --out runs/mst
  keraudio pretrain mst --data esc50:data/esc50 --set data.split=folds \\
    --set data.train_folds=[1,2,3] --set data.valid_folds=[4]
  keraudio fit mst_figure3/learned --data esc50:data/esc50 --set front_end.start=runs/mst
"""


@click.command(epilog=EPILOG)
@click.argument("recipe", required=False)
@click.option(
    "--data", metavar="KIND:PATH", help="Data set, whose labels are not looked at; audio:FOLDER is any folder."
)
@click.option("--more-data", multiple=True, metavar="KIND:PATH", help="Further clips to learn from; may be repeated.")
@run_options
@cache_option
@backend_option
def pretrain(
    recipe: str | None,
    data: str | None,
    more_data: tuple[str, ...],
    changes: tuple[str, ...],
    out: Path | None,
    seed: int,
    resume: bool,
    cache_folder: Path | None,
) -> int:
    """Teach a front end a spectrogram from unlabelled clips, as RECIPE says; without RECIPE, list them.

    The run folder gets the front end, with which `fit` can start, metrics, a report and pictures.
    """
    from keraudio.recipes import pretraining_names, read_pretraining

    if recipe is None:
        for name in pretraining_names():
            click.echo(f"{name:20}  {read_pretraining(name)['summary']}")
        return 0
    read_pretraining(recipe)
    if data is None:
        raise click.UsageError("Missing option '--data'")
    out = run_folder(out, recipe, resume=resume)

    from keraudio.cli.progress import FitProgress
    from keraudio.cli.start import start_keras

    start_keras(feeds=True)
    from keraudio.recipes import load_pretraining, run_pretraining

    has_plots = can_draw()
    chosen = load_pretraining(recipe, changes=changes)
    with FitProgress() as progress:
        run = run_pretraining(
            chosen,
            data,
            folder=out,
            more_data=more_data,
            seed=seed,
            resume=resume,
            cache_folder=cache_folder,
            progress=progress,
        )
    if has_plots:
        _draw(run, chosen)
    for split, error in run.report["mean_squared_error"].items():
        units = run.report["root_mean_square_in_target_units"][split]
        click.echo(f"{split}: mean squared error {error:.5f}, root mean square {units:.2f} in the target's units")
    click.echo(f"Best epoch {run.fitted.best_epoch + 1} of {len(run.fitted.history)}\n\nRun folder: {out}")
    return SOME_FAILED if run.report["failures"] else 0


def _draw(run: "Pretrained", recipe: "PretrainingRecipe") -> None:
    from keraudio.errors import KeraudioError
    from keraudio.visualize import save_front_end_figure, save_learning_curves, save_transform_figure

    name = recipe.front_end.name
    save_learning_curves(run.folder / "metrics.csv", run.folder / "learning_curves.png", title=name)
    # Of features with channels there is no one picture.
    shown = [(one.name, one.target, one.learned) for one in run.comparisons if one.target.ndim == 2]
    if shown:
        title = f"{name}: target and prediction"
        save_transform_figure(shown, run.folder / "comparison.png", title=title, limits=recipe.target_range)
    try:
        save_front_end_figure(run.front_end, recipe.audio.sample_rate, run.folder / "filters.png")
    except KeraudioError as error:
        click.echo(str(error), err=True)
