"""`keraudio visualize`."""

from pathlib import Path

import click

from keraudio.cli.exit_codes import SOME_FAILED
from keraudio.cli.options import backend_option, cache_option, model_files

FILTERS_EPILOG = """\b
Examples:
  keraudio visualize filters runs/sample_cnn --out pictures
  keraudio visualize filters runs/sample_cnn --layer module_1 --batch-statistics
"""
TSNE_EPILOG = """\b
Examples:
  keraudio visualize tsne runs/sample_cnn --data openmusic:data/openmusic
  keraudio visualize tsne genres --data gtzan:data/gtzan --layers -1,-3 --labels jazz,metal
"""
WINDOWS_EPILOG = """\b
Examples:
  keraudio visualize windows runs/adaptive_stft --out pictures
"""
EPILOG = """\b
Examples:
  keraudio visualize filters runs/sample_cnn
  keraudio visualize windows runs/adaptive_stft
  keraudio visualize tsne runs/sample_cnn --data openmusic:data/openmusic
"""


@click.group(epilog=EPILOG)
def visualize() -> None:
    """Draw what a trained network has learned."""


def _one_model(name: str) -> list[Path]:
    files = model_files(name)
    if len(files) > 1:
        raise click.UsageError(f"Give one model. Received: {name}")
    return files


def _out_option(command):
    return click.option(
        "--out", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Folder. Default: here."
    )(command)


@visualize.command(epilog=FILTERS_EPILOG)
@click.argument("model")
@click.option("--layer", "layers", multiple=True, help="May be repeated. Default: all that such a waveform reaches.")
@click.option("--samples", type=click.IntRange(min=16), default=729, show_default=True, help="Of each waveform.")
@click.option("--steps", type=click.IntRange(min=1), default=18, show_default=True, help="Of gradient ascent.")
@click.option(
    "--batch-statistics", is_flag=True, help="Normalize by each waveform's own statistics, as the paper's code does."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the noise at the start.")
@_out_option
@backend_option
def filters(
    model: str, layers: tuple[str, ...], samples: int, steps: int, batch_statistics: bool, seed: int, out: Path
) -> int:
    """Draw the waveforms that the filters of MODEL answer to most, and their spectra, sorted by their peaks."""
    files = _one_model(model)

    from keraudio.cli.start import start_keras

    start_keras(feeds=True)
    from keraudio.training import load_sources
    from keraudio.visualize import filter_signals, save_filter_figures

    (classifier,) = load_sources(files)
    found = filter_signals(
        classifier,
        layers or None,
        samples=samples,
        steps=steps,
        batch_statistics=batch_statistics,
        seed=seed,
    )
    name = classifier.description.name or classifier.name
    for file in save_filter_figures(found, out, title=f"What {name}'s filters answer to"):
        click.echo(file)
    return 0


@visualize.command(epilog=TSNE_EPILOG)
@click.argument("model")
@click.option("--data", required=True, metavar="KIND:PATH", help="Data set; `keraudio datasets` lists the kinds.")
@click.option("--layers", "asked", default="-3,-2,-1", show_default=True, help="Layers by name, or levels.")
@click.option("--labels", "wanted", default="", help="Only clips of these labels, with commas between.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of t-SNE.")
@_out_option
@cache_option
@backend_option
def tsne(model: str, data: str, asked: str, wanted: str, seed: int, out: Path, cache_folder: Path | None) -> int:
    """Draw the clips of a data set as points, near where a level of MODEL hears them alike; a panel a level."""
    files = _one_model(model)

    from dataclasses import replace

    from keraudio.cli.start import start_keras
    from keraudio.datasets import load_manifest
    from keraudio.errors import KeraudioError

    manifest = load_manifest(data)
    names = [name for name in wanted.split(",") if name]
    if unknown := [name for name in names if name not in manifest.labels]:
        raise KeraudioError(f"A label must be one of {', '.join(manifest.labels)}. Received: {unknown[0]!r}")
    if names:
        manifest = replace(manifest, clips=tuple(clip for clip in manifest.clips if set(names) & set(clip.labels)))
    start_keras(feeds=True)
    from keraudio.cli.progress import FitProgress
    from keraudio.recipes import decode_clips
    from keraudio.training import build_extractor, clip_features, clip_samples, load_sources
    from keraudio.visualize import embed_plane, save_tsne_figure

    sources = load_sources(files)
    levels = tuple(level.strip() for level in asked.split(",") if level.strip())
    with FitProgress() as progress:
        rate = sources[0].description.sample_rate
        clips = decode_clips(manifest, sample_rate=rate, folder=cache_folder, progress=progress)
        extractor = build_extractor(sources, levels, samples=clip_samples(sources, clips, 30.0))
        features = clip_features(
            extractor, clips, progress=lambda done, total: progress({"event": "features", "done": done, "total": total})
        )
    rows = list(extractor.rows.items())
    planes = [(f"level {name.split(' ', 1)[1]}", features[:, columns]) for name, columns in rows[: len(levels)]]
    shown = [next((name for name in names if name in clip.labels), clip.labels[0]) for clip in clips.manifest.clips]
    title = f"{sources[0].name} on {data.partition(':')[0]}, {len(shown)} clips"
    save_tsne_figure(
        [(name, embed_plane(values, seed=seed)) for name, values in planes], shown, out / "tsne.png", title=title
    )
    click.echo(out / "tsne.png")
    return SOME_FAILED if clips.failures else 0


@visualize.command(epilog=WINDOWS_EPILOG)
@click.argument("model")
@_out_option
@backend_option
def windows(model: str, out: Path) -> int:
    """Draw the windows and kernels that MODEL has learned, beside those with which it began.

    Of a run folder also how far they had come after each epoch.
    """
    files = _one_model(model)

    from keraudio.cli.start import start_keras

    start_keras(feeds=True)
    from keraudio.training import load_sources
    from keraudio.visualize import learned_transforms, read_metrics, save_changes_figure, save_windows_figure

    (classifier,) = load_sources(files)
    name = classifier.description.name or classifier.name
    found = learned_transforms(classifier)
    save_windows_figure(found, classifier.description.sample_rate, out / "windows.png", title=name)
    click.echo(out / "windows.png")
    metrics = Path(model).expanduser() / "metrics.csv"
    if metrics.is_file() and save_changes_figure(read_metrics(metrics)[1], out / "changes.png", title=name):
        click.echo(out / "changes.png")
    return 0
