"""A training step of adaptive STFT beside the authors' layer rebuilt in PyTorch, in one run.

Usage: python benchmarks/adaptive_stft.py [--backends tensorflow jax torch] [--rounds 9] [--batch 16]

The front end alone, as it stands before ResNet-18: parts of 56,317 samples, transform, mel bands, logarithm; behind it
the mean over frames and a dense layer of ten labels, cross-entropy, AdamW. The peer, that of the parity tests,
convolves with complex kernels. Each backend has a process of its own, in which both take turns. Figures are medians.
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
RATE, SAMPLES, N_FFT, MELS, LABELS = 22050, 56317, 1024, 128, 10
# What learns: whether the window, whether the kernels, and how keraudio keeps the kernels.
CASES = {
    "window": (True, False, "fixed"),
    "kernels": (False, True, "free"),
    "both": (True, True, "free"),
    "both, low-rank kernels": (True, True, "low_rank"),
}


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Rows of this process's backend."""
    import keras

    random = np.random.default_rng(0)
    x = random.normal(0, 0.1, (options.batch, SAMPLES)).astype("float32")
    y = np.eye(LABELS, dtype="float32")[random.integers(0, LABELS, options.batch)]
    rows = []
    for case, (window, kernels, kept) in CASES.items():
        calls, difference = steps(x, y, window=window, kernels=kernels, kept=kept)
        seconds = medians(calls, options.rounds)
        rows.append({"backend": keras.backend.backend(), "case": case, "difference": difference, **seconds})
    return rows


def steps(
    x: np.ndarray, y: np.ndarray, *, window: bool, kernels: bool, kept: str
) -> tuple[dict[str, Callable[[], float]], float]:
    """Our training step and the peer's, and by what share of the peak their features differ before the first."""
    import keras
    import torch
    from adaptive_stft_torch import TorchAdaptiveSTFT

    from keraudio.backend import preferred_jit
    from keraudio.frontends import adaptive_stft

    front_end = adaptive_stft(RATE, samples=SAMPLES, learn_window=window, kernels=kept)
    pooled = keras.layers.GlobalAveragePooling1D()(front_end.output)
    model = keras.Model(front_end.input, keras.layers.Dense(LABELS)(pooled))
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(1e-3), loss, jit_compile=preferred_jit())

    stft = TorchAdaptiveSTFT(RATE, N_FFT, MELS)
    stft.window.requires_grad_(window)
    stft.kernels.requires_grad_(kernels)
    dense = torch.nn.Linear(MELS, LABELS)
    learned = [weight for weight in (*stft.parameters(), *dense.parameters()) if weight.requires_grad]
    optimizer = torch.optim.AdamW(learned, 1e-3)
    waveforms, labels = torch.tensor(x), torch.tensor(y)

    def peer_step() -> float:
        optimizer.zero_grad()
        value = torch.nn.functional.cross_entropy(dense(stft(waveforms).mean(dim=2)), labels)
        value.backward()
        optimizer.step()
        return float(value.detach())

    with torch.inference_mode():
        expected = stft(waveforms).transpose(1, 2).numpy()
    difference = np.abs(front_end.predict_on_batch(x) - expected).max() / np.abs(expected).max()
    return {"ours": lambda: float(model.train_on_batch(x, y)), "peer": peer_step}, float(difference)


def main() -> None:
    """Runs one process a backend and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backends", nargs="+", default=["tensorflow", "jax", "torch"])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(options)))
        return
    print("| learned | backend | keraudio, ms a step | PyTorch, ms | times as fast | features differ by |")
    print("|---|---|---|---|---|---|")
    for row in rows_of(__file__, options.backends):
        print(
            f"| {row['case']} | {row['backend']} | {1000 * row['ours']:.0f} | {1000 * row['peer']:.0f} | "
            f"{row['peer'] / row['ours']:.2f} | {row['difference']:.1e} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
