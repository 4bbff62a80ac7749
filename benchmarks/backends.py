"""The largest difference between the probabilities that one `.keras` file gives on TensorFlow, JAX and PyTorch.

Usage: python benchmarks/backends.py MODEL FOLDER [--songs 50] [--windows 2]

Windows of the folder's songs, then one of silence and one of full scale; each backend in a process of its own.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from itertools import combinations
from pathlib import Path

import numpy as np

from keraudio.backend import installed_backends

PREDICT = """
import sys
import numpy as np
import keraudio

model = keraudio.load(sys.argv[1])
windows = np.load(sys.argv[2])
np.save(sys.argv[3], np.concatenate([model.predict(windows[i:i + 16], verbose=0) for i in range(0, len(windows), 16)]))
"""


def main() -> None:
    """Predicts on every backend and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--songs", type=int, default=50)
    parser.add_argument("--windows", type=int, default=2)
    options = parser.parse_args()

    from keraudio.audio import find_audio, read_windows
    from keraudio.model_file import check_model_file
    from keraudio.saved_models import resolve_model

    path = resolve_model(options.model)
    facts = check_model_file(path)
    stretch = {"sample_rate": facts.sample_rate, "window": facts.window, "hop": facts.hop, "limit": options.windows}
    songs = find_audio(options.folder)[: options.songs]
    extremes = [np.zeros((1, facts.window), "float32"), np.ones((1, facts.window), "float32")]
    windows = np.concatenate([read_windows(song, **stretch) for song in songs] + extremes)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "windows.npy", windows)
        for backend in installed_backends():
            out = Path(folder) / f"{backend}.npy"
            command = [sys.executable, "-c", PREDICT, str(path), str(Path(folder) / "windows.npy"), str(out)]
            subprocess.run(command, check=True, env={**os.environ, "KERAS_BACKEND": backend}, stderr=subprocess.DEVNULL)
            found[backend] = np.load(out)
    print(f"{options.model}: {len(windows)} windows, {len(facts.labels)} labels")
    print("| backends | largest difference |\n|---|---|")
    for one, other in combinations(found, 2):
        print(f"| {one}, {other} | {np.abs(found[one] - found[other]).max():.1e} |")


if __name__ == "__main__":
    main()
