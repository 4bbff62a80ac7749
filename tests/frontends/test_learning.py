"""Every front end, and every weight it may learn, learns on music: which of the demo's four clips a window is from."""

from pathlib import Path

import keras
import numpy as np
import pytest
from layer_checks import array
from small_front_ends import SMALL_FRONT_ENDS

import keraudio.tagging
from keraudio.audio import load_audio
from keraudio.frontends import FRONT_ENDS

pytestmark = pytest.mark.backends

CLIPS = sorted((Path(keraudio.tagging.__file__).parent / "demo").glob("*.ogg"))
SAMPLE_RATE = 8000
SAMPLES = 2000
WINDOWS = 4


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
    front_end = FRONT_ENDS[name](SAMPLE_RATE, samples=SAMPLES, **SMALL_FRONT_ENDS.get(name, {}))
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
