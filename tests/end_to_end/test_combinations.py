"""The promise of the design: any front end with any backbone trains, is saved and comes back, on every backend."""

import keras
import numpy as np
import pytest
from layer_checks import array
from small_front_ends import SMALL_FRONT_ENDS

import keraudio
from keraudio.backbones import BACKBONES
from keraudio.frontends import FRONT_ENDS

pytestmark = pytest.mark.backends

SAMPLE_RATE, SAMPLES = 8000, 2000
LABELS = ["low", "middle", "high"]
# Two-dimensional, of patches, and along time alone.
SMALL_BACKBONES = {
    "ast": {"width": 8, "depth": 1, "heads": 2, "patch": 4, "stride": 4},
    "resnet": {"filters": (64, 4, 4, 4)},
    "sample_cnn": {"pools": [2], "filters": [4], "embedding": 4, "pool": "average"},
}


@pytest.mark.parametrize("backbone", SMALL_BACKBONES)
@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_every_front_end_goes_with_every_backbone(front_end: str, backbone: str, tmp_path) -> None:
    keras.utils.set_random_seed(0)
    first = FRONT_ENDS[front_end](SAMPLE_RATE, samples=SAMPLES, **SMALL_FRONT_ENDS.get(front_end, {}))
    second = BACKBONES[backbone](first.output_shape[1:], **SMALL_BACKBONES[backbone])
    description = {"labels": LABELS, "sample_rate": SAMPLE_RATE, "window": SAMPLES, "hop": SAMPLES}
    model = keraudio.AudioClassifier(first, second, description)
    model.compile("sgd", "categorical_crossentropy", jit_compile="auto")
    x = np.random.default_rng(0).uniform(-1, 1, (2, SAMPLES)).astype("float32")
    before = [array(weight) for weight in model.trainable_weights]
    losses = [float(model.train_on_batch(x, np.eye(3, dtype="float32")[:2])) for _ in range(2)]
    assert np.isfinite(losses).all()
    pairs = zip(before, model.trainable_weights, strict=True)
    assert sum((array(weight) != value).any() for value, weight in pairs) > len(before) / 2

    keraudio.save(model, tmp_path / "model.keras")
    again = keraudio.load(tmp_path / "model.keras")
    assert [weight.path.split("/")[-1] for weight in again.weights] == [w.path.split("/")[-1] for w in model.weights]
    for one, other in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
