"""Does GAFX-A train? Steps on real clips, silence and full-scale square waves, with each ingredient left out in turn.

Usage: python benchmarks/gafx_a.py --data openmusic:PATH [--steps 500] [--others 200] [--precisions float32
       mixed_bfloat16] [--samples 66200] [--width 0.25] [--cases NAME ...]

A batch has two stretches of clips, one of silence and one square wave, each with a label of its own kind. Every case
begins with the same weights and hears the same batches, at a constant rate of 5e-4 behind a warm-up: the recipe as it
is for `--steps`, and without one of its ingredients for `--others`. A step that is not finite is skipped and counted.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

RATE, LEARNING_RATE, WARMUP, BATCH = 22050, 5e-4, 100, 4
SWITCHES = ("normalize", "group_norm", "pre_norm", "qk_norm", "layer_scale", "zero_output", "float32_softmax")
TRAINING = {"clip_norm": {"clip_norm": None}, "warmup": {"warmup_steps": 0}}
ALL = dict.fromkeys(SWITCHES, False)
CASES: dict[str, tuple[dict[str, bool], dict[str, Any]]] = {
    "all": ({}, {}),
    **{f"without {name}": ({name: False}, {}) for name in SWITCHES},
    **{f"without {name}": ({}, settings) for name, settings in TRAINING.items()},
    "none of them": (ALL, {"clip_norm": None, "warmup_steps": 0}),
}


def batches(clips: Any, samples: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Waveforms `(4, samples)` and labels `(4, labels + 2)`: two of clips, silence, a square wave."""
    labels = clips.manifest.labels
    targets = clips.manifest.targets()
    random = np.random.default_rng(seed)
    while True:
        x = np.zeros((BATCH, samples), "float32")
        y = np.zeros((BATCH, len(labels) + 2), "float32")
        for place, row in enumerate(random.integers(0, len(clips), 2)):
            start = random.integers(0, max(1, int(clips.lengths[row]) - samples))
            x[place], y[place, : len(labels)] = clips.read(int(row), int(start), samples), targets[row]
        x[3] = np.sign(np.sin(2 * np.pi * random.uniform(20, 5000) / RATE * np.arange(samples) + 0.1))
        y[2, -2] = y[3, -1] = 1
        yield x, y


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Losses of one case and precision."""
    import keras

    from keraudio.backbones import ast
    from keraudio.backend import preferred_jit
    from keraudio.datasets import load_manifest
    from keraudio.frontends import gafx_a
    from keraudio.pipeline import cache_clips
    from keraudio.training import TrainingSettings
    from keraudio.training.settings import build_optimizer

    switches, changes = CASES[options.case]
    settings = TrainingSettings(
        **{
            "optimizer": "adamw",
            "beta_2": 0.98,
            "learning_rate": LEARNING_RATE,
            "weight_decay": 0.0,
            "schedule": "constant",
            "warmup_steps": WARMUP,
            "clip_norm": 1.0,
            "precision": options.precision,
        }
        | changes
    )
    clips = cache_clips(load_manifest(options.data), sample_rate=RATE)
    feed = batches(clips, options.samples, 0)
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(options.precision)
    front_end = gafx_a(RATE, samples=options.samples, width=options.width, **switches)
    backbone = ast(front_end.output_shape[1:], width=96, depth=2, heads=3)
    logits = keras.layers.Dense(len(clips.manifest.labels) + 2, dtype="float32")(backbone(front_end.output))
    model = keras.Model(front_end.input, logits)
    optimizer = build_optimizer(settings, options.steps)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, jit_compile=preferred_jit())
    losses, began = [], 0.0
    for step in range(options.steps):
        if step == 1:
            began = time.perf_counter()
        losses.append(float(model.train_on_batch(*next(feed), return_dict=True)["loss"]))
        # Keras gives the mean over all steps so far unless it is told to forget them.
        model.reset_metrics()
    skipped = int(keras.ops.convert_to_numpy(optimizer.skipped.value))
    weights = np.concatenate([keras.ops.convert_to_numpy(w).astype("float32").ravel() for w in model.trainable_weights])
    return {
        "losses": losses,
        "skipped": skipped,
        "finite": bool(np.isfinite(weights).all()),
        "seconds": (time.perf_counter() - began) / max(1, options.steps - 1),
        "shape": list(front_end.output_shape[1:]),
    }


def main() -> None:
    """Runs a process a case and precision, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--others", type=int, default=200)
    parser.add_argument("--precisions", nargs="+", default=["float32", "mixed_bfloat16"])
    parser.add_argument("--samples", type=int, default=66200)
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--precision", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(measure(options)))
        return
    print("| case | precision | steps | first 20 losses | last 20 | greatest | not finite | s a step |")
    print("|---|---|---|---|---|---|---|---|")
    for case in options.cases:
        steps = options.steps if case == "all" else options.others
        for precision in options.precisions:
            command = [sys.executable, __file__, "--data", options.data, "--steps", str(steps)]
            command += ["--samples", str(options.samples), "--width", str(options.width)]
            done = subprocess.run(
                [*command, "--case", case, "--precision", precision],
                env=os.environ,
                stdout=subprocess.PIPE,
                check=True,
            )
            found = json.loads(done.stdout.splitlines()[-1])
            losses = np.array(found["losses"], dtype="float64")
            lost = int((~np.isfinite(losses)).sum())
            print(
                f"| {case} | {precision} | {steps} | {np.nanmean(losses[:20]):.3f} | {np.nanmean(losses[-20:]):.3f} | "
                f"{np.nanmax(losses):.3f} | {max(lost, found['skipped'])} | {found['seconds']:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
