"""Windows a second that each step of the input pipeline gives, beside what a model's training step takes.

Usage: python benchmarks/pipeline.py KIND:PATH [--recipe esc50_baseline] [--seconds 5]

Steps: decoding and resampling into an empty cache, one thread and all; reading random crops from the cache; whole
batches; the same through tf.data and through PyDataset. A feed that gives more windows a second than a training step
takes (`benchmarks/train_step.py`) does not starve it.
"""

import argparse
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from keraudio.pipeline import Crops, cache_clips, feed
from keraudio.recipes import load_recipe, prepare_manifest


def rate(step, windows_a_step: int, seconds: float) -> float:
    """Windows a second of calling `step`, after one call that does not count."""
    step()
    began = time.perf_counter()
    count = 0
    while time.perf_counter() - began < seconds:
        step()
        count += 1
    return count * windows_a_step / (time.perf_counter() - began)


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--recipe", default="esc50_baseline")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--clips", type=int, default=200, help="clips decoded in the decoding rows")
    options = parser.parse_args()
    recipe = load_recipe(options.recipe)
    manifest = prepare_manifest(recipe, options.data, seed=0)
    sample = manifest.replace(manifest.clips[: options.clips])
    rows: dict[str, float] = {}
    for jobs in (1, None):
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            cached = cache_clips(sample, sample_rate=recipe.audio.sample_rate, folder=Path(folder), jobs=jobs)
            windows = cached.lengths.sum() / recipe.audio.window_samples
            rows[f"decode and resample, {'one thread' if jobs else 'all processors'}"] = windows / (
                time.perf_counter() - began
            )
    clips = cache_clips(manifest, sample_rate=recipe.audio.sample_rate).split("train")
    crops = Crops(clips, recipe.audio.window_samples, recipe.training.batch_size)
    random = np.random.default_rng(0)
    rows["read one crop"] = rate(
        lambda: clips.read(int(random.integers(len(clips))), 0, recipe.audio.window_samples), 1, options.seconds
    )
    steps = iter(range(10**9))
    rows["assemble a batch"] = rate(lambda: crops.batch(*divmod(next(steps), crops.steps)), crops.size, options.seconds)
    if find_spec("tensorflow") is not None:
        dataset = iter(feed(crops, kind="tf.data"))
        rows["tf.data"] = rate(lambda: next(dataset), crops.size, options.seconds)
    loader = feed(crops, kind="PyDataset")
    indices = iter(range(10**9))
    rows["PyDataset, called directly"] = rate(lambda: loader[next(indices)], crops.size, options.seconds)
    seconds = recipe.audio.window
    print(f"{options.recipe}: windows of {seconds:g} s, batches of {crops.size}")
    print("| step | windows/s | seconds of sound/s |\n|---|---|---|")
    for name, value in rows.items():
        print(f"| {name} | {value:,.0f} | {value * seconds:,.0f} |")


if __name__ == "__main__":
    main()
