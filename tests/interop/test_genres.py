"""The default model against what the original networks gave for a synthetic signal (`musicnn_outputs.json`).

Mean tags of its ten windows, tags of the first, and the mean of the first ten values of the layer before the last, as
the TensorFlow-1 graphs of the wheel `musicnn` 0.1.0 computed them.
"""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from keraudio.classifier import load
from keraudio.convert.genres import EXTRAS, GENRES
from keraudio.convert.musicnn import MSD_TAGS, MTT_TAGS
from keraudio.saved_models import saved_models

pytestmark = pytest.mark.backends

OUTPUTS = json.loads((Path(__file__).parent / "musicnn_outputs.json").read_text())


def swept_windows(window: int, hop: int) -> np.ndarray:
    """A tone swept from 100 Hz to 4 kHz in noise, on and off, in windows of a centred spectrogram."""
    t = np.arange(30 * 16000) / 16000
    tone = 0.5 * np.sin(2 * np.pi * (100 * t + (4000 - 100) / (2 * 30) * t**2))
    signal = tone + 0.05 * np.random.default_rng(0).standard_normal(len(t))
    signal *= 0.6 + 0.4 * np.sign(np.sin(2 * np.pi * 2 * t))
    padded = np.pad(signal, 256).astype("float32")
    return np.stack([padded[i * hop :][:window] for i in range(10)])


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return load(saved_models()["genres"])


@pytest.fixture(scope="module")
def windows(model) -> np.ndarray:
    return swept_windows(model.description.window, model.description.hop)


def test_both_networks_hear_what_the_originals_heard(model, windows) -> None:
    layers = [model.backbone.get_layer(f"{name}_penultimate").output for name in ("msd", "mtt")]
    inner = keras.Model(model.backbone.input, layers)
    for found, name in zip(inner.predict(model.front_end.predict(windows, verbose=0), verbose=0), OUTPUTS, strict=True):
        np.testing.assert_allclose(found.mean(axis=0)[:10], OUTPUTS[name]["penultimate"], atol=1e-4)


def test_tags_are_the_originals(model, windows) -> None:
    labels = model.description.labels
    probabilities = model.predict(windows, verbose=0)
    compared = 0
    for label, (msd, mtt) in EXTRAS.items():
        if len(msd) + len(mtt) != 1:
            continue
        name, tags, tag = ("MSD", MSD_TAGS, *msd) if msd else ("MTT", MTT_TAGS, *mtt)
        found = probabilities[:, labels.index(label)]
        assert abs(found[0] - OUTPUTS[name]["window_0"][tags.index(tag)]) < 1e-4, label
        assert abs(found.mean() - OUTPUTS[name]["mean"][tags.index(tag)]) < 1e-4, label
        compared += 1
    assert compared > 30


def test_genres_are_the_mean_log_odds_of_their_tags_calibrated(model, windows) -> None:
    description = model.description
    logits = np.stack([np.log(p / (1 - p)) for p in (np.array(OUTPUTS[name]["window_0"]) for name in OUTPUTS)])
    probabilities = model.predict(windows[:1], verbose=0)[0]
    # Known from one genre, the offset has to fit the others.
    offsets = []
    for label, tags in GENRES.items():
        parts = [
            logits[i, names.index(tag)]
            for i, (tag, names) in enumerate(zip(tags, (MSD_TAGS, MTT_TAGS), strict=True))
            if tag is not None
        ]
        p = float(probabilities[description.labels.index(label)])
        # The originals' tags are known to six decimals, so log-odds of rare ones are not known well.
        if min(parts) > -4.5:
            offsets.append(np.log(p / (1 - p)) - np.mean(parts) / description.temperature)
    assert len(offsets) >= 6
    np.testing.assert_allclose(offsets, np.mean(offsets), atol=2e-3)
