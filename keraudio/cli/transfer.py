"""`keraudio transfer`."""

import json
import time as clock
from pathlib import Path
from typing import Any

import click

from keraudio.cli.exit_codes import SOME_FAILED
from keraudio.cli.options import backend_option, cache_option, feature_options, model_files

CLASSIFIERS = ("logistic", "svm", "mlp")
EPILOG = """\b
Examples:
  keraudio transfer --features genres --data folder:~/sounds --out runs/mine
  keraudio transfer --features genres --data esc50:data/esc50 --classifier svm --classifier mlp
  keraudio tag --model runs/mine new-recordings/
"""


@click.command(epilog=EPILOG)
@click.option(
    "--features", "models", required=True, metavar="MODEL[,MODEL...]", help="Networks whose features are taken."
)
@click.option("--data", required=True, metavar="KIND:PATH", help="Data set; `keraudio datasets` lists the kinds.")
@feature_options
@click.option("--option", "options", multiple=True, metavar="KEY=VALUE", help="Option of the data set's kind.")
@click.option(
    "--classifier",
    "classifiers",
    multiple=True,
    type=click.Choice(CLASSIFIERS),
    default=("logistic",),
    show_default=True,
    help="Of the features; may be repeated. The first that is no svm goes into the model.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    show_default=True,
    help="Longest stretch of a clip, from its middle, that is heard.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder. Default: runs/transfer-DATE-TIME."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of everything random.")
@cache_option
@backend_option
def transfer(
    models: str,
    data: str,
    options: tuple[str, ...],
    asked: tuple[str, ...] | None,
    time: str,
    over_windows: str,
    classifiers: tuple[str, ...],
    seconds: float,
    out: Path | None,
    seed: int,
    cache_folder: Path | None,
) -> int:
    """Teach trained networks another data set's labels: a table of what each of their levels is worth, and a model.

    The folder gets report.json, table.md and model.keras, which takes whole clips and serves predict, tag and evaluate.
    """
    out = Path("runs") / f"transfer-{clock.strftime('%Y%m%d-%H%M%S')}" if out is None else out

    from keraudio.cli.start import start_keras
    from keraudio.datasets import load_manifest
    from keraudio.errors import KeraudioError
    from keraudio.recipes import parse_assignment

    files = model_files(models)
    if (out / "report.json").exists():
        raise KeraudioError(f"Transfer needs a folder without a report. Received: {out}, which holds one")
    manifest = load_manifest(data, **dict(map(parse_assignment, options)))
    start_keras()
    from keraudio.classifier import save
    from keraudio.cli.progress import FitProgress
    from keraudio.recipes import decode_clips, format_table, rotations, transfer
    from keraudio.recipes.run import make_folder
    from keraudio.training import build_extractor, check_classifiers, clip_features, clip_samples, load_sources
    from keraudio.whole_file import write_text

    sources = load_sources(files)
    with FitProgress() as progress:
        rate = sources[0].description.sample_rate
        clips = decode_clips(manifest, sample_rate=rate, folder=cache_folder, progress=progress)
        # Before hours of work: whether the data set can be split, and such classifiers learn from it.
        check_classifiers(classifiers, multi_label=manifest.multi_label)
        turns = rotations(clips.manifest, seed=seed)
        samples = clip_samples(sources, clips, seconds)
        extractor = build_extractor(sources, asked, samples=samples, time=time, over_windows=over_windows)
        # And whether there is a place for what it gives.
        make_folder(out)
        features = clip_features(
            extractor, clips, progress=lambda done, total: progress({"event": "features", "done": done, "total": total})
        )
        result = transfer(
            extractor,
            features,
            turns,
            classifiers=classifiers,
            seed=seed,
            name=out.name,
            report=lambda row: progress({"event": "row", "row": row}),
        )
    facts: dict[str, Any] = {
        "schema": 1,
        "features": [file.name for file in files],
        "layers": asked and list(asked),
        "time": time,
        "over_windows": over_windows,
        "clip_seconds": extractor.samples / extractor.sample_rate,
        "data": manifest.name,
        "seed": seed,
        "rows": result.rows,
        "model": result.model_splits,
        "failures": [{"id": clip.id, "reason": reason} for clip, reason in clips.failures],
    }
    table = format_table(result.rows)
    if result.model is not None:
        save(result.model, out / "model.keras")
    report = json.dumps(facts, indent=1, allow_nan=False) + "\n"
    # The report last: by it a folder counts as full.
    for name, text in (("table.md", table), ("report.json", report)):
        write_text(out / name, text)
    click.echo(f"{table}\nFolder: {out}")
    return SOME_FAILED if clips.failures else 0
