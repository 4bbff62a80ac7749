"""`keraudio study`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keraudio.cli.exit_codes import SOME_FAILED
from keraudio.cli.options import backend_option, cache_option, can_draw

if TYPE_CHECKING:
    from keraudio.recipes import Study

EPILOG = """\b
Examples:
  keraudio study
  keraudio study sample_cnn_table3 --data openmusic:data/openmusic --budget small
  keraudio study sample_cnn_table2 --data folder:data/songs --seeds 3 --out runs/table2
  keraudio study sample_cnn_transfer --data gtzan:data/gtzan --networks-data csv:data/tags.csv
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
@click.option(
    "--networks-data",
    metavar="KIND:PATH",
    help="Where features are classified: the data set their networks are trained on. Default: --data.",
)
@click.option(
    "--networks",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where features are classified: folder of the networks' study. Default: networks in the folder.",
)
@click.option(
    "--more-data",
    multiple=True,
    metavar="KIND:PATH",
    help="Where front ends are pretrained: further unlabelled clips; may be repeated.",
)
@click.option(
    "--fold",
    "folds",
    type=int,
    multiple=True,
    metavar="FOLD",
    help="Test this fold alone; may be repeated. Default: all.",
)
@click.option(
    "--start",
    type=click.Path(path_type=Path, exists=True),
    help="A front end's file, for rows that begin with one, such as of `keraudio convert hdemucs`.",
)
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
    networks_data: str | None,
    networks: Path | None,
    more_data: tuple[str, ...],
    folds: tuple[int, ...],
    start: Path | None,
    out: Path | None,
    cache_folder: Path | None,
) -> int:
    """Run the rows of a paper's table, NAME, and set them beside the published figures; without NAME, list them.

    The folder gets table.md, table.png, curves.png, study.json and a run folder a row and seed; of a study of several
    tables, a folder a table.
    """
    from keraudio.recipes import read_study, study_names

    if name is None:
        for one in study_names():
            found = read_study(one)
            size = f"{len(found['rows'])} rows" if "rows" in found else f"{len(found['studies'])} tables"
            click.echo(f"{one:22}  {found['title']} ({size})")
        return 0
    tables = read_study(name).get("studies")
    if data is None:
        raise click.UsageError("Missing option '--data'")
    if tables and rows:
        raise click.UsageError(f"Option '--row' needs a study of one table: {', '.join(tables)}")
    out = Path("runs") / f"{name}-{budget}" if out is None else out
    if tables and networks is None:
        networks = out / "networks"

    from keraudio.cli.progress import FitProgress
    from keraudio.cli.start import start_keras

    start_keras(feeds=True)
    from keraudio.recipes import format_study, run_study, save_study

    draws, code = can_draw(), 0
    for one in tables or [name]:
        folder = out / one if tables else out
        with FitProgress() as progress:
            result = run_study(
                one,
                data,
                folder=folder,
                seeds=seeds,
                budget=budget,
                rows=rows,
                changes=changes,
                networks=networks,
                networks_data=networks_data,
                more_data=more_data,
                only_folds=folds,
                start=start,
                cache_folder=cache_folder,
                progress=progress,
            )
        save_study(result, folder)
        if draws:
            _draw(result, folder)
        click.echo(f"{format_study(result)}\nFolder: {folder}")
        code = SOME_FAILED if result.failures else code
    return code


def _draw(study: "Study", folder: Path) -> None:
    from keraudio.visualize import save_confusion_matrix, save_study_curves, save_study_figure

    note = "small budget: narrower, fewer epochs" if study.budget == "small" else ""
    save_study_figure(
        [row.label for row in study.rows],
        [(row.mean, row.low, row.high) for row in study.rows],
        {figure: [row.published[place] for row in study.rows] for place, figure in enumerate(study.published_figures)},
        folder / "table.png",
        title=study.title,
        figure_name=f"{study.figure}, {study.data}",
        note=note,
    )
    learned = [row for row in study.rows if row.loss_curve]
    if learned:
        panels = {"training loss": {row.label: row.loss_curve for row in learned}}
        if any(row.curve for row in learned):
            panels[f"{study.figure} of validation windows, {study.data}"] = {row.label: row.curve for row in learned}
        save_study_curves(
            panels,
            folder / "curves.png",
            title=study.title,
            logarithmic=("training loss",),
            note=note,
        )
    for row in study.rows:
        # A run folder a seed, of a study over folds a fold and seed.
        for file in sorted((folder / row.name).rglob("report.json")):
            report = json.loads(file.read_text(encoding="utf-8")).get("reports", {}).get("test", {})
            if "confusion" in report:
                picture = file.with_name("confusion_matrix.png")
                save_confusion_matrix(report["confusion"], report["labels"], picture, title=f"{row.label}, test")
