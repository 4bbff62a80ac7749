import numpy as np
import pytest
from musicnn_numpy import random_tensors

from keraudio.classifier import logits_model
from keraudio.convert.genres import EXTRAS, GENRES, build_genres
from keraudio.convert.musicnn import MSD_TAGS, MTT_TAGS, assign, build

pytestmark = pytest.mark.backends


@pytest.fixture(scope="module")
def networks():
    found = []
    for seed, name in enumerate(("MSD_musicnn", "MTT_musicnn")):
        found.append(build(name))
        assign(found[-1], name, random_tensors(name, seed))
    return found


def logits(model, windows: np.ndarray) -> np.ndarray:
    return logits_model(model).predict(windows, verbose=0).astype("float64") / model.description.temperature


@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (2.5, 3.0)])
def test_a_label_is_the_mean_log_odds_of_its_tags_and_genres_are_calibrated(networks, slope, offset) -> None:
    model = build_genres(*networks, slope=slope, offset=offset)
    windows = np.random.default_rng(0).uniform(-0.1, 0.1, (2, model.description.window)).astype("float32")
    odds = [logits(network, windows) for network in networks]
    found = logits(model, windows)
    for place, label in enumerate((*GENRES, *EXTRAS)):
        assert model.description.labels[place] == label
        tags = [((tag,) if tag else ()) for tag in GENRES[label]] if label in GENRES else EXTRAS[label]
        means = [
            np.mean([one[:, names.index(tag)] for tag in of_one], axis=0)
            for one, names, of_one in zip(odds, (MSD_TAGS, MTT_TAGS), tags, strict=True)
            if of_one
        ]
        expected = np.mean(means, axis=0)
        if label in GENRES:
            expected = slope * expected + offset
        np.testing.assert_allclose(found[:, place], expected, rtol=1e-4, atol=1e-4, err_msg=label)


def test_every_tag_is_used_once_but_metals_second() -> None:
    for place, names in enumerate((MSD_TAGS, MTT_TAGS)):
        used = [tags[place] for tags in GENRES.values() if tags[place]]
        used += [tag for both in EXTRAS.values() for tag in both[place]]
        assert len(set(used)) == len(used)
        assert set(names) - set(used) == ({"metal"} if names == MTT_TAGS else set())
    assert not set(GENRES) & set(EXTRAS)


def test_thresholds_are_the_genres_and_half_for_the_rest(networks) -> None:
    thresholds = np.linspace(0.3, 0.9, len(GENRES))
    description = build_genres(*networks, slope=2.0, thresholds=thresholds.tolist()).description
    np.testing.assert_allclose(description.thresholds, [*thresholds, *[0.5] * len(EXTRAS)])
    assert description.temperature == 0.5 and description.multi_label
    assert description.extra_labels == tuple(EXTRAS)


def test_networks_are_copied_and_left_as_they_were(networks) -> None:
    before = [network.get_weights() for network in networks]
    model = build_genres(*networks)
    model.set_weights([np.zeros(weight.shape) for weight in model.weights])
    for network, weights in zip(networks, before, strict=True):
        for now, then in zip(network.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(now, then)
