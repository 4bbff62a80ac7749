"""Seconds to tag songs of real length: `keraudio tag`, decoding alone, and the original musicnn, on the same files.

Usage: python benchmarks/tagging.py openmusic:PATH [--songs 100] [--seconds 240] [--wheel WHEEL] [--backend NAME]
       python benchmarks/tagging.py FOLDER [...]

Of a data set, MP3s of its excerpts, one after the other, are made in a temporary folder; a folder of songs is taken as
it is, and copied for writing. The command runs four times: with nothing known, again, with `--write`, and `undo`; its
seconds hold everything from start to exit. Decoding has as many processes as the command. "musicnn" does what the
package musicnn 0.1.0 (WHEEL is `musicnn-0.1.0-py3-none-any.whl`) does with a file - librosa's decoding and spectrogram,
every window of three seconds by itself - with the original graph of MSD_musicnn, start-up left out.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from one_song import make_song

COMMAND = [sys.executable, "-c", "from keraudio.cli.main import main; main()"]


def seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


@contextlib.contextmanager
def songs_of(source: str, count: int, length: int) -> Iterator[Path]:
    """A folder of songs that may be written to."""
    from keraudio.audio import find_audio
    from keraudio.datasets import load_manifest

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if Path(source).is_dir():
            for number, song in enumerate(find_audio(source)[:count]):
                shutil.copy(song, folder / f"{number:03d} {song.name}")
        else:
            clips = [clip.path for clip in load_manifest(source).clips]
            for number in range(count):
                start = number * len(clips) // count
                made = make_song([*clips[start:], *clips[:start]], length, folder)
                made.rename(folder / f"{number:03d}.mp3")
        yield folder


def musicnn(wheel: Path, songs: list[Path]) -> float:
    """Seconds that the original takes over songs, after its graph is there."""
    import librosa
    import numpy as np
    from musicnn import original

    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder, [name for name in archive.namelist() if "/." in name])
        graph = original(Path(folder) / "musicnn" / "MSD_musicnn")

    def tag(song: Path) -> np.ndarray:
        import tensorflow as tf

        waveform, _ = librosa.load(song, sr=16000)
        mel = librosa.feature.melspectrogram(y=waveform, sr=16000, hop_length=256, n_fft=512, n_mels=96).T
        features = np.log10(10000 * mel + 1).astype("float32")
        windows = [features[start : start + 187] for start in range(0, len(features) - 186, 187)]
        return np.mean([graph(tf.constant(window[None])).numpy() for window in windows], axis=0)

    tag(songs[0])
    return seconds(lambda: [tag(song) for song in songs])


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("--songs", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=240)
    parser.add_argument("--model", default="genres")
    parser.add_argument("--wheel", type=Path)
    parser.add_argument("--backend", default="tensorflow")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()

    from keraudio.audio import find_audio
    from keraudio.backend import choose_backend

    choose_backend(options.backend)
    from keraudio.model_file import check_model_file
    from keraudio.saved_models import resolve_model
    from keraudio.tagging.predict import TIME_LIMIT, read_ahead
    from keraudio.tagging.workers import Workers

    rows: dict[str, float] = {}
    with songs_of(options.source, options.songs, options.seconds) as folder, tempfile.TemporaryDirectory() as state:
        songs = find_audio(folder)
        size = sum(song.stat().st_size for song in songs) / 1e6
        environment = os.environ | {"KERAUDIO_CACHE": state, "KERAUDIO_JOURNAL": f"{state}/journal.sqlite3"}
        tag = ["tag", str(folder), "--model", options.model, "--backend", options.backend, "--jobs", str(options.jobs)]

        def run(*arguments: str) -> float:
            return seconds(
                lambda: subprocess.run(
                    [*COMMAND, *arguments], env=environment, check=True, stdout=subprocess.DEVNULL, stderr=sys.stderr
                )
            )

        description = check_model_file(resolve_model(options.model))
        about = {"sample_rate": description.sample_rate, "window": description.window, "hop": description.hop}
        for name, limit in (("decoding ten windows a song", 10), ("decoding whole songs", None)):
            with Workers(about | {"limit": limit, "tags": False, "results": None}, TIME_LIMIT) as workers:
                rows[name] = seconds(
                    lambda: [future.result() for _, future in read_ahead(workers.examine, songs, options.jobs)]
                )
        rows["keraudio tag, nothing known"] = run(*tag)
        rows["keraudio tag, again"] = run(*tag)
        rows["keraudio tag --write, again"] = run(*tag, "--write", "--existing", "replace")
        rows["keraudio undo --last"] = run("undo", "--last")
        if options.wheel:
            rows["musicnn: librosa, all windows of one network"] = musicnn(options.wheel, songs)

    print(
        f"{len(songs)} songs of {options.seconds} s, {size:.0f} MB; {options.model} on {options.backend}, "
        f"{options.jobs} processes"
    )
    print("| | seconds | a song | times decoding whole songs |\n|---|---|---|---|")
    for name, value in rows.items():
        ratio = value / rows["decoding whole songs"]
        print(f"| {name} | {value:.2f} | {value / len(songs):.3f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
