"""Seconds of an example in training and inference: SampleCNN 3^9 beside the same network in plain PyTorch, in one run.

Usage: python benchmarks/sample_cnn.py [--backends tensorflow jax torch] [--batch 23] [--rounds 7] [--narrowing 1]

Each backend has a process of its own, in which keraudio and the PyTorch build (that of the parity tests, with the same
weights) take turns: a step of SGD with Nesterov momentum on binary cross-entropy, and a prediction of the same batch.
Figures are medians.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from side_by_side import medians, rows_of

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
LABELS = 50


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Rows of this process's backend."""
    import keras
    import torch
    from sample_cnn_torch import TorchSampleCNN, copy_weights

    from keraudio.backend import preferred_jit
    from keraudio.recipes import build_classifier, load_recipe

    recipe = load_recipe(
        "sample_cnn",
        changes=[f"front_end.filters={128 // options.narrowing}", f"backbone.narrowing={options.narrowing}"],
    )
    model = build_classifier(recipe, [str(n) for n in range(LABELS)], multi_label=True)
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True)
    model.compile(optimizer, "binary_crossentropy", jit_compile=preferred_jit())
    widths = [w // options.narrowing for w in (128, 128, 128, 256, 256, 256, 256, 256, 512, 512, 512)]
    peer = TorchSampleCNN([3] * 10, widths, LABELS)
    copy_weights(model, peer)
    peer_optimizer = torch.optim.SGD(peer.parameters(), 0.01, momentum=0.9, nesterov=True)
    random = np.random.default_rng(0)
    x = random.uniform(-1, 1, (options.batch, model.description.window)).astype("float32")
    y = (random.random((options.batch, LABELS)) < 0.1).astype("float32")
    tensors = torch.tensor(x), torch.tensor(y)

    def train_peer() -> float:
        peer.train()
        peer_optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(peer(tensors[0]), tensors[1])
        loss.backward()
        peer_optimizer.step()
        return float(loss.detach())

    def predict_peer() -> np.ndarray:
        peer.eval()
        with torch.inference_mode():
            return torch.sigmoid(peer(tensors[0])).numpy()

    pairs: dict[str, dict[str, Callable[[], Any]]] = {
        "inference": {"ours": lambda: np.asarray(model.predict_on_batch(x)), "peer": predict_peer},
        "training": {"ours": lambda: float(model.train_on_batch(x, y)), "peer": train_peer},
    }
    rows = []
    for name, calls in pairs.items():
        seconds = {who: of_one / options.batch for who, of_one in medians(calls, options.rounds).items()}
        rows.append({"backend": keras.backend.backend(), "what": name, **seconds})
    return rows


def main() -> None:
    """Runs one process a backend and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backends", nargs="+", default=["tensorflow", "jax", "torch"])
    parser.add_argument("--batch", type=int, default=23)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--narrowing", type=int, default=1)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(options)))
        return
    print("| | backend | keraudio, ms an example | PyTorch, ms | times as fast |\n|---|---|---|---|---|")
    for row in rows_of(__file__, options.backends):
        print(
            f"| {row['what']} | {row['backend']} | {1000 * row['ours']:.1f} | {1000 * row['peer']:.1f} | "
            f"{row['peer'] / row['ours']:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
