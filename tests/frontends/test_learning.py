"""Every front end, and every weight it may learn, learns on music: which of the demo's four clips a window is from."""

from pathlib import Path

import keras
import numpy as np
import pytest
from layer_checks import array

import keraudio.tagging
from keraudio.audio import load_audio
from keraudio.frontends import FRONT_ENDS

pytestmark = pytest.mark.backends

CLIPS = sorted((Path(keraudio.tagging.__file__).parent / "demo").glob("*.ogg"))
SAMPLE_RATE = 8000
SAMPLES = 2000
WINDOWS = 4
# What makes a front end learn that is fixed unless asked, and keeps it small.
SMALL_MEL = {"n_fft": 256, "hop_length": 128, "n_mels": 32}
SMALL_DEMUCS = {
    "channels": 4,
    "n_fft": 256,
    "depth": 4,
    "dconv_starts": 3,
    "norm_starts": 2,
    "norm_groups": 2,
    "heads": 2,
}
OPTIONS = {
    "adaptive_stft": SMALL_MEL,
    "gafx_a": {"row": 20, "width": 0.125, "channels": 8, "heads": 2},
    "gafx_r": {"row": 20, "width": 0.125},
    "gafx_u": {"sources": 2, "bands": 16, "sizes": SMALL_DEMUCS},
    "leaf": {"filters": 8, "kernel_size": 65},
    "log_mel": {**SMALL_MEL, "learnable": True},
    "mfcc": {**SMALL_MEL, "n_mfcc": 13},
    "pcen_mel": {**SMALL_MEL, "learnable": True},
    "sincnet": {"filters": 8, "kernel_size": 65},
    "strided_conv": {"filters": 16},
}


@pytest.fixture(scope="module")
def windows() -> tuple[np.ndarray, np.ndarray]:
    """A quarter of a second from each of several places of every clip, and the clip's number."""
    assert len(CLIPS) == 4
    found = [
        load_audio(clip, sample_rate=SAMPLE_RATE, start=1 + 2 * place, duration=SAMPLES / SAMPLE_RATE)
        for clip in CLIPS
        for place in range(WINDOWS)
    ]
    return np.stack(found), np.repeat(np.arange(len(CLIPS)), WINDOWS)


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_a_front_end_learns_to_tell_clips_apart_and_every_weight_of_it_moves(name, windows) -> None:
    keras.utils.set_random_seed(0)
    front_end = FRONT_ENDS[name](SAMPLE_RATE, samples=SAMPLES, **OPTIONS.get(name, {}))
    features = front_end.output
    mean = keras.layers.Flatten()(keras.ops.mean(features, axis=1))
    # Front ends differ in their scale, from decibels to a sum that is near zero.
    scores = keras.layers.Dense(len(CLIPS))(keras.layers.BatchNormalization()(mean))
    model = keras.Model(front_end.input, scores)
    model.compile(
        keras.optimizers.Adam(3e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile="auto"
    )
    learned = front_end.trainable_weights
    before = [array(weight) for weight in learned]
    losses = [float(model.train_on_batch(*windows)) for _ in range(15)]
    # Chance is log(4) = 1.39.
    assert losses[-1] < 0.9 * losses[0], losses
    assert np.isfinite(losses).all()
    still = [weight.path for weight, value in zip(learned, before, strict=True) if (array(weight) == value).all()]
    assert not still
    assert all(np.isfinite(array(weight)).all() for weight in learned)
