"""Does a learned transform pay, and do low-rank kernels learn as well as free ones? ESC-10, fold by fold, one table.

Usage: python benchmarks/learned_kernels.py esc50:PATH --out FOLDER [--epochs 30] [--folds 1 2 3 4 5] [--backend NAME]

Every arm trains the same small network, on two seconds at 8 kHz, from the same seed, once a fold; the fold before the
test fold chooses the epoch. A run that is whole already is not repeated, one that was broken off goes on. Accuracies
are over all clips of all folds; differences from the fixed transform are paired by clip, intervals drawn over whole
recordings.
"""

import argparse
import json
from pathlib import Path

import numpy as np

ARMS = {
    "fixed": {"kernels": "fixed", "learn_window": False},
    "window": {"kernels": "fixed"},
    "window and low-rank kernels": {"kernels": "low_rank"},
    "window and free kernels": {"kernels": "free"},
}


def recipe_changes(arm: str, fold: int, epochs: int) -> list[str]:
    """Assignments that make the ESC-10 recipe one arm's on one fold."""
    valid = (fold + 3) % 5 + 1
    front_end = {"name": "adaptive_stft", "n_fft": 256, "hop_length": 128, "n_mels": 40, **ARMS[arm]}
    sections = {
        "front_end": front_end,
        "audio.sample_rate": 8000,
        "audio.window": 2.0,
        "audio.hop": 1.0,
        "backbone.filters": [16, 32, 64],
        "backbone.norm_momentum": 0.9,
        "training.crops_per_clip": 4,
        "data.test_folds": [fold],
        "data.valid_folds": [valid],
        "data.train_folds": [number for number in range(1, 6) if number not in (fold, valid)],
        "training.epochs": epochs,
    }
    inline = ", ".join(f"{key} = {json.dumps(value)}" for key, value in front_end.items())
    return [f"front_end={{{inline}}}"] + [
        f"{key}={json.dumps(value)}" for key, value in sections.items() if key != "front_end"
    ]


def main() -> None:
    """Trains what is missing and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--folds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--backend")
    options = parser.parse_args()

    from keraudio.backend import choose_backend

    choose_backend(options.backend)
    from keraudio.evaluation import bootstrap_interval
    from keraudio.recipes import load_recipe, prepare_manifest, run_recipe

    correct: dict[str, dict[str, float]] = {arm: {} for arm in ARMS}
    groups: dict[str, str] = {}
    seconds = dict.fromkeys(ARMS, 0.0)
    last: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
    for fold in options.folds:
        for arm in ARMS:
            recipe = load_recipe("esc10_baseline", changes=recipe_changes(arm, fold, options.epochs))
            folder = options.out / f"{arm.replace(' ', '_')}-{fold}"
            report_file = folder / "report.json"
            if not report_file.exists():
                run_recipe(recipe, options.data, folder=folder, seed=fold, resume=folder.exists())
            report = json.loads(report_file.read_text())
            for clip in report["reports"]["test"]["clips"]:
                correct[arm][clip["id"]] = float(clip["actual"] == clip["predicted"])
            groups |= {clip.id: clip.group for clip in prepare_manifest(recipe, options.data, seed=fold).clips}
            seconds[arm] += report["seconds_training"]
            rows = (folder / "metrics.csv").read_text().splitlines()
            last[arm].append(dict(zip(rows[0].split(","), map(float, rows[-1].split(",")), strict=True)))
            print(f"{folder.name}: {report['reports']['test']['metrics']['accuracy']['value']:.3f}", flush=True)

    ids = sorted(correct["fixed"])
    table = {arm: np.array([found[name] for name in ids]) for arm, found in correct.items()}
    whose = [groups[name] for name in ids]

    def interval(values: np.ndarray) -> str:
        low, high = bootstrap_interval(lambda counts: float(counts @ values / counts.sum()), len(ids), groups=whose)
        return f"{values.mean():.3f} [{low:.3f}, {high:.3f}]"

    print(f"\nESC-10, test folds {options.folds}, n = {len(ids)}, {options.epochs} epochs\n")
    print("| learned | accuracy | against fixed | training loss | window change | kernel change | seconds |")
    print("|---|---|---|---|---|---|---|")
    for arm, values in table.items():
        means = {key: np.mean([row[key] for row in last[arm]]) for key in last[arm][0]}
        against = "" if arm == "fixed" else interval(values - table["fixed"])
        changes = [means.get(f"stft_{name}_change", 0.0) for name in ("window", "kernel")]
        cells = [arm, interval(values), against, f"{means['loss']:.3f}", f"{changes[0]:.2g}", f"{changes[1]:.3g}"]
        print("| " + " | ".join([*cells, f"{seconds[arm]:.0f}"]) + " |")


if __name__ == "__main__":
    main()
