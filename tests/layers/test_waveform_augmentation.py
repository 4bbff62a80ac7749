"""What the layers of `WaveformAugmentation` share."""

from functools import partial

import numpy as np
import pytest
from layer_checks import array

from keraudio.layers import RandomDelay, RandomGain, RandomNoise, RandomPolarity, RandomShift

KINDS = {
    "delay": partial(RandomDelay, 100, 0.1, 0.4, step=None),
    "gain": RandomGain,
    "noise": RandomNoise,
    "polarity": RandomPolarity,
    "shift": RandomShift,
}
pytestmark = [pytest.mark.backends, pytest.mark.parametrize("kind", [pytest.param(KINDS[k], id=k) for k in KINDS])]

NOISE = np.random.default_rng(0).uniform(-1, 1, (400, 50)).astype("float32")


def test_nothing_happens_at_inference(kind) -> None:
    layer = kind(seed=1)
    np.testing.assert_array_equal(array(layer(NOISE)), NOISE)
    np.testing.assert_array_equal(array(layer(NOISE, training=False)), NOISE)


def test_a_seed_repeats_the_sequence_of_changes_which_goes_on(kind) -> None:
    first, second = kind(seed=3), kind(seed=3)
    runs = [[array(layer(NOISE[:8], training=True)) for _ in range(2)] for layer in (first, second)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert (runs[0][0] != runs[0][1]).any()
    assert (array(kind(seed=4)(NOISE[:8], training=True)) != runs[0][0]).any()


def test_examples_change_each_in_its_own_way(kind) -> None:
    same = np.repeat(NOISE[:1], 8, axis=0)
    changed = array(kind(seed=1)(same, training=True))
    assert len(np.unique(changed, axis=0)) >= (2 if kind is RandomPolarity else 6)


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_the_share_of_changed_examples_is_the_probability(kind, probability) -> None:
    changed = array(kind(probability=probability, seed=1)(NOISE, training=True))
    share = np.mean((changed != NOISE).any(axis=1))
    # A shift by nothing changes nothing: one in 50.
    expected = probability * (0.98 if kind is RandomShift else 1)
    # Four standard deviations of 400 draws.
    assert share == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / 400))


def test_a_probability_that_is_none_is_refused(kind) -> None:
    for probability in (-0.1, 1.1):
        with pytest.raises(
            ValueError, match=f"`probability` must be between 0 and 1. Received: probability={probability}"
        ):
            kind(probability=probability)


def test_channels_of_an_example_change_together(kind) -> None:
    stereo = np.repeat(NOISE[:8, :, None], 2, axis=2)
    changed = array(kind(seed=1)(stereo, training=True))
    assert changed.shape == stereo.shape
    if kind is not RandomNoise:
        np.testing.assert_array_equal(changed[..., 0], changed[..., 1])
