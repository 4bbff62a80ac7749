"""Seconds to tag songs with a saved model, and where they go: start-up, decoding, prediction.

Usage: python benchmarks/tagging.py FOLDER [--songs 50] [--model NAME] [--jobs N] [--backend NAME]

Start-up is from the first import to a loaded, compiled model (one prediction of silence). "decoding" is summed over the
threads, "waiting" is what of it the prediction had to wait for. A full decode of the same files is the yardstick.
"""

import argparse
import time
from pathlib import Path

BEGAN = time.perf_counter()


def main() -> None:
    """Tags, times, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--songs", type=int, default=50)
    parser.add_argument("--model", default="genres")
    parser.add_argument("--windows", type=int, default=10)
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--backend")
    options = parser.parse_args()

    from keraudio.backend import choose_backend

    choose_backend(options.backend)
    import keras
    import numpy as np

    from keraudio.audio import find_audio, load_audio
    from keraudio.classifier import describe, load
    from keraudio.saved_models import resolve_model
    from keraudio.tagging import Seconds, predict_files

    songs = find_audio(options.folder)[: options.songs]
    model = load(resolve_model(options.model))
    description = describe(model)
    model.predict_on_batch(np.zeros((options.windows, description.window), "float32"))
    start_up = time.perf_counter() - BEGAN

    seconds = Seconds()
    began = time.perf_counter()
    answers = list(predict_files(model, songs, windows=options.windows, jobs=options.jobs, seconds=seconds))
    tagging = time.perf_counter() - began
    failed = sum(answer.error is not None for answer in answers)

    began = time.perf_counter()
    sound = sum(len(load_audio(song, sample_rate=description.sample_rate)) for song in songs) / description.sample_rate
    full_decode = time.perf_counter() - began

    total = start_up + tagging
    print(f"{len(songs)} songs, {sound:.0f} s of sound, {failed} failed; {options.model} on {keras.backend.backend()}")
    print("| | seconds | share |\n|---|---|---|")
    rows = {
        "start-up": start_up,
        "prediction": seconds.predicting,
        "waiting for decoding": seconds.waiting,
        "all": total,
        "(decoding, summed over threads)": seconds.decoding,
        "(full decode of the same files, one thread)": full_decode,
    }
    for name, value in rows.items():
        print(f"| {name} | {value:.2f} | {value / total:.0%} |")
    print(f"{sound / tagging:.0f} s of sound a second, start-up left out")


if __name__ == "__main__":
    main()
