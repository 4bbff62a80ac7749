"""What the tests of pipeline, training and recipes share: two tones that a tiny classifier learns in seconds."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

SAMPLE_RATE = 4000
WINDOW = 2000
LABELS = ("high", "low")
FREQUENCIES = {"high": 1200.0, "low": 250.0}


def write_tones(folder: Path, *, clips: int = 8, seconds: float = 0.75) -> Path:
    """A folder of folders: `clips` noisy tones of each label, all different, 16-bit WAV at `SAMPLE_RATE`."""
    for number, (label, frequency) in enumerate(FREQUENCIES.items()):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for clip in range(clips):
            rng = np.random.default_rng((number, clip))
            time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
            tone = rng.uniform(0.1, 0.8) * np.sin(
                2 * np.pi * (frequency * rng.uniform(0.9, 1.1) * time + rng.uniform())
            )
            noise = 0.05 * rng.standard_normal(len(time))
            soundfile.write(folder / label / f"{clip}.wav", np.clip(tone + noise, -1, 1), SAMPLE_RATE)
    return folder


def tone_clips(folder: Path, *, clips: int = 8, multi_label: bool = False) -> Any:
    """Decoded tones: of each label a quarter to validate, the rest to train."""
    from keraudio.datasets import Clip, Manifest
    from keraudio.pipeline import cache_clips

    write_tones(folder / "tones", clips=clips)
    found = tuple(
        Clip(folder / "tones" / label / f"{n}.wav", (label,), f"{label}/{n}", "valid" if n < clips // 4 else "train")
        for label in LABELS
        for n in range(clips)
    )
    manifest = Manifest("tones", found, LABELS, multi_label)
    return cache_clips(manifest, sample_rate=SAMPLE_RATE, folder=folder / "cache")


def tone_classifier(*, multi_label: bool = False, dropout: float = 0.0, augmented: bool = False) -> Any:
    """An untrained classifier of 170 weights that compiles in no time, the same for the same random state of Keras."""
    import keras
    from keras import layers

    from keraudio import AudioClassifier, Description
    from keraudio.frontends import log_mel
    from keraudio.layers import RandomGain, RandomNoise, RandomShift, SpecAugment

    front_end = log_mel(SAMPLE_RATE, n_fft=256, hop_length=128, n_mels=16)
    features = keras.Input(front_end.output_shape[1:])
    # Statistics that settle in the few steps of a test.
    x = layers.BatchNormalization(momentum=0.5)(layers.GlobalAveragePooling1D()(features))
    backbone = keras.Model(features, layers.Dense(8, activation="relu")(x))
    return AudioClassifier(
        front_end,
        backbone,
        Description(labels=LABELS, sample_rate=SAMPLE_RATE, window=WINDOW, hop=WINDOW // 2, multi_label=multi_label),
        dropout=dropout,
        waveform_augmentation=[RandomNoise(), RandomGain(-6.0, 0.0), RandomShift()] if augmented else [],
        feature_augmentation=[SpecAugment()] if augmented else [],
    )


def tone_batches(clips: Any, *, seed: int = 0, batch_size: int = 4) -> tuple[Any, Any]:
    """Training and validation batches of decoded tones."""
    from keraudio.pipeline import Crops, Windows

    return (
        Crops(clips.split("train"), WINDOW, batch_size, seed),
        Windows(clips.split("valid"), WINDOW, WINDOW // 2, batch_size),
    )


def run_python(code: str, *arguments: object, backend: str) -> subprocess.CompletedProcess[str]:
    """Runs code in a fresh process on a backend; it can import what tests share. `"numpy"` imports the fastest."""
    here = Path(__file__).resolve().parent
    path = os.pathsep.join([str(here), str(here.parent), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


def save_tone_classifier(path: Path) -> Path:
    """Writes a classifier of high and low tones: of no use, the same every time, and never quite sure."""
    import keraudio

    classifier = tone_classifier()
    random = np.random.default_rng(0)
    for weight in classifier.trainable_weights:
        if "kernel" in weight.path:
            # Small, as the decibels that they multiply are large.
            weight.assign(random.normal(0, 0.03, weight.shape).astype("float32"))
    keraudio.save(classifier, path)
    return path
