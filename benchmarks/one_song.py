"""Tagging one long song beside decoding it whole, and what fewer windows cost in agreement.

Usage: python benchmarks/one_song.py openmusic:PATH [--model genres] [--seconds 240] [--rounds 9]

The song is an MP3 made of the data set's excerpts, one after the other. Decoding and tagging - its windows decoded by
seeking, the model compiled before - take turns, twenty songs in a row, round after round; the figure is the
median, a song. For agreement every clip
is tagged with ten windows and with fewer.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from keraudio.audio import load_audio
from keraudio.classifier import load
from keraudio.datasets import load_manifest
from keraudio.saved_models import resolve_model
from keraudio.tagging import predict_files

RATE = 44100
# Songs in a row, so that the start of the decoding processes counts as it does in a folder.
COPIES = 20


def make_song(paths: list[Path], seconds: int, folder: Path) -> Path:
    """An MP3 in stereo at 44.1 kHz of about 200 kbit/s, as shops sell them."""
    pieces, samples = [], 0
    for path in paths:
        pieces.append(load_audio(path, sample_rate=RATE))
        samples += len(pieces[-1])
        if samples >= seconds * RATE:
            break
    mono = np.concatenate(pieces)[: seconds * RATE]
    song = folder / "song.mp3"
    soundfile.write(song, np.stack([mono, np.roll(mono, 20)], axis=1), RATE, format="MP3", compression_level=0.3)
    return song


def main() -> None:
    """Prints both times, their ratio, and the agreement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--model", default="genres")
    parser.add_argument("--seconds", type=int, default=240)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    model = load(resolve_model(options.model))
    clips = [clip.path for clip in load_manifest(options.data).clips]
    times: dict[str, list[float]] = {"decode": [], "ten windows": [], "three windows": []}
    with tempfile.TemporaryDirectory() as folder:
        song = make_song(clips, options.seconds, Path(folder))
        calls = {
            "decode": lambda: [load_audio(song, sample_rate=RATE) for _ in range(COPIES)],
            "ten windows": lambda: list(predict_files(model, [song] * COPIES, windows=10)),
            "three windows": lambda: list(predict_files(model, [song] * COPIES, windows=3)),
        }
        for call in calls.values():
            call()
        for _ in range(options.rounds):
            for name, call in calls.items():
                began = time.perf_counter()
                call()
                times[name].append((time.perf_counter() - began) / COPIES)
        size = song.stat().st_size / 1e6
    medians = {name: statistics.median(of_one) for name, of_one in times.items()}
    print(f"MP3 of {options.seconds} s, {size:.1f} MB, stereo at {RATE} Hz; medians of {options.rounds} rounds")
    for name, value in medians.items():
        print(f"{name}: {value:.3f} s, {value / medians['decode']:.2f} times decoding it whole")
    ten = list(predict_files(model, clips, windows=10))
    for count in (5, 3, 1):
        few = list(predict_files(model, clips, windows=count))
        first = np.mean([a.top(1)[0][0] == b.top(1)[0][0] for a, b in zip(ten, few, strict=True)])
        same = np.mean([set(a.chosen) == set(b.chosen) for a, b in zip(ten, few, strict=True)])
        apart = np.mean([np.abs(a.probabilities - b.probabilities).max() for a, b in zip(ten, few, strict=True)])
        print(
            f"{count} of ten windows, {len(clips)} clips: the likeliest genre is the same for {first:.1%}, "
            f"all given genres for {same:.1%}; greatest change of a confidence {apart:.3f} in the mean"
        )


if __name__ == "__main__":
    main()
