"""`keraudio study`."""

from importlib.util import find_spec
from pathlib import Path

import click

from keraudio.cli.exit_codes import SOME_FAILED
from keraudio.cli.options import backend_option, cache_option

EPILOG = """\b
Examples:
  keraudio study
  keraudio study sample_cnn_table3 --data openmusic:data/openmusic --budget small
  keraudio study sample_cnn_table2 --data mtat:data/mtat --seeds 3 --out runs/table2
  keraudio recipes sample_cnn_table3/8000

The same command goes on with a study that was broken off.
"""


@click.command(epilog=EPILOG)
@click.argument("name", required=False)
@click.option("--data", metavar="KIND:PATH", help="Data set; `keraudio datasets` lists the kinds.")
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="Runs of each row.")
@click.option(
    "--budget",
    type=click.Choice(("full", "small")),
    default="full",
    show_default=True,
    help="small: narrower filters and fewer epochs, for two cores.",
)
@click.option("--row", "rows", multiple=True, metavar="ROW", help="Run this row; may be repeated. Default: all.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a key of every row's recipe.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder. Default: runs/NAME-BUDGET.")
@cache_option
@backend_option
def study(
    name: str | None,
    data: str | None,
    seeds: int,
    budget: str,
    rows: tuple[str, ...],
    changes: tuple[str, ...],
    out: Path | None,
    cache_folder: Path | None,
) -> int:
    """Run the rows of a paper's table, NAME, and set them beside the published figures; without NAME, list them.

    The folder gets table.md, table.png, study.json and a run folder a row and seed.
    """
    from keraudio.recipes import read_study, study_names

    if name is None:
        for one in study_names():
            found = read_study(one)
            click.echo(f"{one:20}  {found['title']} ({len(found['rows'])} rows)")
        return 0
    read_study(name)
    if data is None:
        raise click.UsageError("Missing option '--data'")
    out = Path("runs") / f"{name}-{budget}" if out is None else out

    from keraudio.cli.progress import FitProgress
    from keraudio.cli.start import start_keras

    start_keras(feeds=True)
    from keraudio.recipes import format_study, run_study, save_study
    from keraudio.visualize import save_study_figure

    with FitProgress() as progress:
        result = run_study(
            name,
            data,
            folder=out,
            seeds=seeds,
            budget=budget,
            rows=rows,
            changes=changes,
            cache_folder=cache_folder,
            progress=progress,
        )
    save_study(result, out)
    if find_spec("matplotlib") is not None:
        save_study_figure(
            [row.label for row in result.rows],
            [(row.mean, row.low, row.high) for row in result.rows],
            [row.published for row in result.rows],
            out / "table.png",
            title=result.title,
            figure_name=f"{result.figure}, {result.data}",
            published_name=result.published_figure,
            note="small budget: narrower filters, fewer epochs" if budget == "small" else "",
        )
    click.echo(f"{format_study(result)}\nFolder: {out}")
    return SOME_FAILED if result.failures else 0
