"""Seconds and memory of Hybrid Demucs, forward and a training step, beside its own code in PyTorch, in one run.

Usage: python benchmarks/hdemucs.py [--backends tensorflow jax torch] [--seconds 5] [--batch 1] [--rounds 5]

Full size, 16 kHz stereo, float32. Each backend has a process of its own, in which keraudio and `demucs` take turns with
the same weights: a prediction, and a step of Adam on the mean absolute error. Figures are medians, memory the peak of a
process in which one of the two runs alone.
"""

import argparse
import json
import resource
from collections.abc import Callable
from typing import Any

import numpy as np
from side_by_side import child, medians

RATE, SOURCES = 16000, ["drums", "bass", "other", "vocals"]


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Medians of this process's backend, and the process's peak memory in MB."""
    random = np.random.default_rng(0)
    samples = round(options.seconds * RATE)
    x = random.normal(0, 0.2, (options.batch, samples, 2)).astype("float32")
    y = random.normal(0, 0.2, (options.batch, samples, 2 * len(SOURCES))).astype("float32")
    calls: dict[str, dict[str, Callable[[], Any]]] = {}
    state = None
    if options.who != "ours":
        import torch
        from demucs.hdemucs import HDemucs

        torch.manual_seed(0)
        peer = HDemucs(SOURCES)
        state = {name: value.numpy() for name, value in peer.state_dict().items()}
        optimizer = torch.optim.Adam(peer.parameters(), 1e-4)
        mixture = torch.tensor(x.transpose(0, 2, 1).copy())
        wanted = torch.tensor(y.reshape(options.batch, samples, len(SOURCES), 2).transpose(0, 2, 3, 1).copy())

        def predict_peer() -> np.ndarray:
            peer.eval()
            with torch.inference_mode():
                return peer(mixture).permute(0, 3, 1, 2).reshape(options.batch, samples, -1).numpy()

        def train_peer() -> float:
            peer.train()
            optimizer.zero_grad()
            loss = torch.nn.functional.l1_loss(peer(mixture), wanted)
            loss.backward()
            optimizer.step()
            return float(loss.detach())

        calls["theirs"] = {"inference": predict_peer, "training": train_peer}
    if options.who != "theirs":
        import keras

        from keraudio.backend import preferred_jit
        from keraudio.convert.hdemucs import set_hdemucs_weights
        from keraudio.frontends.hdemucs import hdemucs

        model = hdemucs(samples, sources=len(SOURCES))
        if state is not None:
            set_hdemucs_weights(model, state)
        model.compile(keras.optimizers.Adam(1e-4), "mean_absolute_error", jit_compile=preferred_jit())
        calls["ours"] = {
            "inference": lambda: np.asarray(model.predict_on_batch(x)),
            "training": lambda: float(model.train_on_batch(x, y)),
        }
    difference = None
    if options.who == "both":
        outputs = [calls[who]["inference"]() for who in ("ours", "theirs")]
        difference = float(np.abs(outputs[0] - outputs[1]).max() / np.abs(outputs[1]).max())
    times: dict[str, float] = {}
    for what in ("inference", "training"):
        found = medians({who: of_one[what] for who, of_one in calls.items()}, options.rounds)
        times |= {f"{what} {who}": seconds for who, seconds in found.items()}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"times": times, "peak": peak, "difference": difference}


def main() -> None:
    """Runs the processes and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backends", nargs="+", default=["tensorflow", "jax", "torch"])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--who", choices=("both", "ours", "theirs"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.who:
        print(json.dumps(measure(options)))
        return

    def run(backend: str, who: str, rounds: int) -> dict[str, Any]:
        sizes = ["--seconds", str(options.seconds), "--batch", str(options.batch), "--rounds", str(rounds)]
        return child(__file__, backend, [*sizes, "--who", who])

    theirs = run("torch", "theirs", 1)["peak"]
    print("| backend | | keraudio, s | demucs, s | times as fast | peak MB | demucs' | outputs differ by |")
    print("|---|---|---|---|---|---|---|---|")
    for backend in options.backends:
        peak, found = run(backend, "ours", 1)["peak"], run(backend, "both", options.rounds)
        for what in ("inference", "training"):
            ours, peer = found["times"][f"{what} ours"], found["times"][f"{what} theirs"]
            print(
                f"| {backend} | {what} | {ours:.2f} | {peer:.2f} | {peer / ours:.2f} | {peak:.0f} | {theirs:.0f} | "
                f"{found['difference']:.1e} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
