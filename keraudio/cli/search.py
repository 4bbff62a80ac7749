"""`keraudio search`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from keraudio.cli.options import backend_option, cache_option, can_draw, recipe_options

if TYPE_CHECKING:
    from keraudio.recipes import Search

EPILOG = """\b
Examples:
  keraudio search adaptive_stft_search --data openmusic:data/openmusic --trials 20
  keraudio search mine.toml --data folder:~/sounds --out runs/mine
  keraudio fit runs/mine/best.toml --data folder:~/sounds

The same command goes on with a search that was broken off, and several may
run on one folder at once.
"""


@click.command(epilog=EPILOG)
@click.argument("recipe")
@click.option("--data", required=True, metavar="KIND:PATH", help="Data set; `keraudio datasets` lists the kinds.")
@click.option("--trials", type=click.IntRange(min=1), help="That must have ended. Default: the recipe's.")
@recipe_options
@click.option(
    "--storage", metavar="URL", help="Database of the trials, such as sqlite:///FILE. Default: a journal file."
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder. Default: runs/search-RECIPE.")
@cache_option
@backend_option
def search(
    recipe: str,
    data: str,
    trials: int | None,
    changes: tuple[str, ...],
    storage: str | None,
    seed: int,
    out: Path | None,
    cache_folder: Path | None,
) -> int:
    """Search the ranges in RECIPE's [search] for the settings that validate best, by Optuna.

    The folder gets a run folder a trial, trials.json, best.toml (the best trial as a recipe) and pictures.
    """
    out = Path("runs") / f"search-{Path(recipe).stem}" if out is None else out

    from keraudio.cli.progress import FitProgress
    from keraudio.cli.start import start_keras
    from keraudio.recipes import read_recipe

    read_recipe(recipe)
    start_keras(feeds=True)
    from keraudio.recipes import load_recipe, run_search

    draws = can_draw()
    chosen = load_recipe(recipe, changes=changes)
    with FitProgress() as progress:
        result = run_search(
            chosen,
            data,
            folder=out,
            trials=trials,
            storage=storage,
            seed=seed,
            cache_folder=cache_folder,
            progress=progress,
        )
    if draws:
        _draw(result, out)
    counts = {state: sum(one.state == state for one in result.trials) for state in ("complete", "pruned", "failed")}
    click.echo(", ".join(f"{count} {state}" for state, count in counts.items()) + " trials")
    if result.best is not None:
        values = "".join(f"\n  {name} = {value}" for name, value in result.best.parameters.items())
        click.echo(f"Best: trial {result.best.number}, {result.metric} {result.best.value:.4f}{values}")
    for name, share in result.importances.items():
        click.echo(f"Importance of {name}: {share:.2f}")
    click.echo(f"\nFolder: {out}")
    return 0


def _draw(result: "Search", out: Path) -> None:
    from keraudio.visualize import save_importances, save_parallel_coordinates, save_search_history

    states = ("complete", "pruned")
    ended = [(one, one.value) for one in result.trials if one.value is not None and one.state in states]
    if not ended:
        return
    save_search_history(
        [(trial.number, value, trial.state == "complete") for trial, value in ended],
        out / "history.png",
        title=result.name,
        metric=result.metric,
        maximized=result.maximized,
    )
    if result.importances:
        save_importances(result.importances, out / "importances.png", title=result.name, metric=result.metric)
    save_parallel_coordinates(
        [(trial.parameters, value) for trial, value in ended],
        out / "parallel.png",
        title=result.name,
        metric=result.metric,
        maximized=result.maximized,
        logarithmic=result.logarithmic,
        choices=result.choices,
    )
