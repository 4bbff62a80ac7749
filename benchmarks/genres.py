"""Makes `saved_models/genres.keras` of the converted MusiCNN networks, and says how it was calibrated and how it does.

Usage: python benchmarks/genres.py FOLDER openmusic:PATH esc50:PATH [--out saved_models] [--results FOLDER]

FOLDER holds `msd_musicnn.keras` and `mtt_musicnn.keras` of `keraudio convert musicnn`. Fitted on openmusic's train and
valid parts: slope and offset, on clips whose label rests on more than the tagger's own word (evidence "strong" or
"medium"), and thresholds, by which at most 2 % of the clips without a label, and 5 % of ESC-50's folds 1 to 4, which
hold no music, get it. Told on openmusic's test part and on ESC-50's fold 5. A clip's label says of some genres that
they do not hold; of the rest (`MAY_HOLD`) nothing.
"""

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from keraudio.audio import read_windows
from keraudio.classifier import load, logits_model, save
from keraudio.convert.genres import GENRES, build_genres
from keraudio.datasets import load_manifest
from keraudio.evaluation import (
    Calibration,
    evaluate_scores,
    fit_calibration,
    fit_thresholds,
    reliability,
    wilson_interval,
)
from keraudio.visualize import save_reliability_diagram

WINDOWS = 10
LABELS = tuple(GENRES)
MAY_HOLD = {
    "ambient": ("Electronic", "Chillout", "Experimental", "New Age", "Classical", "Techno"),
    "classical": ("Opera", "Ambient", "New Age", "Experimental", "Chillout"),
    "electronic": (
        "Techno", "House", "Dance", "Ambient", "Chillout", "Experimental", "Pop", "Hip-Hop", "Funk", "New Age", "Indie",
        "Alternative",
    ),
    "jazz": ("Blues", "Soul", "Funk", "R&B", "Chillout", "Experimental"),
    "metal": ("Rock", "Hard Rock", "Alternative", "Punk", "Progressive Rock", "Experimental", "Indie"),
}  # fmt: skip


def window_logits(model: Any, paths: list[Path]) -> np.ndarray:
    """Logits of the genres `(clips, windows, genres)`, NaN where a clip has fewer windows."""
    logits, description = logits_model(model), model.description
    found = np.full((len(paths), WINDOWS, len(LABELS)), np.nan, dtype="float32")
    waiting: list[tuple[int, int, np.ndarray]] = []

    def flush() -> None:
        batch = np.zeros((WINDOWS, description.window), dtype="float32")
        batch[: len(waiting)] = [window for _, _, window in waiting]
        for (clip, place, _), row in zip(waiting, logits.predict_on_batch(batch), strict=False):
            found[clip, place] = row[: len(LABELS)]
        waiting.clear()

    for clip, path in enumerate(paths):
        windows = read_windows(
            path, sample_rate=description.sample_rate, window=description.window, hop=description.hop, limit=WINDOWS
        )
        for place, window in enumerate(windows):
            waiting.append((clip, place, window))
            if len(waiting) == WINDOWS:
                flush()
    if waiting:
        flush()
    return found


def truth_of(labels: list[str]) -> np.ndarray:
    """What clips' labels say of each genre: it holds, it does not, or nothing."""
    truth = np.zeros((len(labels), len(LABELS)))
    for row, label in zip(truth, labels, strict=True):
        row[[LABELS.index(genre) for genre in MAY_HOLD[label]]] = np.nan
        row[LABELS.index(label.capitalize())] = 1
    return truth


def agreement(probabilities: np.ndarray, manifest: Any, kept: np.ndarray) -> dict[str, Any]:
    """Share of clips whose likeliest genre, of the data set's five, is their label."""
    clips = [clip for clip, keep in zip(manifest.clips, kept, strict=True) if keep]
    scores = probabilities[kept][:, [LABELS.index(label.capitalize()) for label in manifest.labels]]
    targets = np.array([manifest.labels.index(clip.labels[0]) for clip in clips])
    groups = [clip.group for clip in clips]
    scores = scores / scores.sum(axis=1, keepdims=True)
    report = evaluate_scores(targets, scores, manifest.labels, multi_label=False, vote="mean", groups=groups)
    accuracy = report["metrics"]["accuracy"]
    return {"n": len(clips), "groups": len(set(groups)), **{key: accuracy[key] for key in ("value", "low", "high")}}


