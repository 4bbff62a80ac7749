"""What a recipe must beat: MFCC means with logistic regression, and the majority class, on the same splits.

Usage: python benchmarks/mfcc_baseline.py KIND:PATH [--recipe openmusic_baseline] [--split test]
"""

import argparse

import librosa
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from keraudio.audio import load_audio
from keraudio.evaluation import evaluate_scores
from keraudio.recipes import load_recipe, prepare_manifest


def features(path, sample_rate: int) -> np.ndarray:
    """Mean over time of 20 MFCCs of a whole clip, `(20,)`."""
    waveform = load_audio(path, sample_rate=sample_rate)
    return librosa.feature.mfcc(y=waveform, sr=sample_rate, n_mfcc=20).mean(axis=1)


def main() -> None:
    """Fits on the training clips, prints accuracy with its interval on the others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--recipe", default="openmusic_baseline")
    parser.add_argument("--split", default="test")
    options = parser.parse_args()
    recipe = load_recipe(options.recipe)
    manifest = prepare_manifest(recipe, options.data, seed=0)
    parts = {}
    for split in {"train", "valid", options.split}:
        part = manifest.split(split)
        table = np.stack([features(clip.path, recipe.audio.sample_rate) for clip in part.clips])
        parts[split] = table, part.targets().argmax(axis=1)
    # The strength of regularization is chosen on the validation clips, as a recipe's best epoch is.
    models = [make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=5000)) for c in (1.0, 0.1, 0.01)]
    model = max((model.fit(*parts["train"]) for model in models), key=lambda model: model.score(*parts["valid"]))
    table, targets = parts[options.split]
    part = manifest.split(options.split)
    scores = np.zeros((len(targets), len(manifest.labels)))
    scores[:, model.classes_] = model.predict_proba(table)
    groups = [clip.group for clip in part.clips]
    report = evaluate_scores(targets, scores, manifest.labels, multi_label=False, vote="mean", groups=groups)
    accuracy = report["metrics"]["accuracy"]
    print(f"{options.split}, n = {report['n']}, C = {model[-1].C}, valid accuracy {model.score(*parts['valid']):.3f}")
    print(f"majority class ({report['baseline']['label']}): {report['baseline']['accuracy']:.3f}")
    print(
        f"MFCC means + logistic regression: {accuracy['value']:.3f} "
        f"[{accuracy['low']:.3f}, {accuracy['high']:.3f}] ({accuracy['interval']})"
    )


if __name__ == "__main__":
    main()
