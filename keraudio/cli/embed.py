"""`keraudio embed`."""

from pathlib import Path

import click

from keraudio.cli.exit_codes import SOME_FAILED, nothing_found
from keraudio.cli.options import backend_option, feature_options, model_files

EPILOG = """\b
Examples:
  keraudio embed genres ~/Music -o music.npz
  keraudio embed genres ~/Music -o music.parquet --layers msd_penultimate,mtt_penultimate
  keraudio embed a.keras,b.keras songs/ -o both.npz --layers -1

\b
In Python: data = numpy.load("music.npz"), which has features, paths and about, a JSON text.
"""


@click.command(epilog=EPILOG)
@click.argument("models")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help=".npz or .parquet")
@feature_options
@click.option("--windows", type=click.IntRange(min=1), help="Most windows of a file, evenly spread. Default: all.")
@click.option("--jobs", type=click.IntRange(min=1), help="Decoding threads. Default: the number of processors.")
@backend_option
def embed(
    models: str,
    paths: tuple[Path, ...],
    out: Path,
    asked: tuple[str, ...] | None,
    time: str,
    over_windows: str,
    windows: int | None,
    jobs: int | None,
) -> int:
    """Write what MODELS hear in PATHS, folders or files: the outputs of some of their layers.

    MODELS are .keras files, run folders or names of `keraudio models`, with commas between; their features stand side
    by side.
    """
    from keraudio.audio import find_audio
    from keraudio.cli.start import start_keras

    files = model_files(models)
    songs = find_audio(paths)
    if not songs:
        return nothing_found(paths)
    start_keras()
    from keraudio.cli.progress import FitProgress
    from keraudio.tagging.embed import check_embeddings_file, embed_files, embedding_columns, save_embeddings
    from keraudio.training import load_sources

    sources = load_sources(files)
    columns = embedding_columns(sources, asked)
    check_embeddings_file(out)
    settings = {"layers": asked and list(asked), "time": time, "over_windows": over_windows, "windows": windows}
    done, failed = [], 0
    try:
        with FitProgress() as progress:
            for embedding in embed_files(
                sources, songs, asked=asked, time=time, over_windows=over_windows, windows=windows, jobs=jobs
            ):
                done.append(embedding)
                if embedding.error is not None:
                    failed += 1
                    progress({"event": "bad_clip", "reason": embedding.error})
                progress({"event": "features", "done": len(done), "total": len(songs)})
    finally:
        # Interrupted, too, what is finished is kept.
        if done:
            save_embeddings(out, done, columns, settings)
    width = columns[-1].first + columns[-1].size
    click.echo(f"{out}: {len(done) - failed} files, {width} features of {', '.join(one.layer for one in columns)}")
    return SOME_FAILED if failed else 0