def main() -> None:
    """Fits, writes model and figures, prints a summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("openmusic")
    parser.add_argument("esc50")
    parser.add_argument("--out", type=Path, default=Path("saved_models"))
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results/genres"))
    options = parser.parse_args()
    msd, mtt = (load(options.folder / f"{name}_musicnn.keras") for name in ("msd", "mtt"))
    plain = build_genres(msd, mtt)

    music = load_manifest(options.openmusic)
    with (Path(options.openmusic.partition(":")[2]) / "manifest.csv").open(encoding="utf-8") as file:
        evidence = np.array([row["evidence_level"] for row in csv.DictReader(file)])
    logits = window_logits(plain, [clip.path for clip in music.clips])
    truth = truth_of([clip.labels[0] for clip in music.clips])
    fitted_on = np.array([clip.split != "test" for clip in music.clips])
    calibration = fit_calibration(logits[fitted_on & (evidence != "weak")], truth[fitted_on & (evidence != "weak")])

    sounds = load_manifest(options.esc50)
    known = np.array([clip.fold != 5 for clip in sounds.clips])
    noise = calibration.probabilities(window_logits(plain, [clip.path for clip in sounds.clips]))
    probabilities = calibration.probabilities(logits)
    thresholds = np.maximum(
        fit_thresholds(probabilities[fitted_on], truth[fitted_on]),
        fit_thresholds(noise[known], np.zeros_like(noise[known]), false_alarms=0.05),
    )
    model = build_genres(msd, mtt, slope=calibration.slope, offset=calibration.offset, thresholds=thresholds.tolist())
    save(model, options.out / "genres.keras")

    options.results.mkdir(parents=True, exist_ok=True)
    test = ~fitted_on
    before = reliability(Calibration().probabilities(logits[test]), truth[test])
    after = reliability(probabilities[test], truth[test])
    save_reliability_diagram(
        {"before": before, "after": after},
        options.results / "reliability.png",
        title=f"genres on openmusic's test part, {int(test.sum())} clips",
    )
    given = probabilities >= thresholds
    labels = np.array([clip.labels[0] for clip in music.clips])
    alarms = (noise >= thresholds)[~known].any(axis=1)
    figures: dict[str, Any] = {
        "slope": calibration.slope,
        "offset": calibration.offset,
        "fitted_on": int((fitted_on & (evidence != "weak")).sum()),
        "error_before": before.error,
        "error_after": after.error,
        "agreement": {
            name: agreement(probabilities, music, kept)
            for name, kept in {
                "all": np.ones(len(labels), dtype=bool),
                "test": test,
                "strong": evidence == "strong",
                "medium": evidence == "medium",
                "weak": evidence == "weak",
            }.items()
        },
        "test_unsure": {"n": int(test.sum()), "share": float((~given[test].any(axis=1)).mean())},
        "sounds_with_a_genre": {
            "n": len(alarms),
            "share": float(alarms.mean()),
            "interval": wilson_interval(int(alarms.sum()), len(alarms)),
        },
        "labels": {
            genre: {
                "threshold": float(thresholds[i]),
                "test_without": int((truth[test][:, i] == 0).sum()),
                "test_false_alarms": int(given[test & (truth[:, i] == 0)][:, i].sum()),
                "test_with": int((truth[test][:, i] == 1).sum()),
                "test_found": int(given[test & (truth[:, i] == 1)][:, i].sum()),
                "all_with": int((truth[:, i] == 1).sum()),
                "all_found": int(given[truth[:, i] == 1][:, i].sum()),
            }
            for i, genre in enumerate(LABELS)
        },
    }
    (options.results / "genres.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({key: value for key, value in figures.items() if key != "labels"}, indent=1))
    print("| genre | threshold | given without it, test | given with it, test | given with it, all |")
    print("|---|---|---|---|---|")
    for genre, row in figures["labels"].items():
        found = f"{row['test_found']} of {row['test_with']} | {row['all_found']} of {row['all_with']}"
        alarms_of = f"{row['test_false_alarms']} of {row['test_without']}"
        print(f"| {genre} | {row['threshold']:.2f} | {alarms_of} | {found if row['all_with'] else ' | '} |")


if __name__ == "__main__":
    main()
