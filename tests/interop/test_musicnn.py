"""MusiCNN and its VGG, with random weights in the original's format, against the original in NumPy."""

import keras
import numpy as np
import pytest
from musicnn_numpy import Original, random_tensors

from keraudio.convert.musicnn import TAGS, assign, build

pytestmark = pytest.mark.backends


@pytest.mark.parametrize("name", ["MSD_musicnn", "MSD_vgg", "MTT_vgg"])
def test_embeddings_and_tags_are_the_originals(name) -> None:
    tensors = random_tensors(name, seed=3)
    model = build(name)
    assign(model, name, tensors)
    noise = np.random.default_rng(0).uniform(-1, 1, (2, model.description.window)).astype("float32")
    # A quiet window too, as the logarithm bends there.
    noise[1] *= 1e-3
    features = model.front_end.predict(noise, verbose=0)
    assert features.shape == (2, 187, 96)
    embedded = keras.Model(model.front_end.input, model.backbone(model.front_end.output)).predict(noise, verbose=0)
    tags = model.predict(noise, verbose=0)
    original = Original(tensors)
    for i in range(2):
        values = features[i].astype("float64")
        embedding, expected = original.vgg(values, name) if name.endswith("vgg") else original.musicnn(values)
        np.testing.assert_allclose(embedded[i], embedding, atol=1e-4 * np.abs(embedding).max())
        np.testing.assert_allclose(tags[i], expected, atol=1e-4)
    assert tags.shape[1] == len(TAGS[name])


def test_windows_of_a_long_clip_see_the_clips_own_frames() -> None:
    import librosa

    model = build("MSD_musicnn")
    description = model.description
    clip = np.random.default_rng(0).uniform(-1, 1, description.window + 2 * description.hop).astype("float32")
    windows = np.stack([clip[i * description.hop :][: description.window] for i in range(3)])
    mel = librosa.feature.melspectrogram(y=clip.astype("float64"), sr=16000, n_fft=512, hop_length=256, n_mels=96)
    # Their first frame begins where the clip does, which is the second one of a centred transform.
    expected = np.log10(10000 * mel.T[1 : 1 + 3 * 187] + 1).reshape(3, 187, 96)
    np.testing.assert_allclose(model.front_end.predict(windows, verbose=0), expected, atol=1e-5 * expected.max())
