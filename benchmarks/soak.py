"""Memory and time of `keraudio tag` over very many songs: is memory flat, and how fast is a second run?

Usage: python benchmarks/soak.py [--songs 10000] [--model NAME|FILE] [--windows 10] [--backend NAME] [--out FILE.csv]

The songs are short clips made for the occasion: three seconds of tone in noise, all different, FLAC. Memory is resident
memory, of the process and of all with its decoders, every hundredth song, from /proc (Linux).
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

COMMAND = [sys.executable, "-c", "from keraudio.cli.main import main; main()"]
PAGE = os.sysconf("SC_PAGE_SIZE") / 2**20


def make_songs(folder: Path, count: int) -> None:
    rate = 16_000
    at = np.arange(3 * rate + 400) / rate
    random = np.random.default_rng(0)
    for number in range(count):
        place = folder / f"{number // 100:03d}"
        place.mkdir(exist_ok=True)
        tone = np.sin(2 * np.pi * random.uniform(60, 4000) * at) + random.uniform(0.01, 1) * random.standard_normal(
            len(at)
        )
        soundfile.write(place / f"{number:05d}.flac", 0.2 * tone, rate)


def resident(process: int) -> tuple[float, float]:
    """MiB of a process, and of it with its children."""
    own = _pages(process) * PAGE
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        for task in Path(f"/proc/{process}/task").iterdir():
            children += (task / "children").read_text().split()
    except OSError:
        children = []
    return own, own + sum(_pages(int(child)) for child in set(children)) * PAGE


def _pages(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0


def tag(folder: Path, options: argparse.Namespace, state: Path) -> tuple[float, list[tuple[int, float, float]]]:
    """Seconds, and (songs done, MiB, MiB with decoders) on the way."""
    arguments = ["tag", folder, "--model", options.model, "--windows", options.windows, "--jsonl"]
    environment = os.environ | {
        "KERAUDIO_CACHE": str(state), "KERAUDIO_JOURNAL": f"{state}/journal.sqlite3", "KERAS_BACKEND": options.backend,
    }  # fmt: skip
    began = time.perf_counter()
    process = subprocess.Popen([*COMMAND, *map(str, arguments)], env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    samples = []
    for number, _line in enumerate(process.stdout, start=1):
        if number % 100 == 0:
            samples.append((number, *resident(process.pid)))
    code = process.wait()
    assert code == 0, code
    assert number == options.songs, number
    return time.perf_counter() - began, samples


def main() -> None:
    """Prints the figures, and writes the samples."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=int, default=10_000)
    parser.add_argument("--model", default="genres")
    parser.add_argument("--windows", type=int, default=10)
    parser.add_argument("--backend", default="tensorflow")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, state = Path(name) / "songs", Path(name) / "state"
        folder.mkdir()
        make_songs(folder, options.songs)
        first, samples = tag(folder, options, state)
        second, _ = tag(folder, options, state)
    if options.out:
        with options.out.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["songs", "mib", "mib_with_decoders"])
            writer.writerows([(n, round(own, 1), round(every, 1)) for n, own, every in samples])
    print(f"{options.songs} songs, {options.model} on {options.backend}, {options.windows} windows a song at most")
    print(f"first run {first:.1f} s, second run {second:.1f} s: {first / second:.0f} times as fast")
    settled = [sample for sample in samples if sample[0] >= 1000] or samples
    for column, what in ((1, "the process"), (2, "with its decoders")):
        at_1000, values = settled[0][column], [sample[column] for sample in settled]
        growth = max(values) / at_1000 - 1
        print(f"{what}: {at_1000:.0f} MiB after {settled[0][0]} songs, at most {max(values):.0f} after: {growth:+.1%}")


if __name__ == "__main__":
    main()
