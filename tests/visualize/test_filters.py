from pathlib import Path

import keras
import numpy as np
import pytest
from layer_checks import array

from keraudio import AudioClassifier, Description
from keraudio.backbones import sample_cnn
from keraudio.errors import KeraudioError
from keraudio.frontends import strided_conv
from keraudio.visualize import FilterSignals, filter_layers, filter_signals, save_filter_figures

pytestmark = pytest.mark.backends

SAMPLES = 81


@pytest.fixture(scope="module")
def model() -> AudioClassifier:
    """SampleCNN 3^3 over 81 samples, with statistics that are not those of the start."""
    keras.utils.set_random_seed(3)
    front_end = strided_conv(8000, filters=6, kernel_size=3, strides=3, samples=SAMPLES)
    backbone = sample_cnn(front_end.output_shape[1:], pools="333", filters=(6, 8, 8), embedding=8)
    description = Description(labels=("a", "b"), sample_rate=8000, window=SAMPLES, hop=SAMPLES)
    found = AudioClassifier(front_end, backbone, description)
    random = np.random.default_rng(0)
    for weight in found.weights:
        if "kernel" not in weight.path:
            weight.assign(random.uniform(0.5, 1.5, weight.shape).astype("float32"))
    return found


def by_hand(model: AudioClassifier, samples: int, steps: int, seed: int) -> np.ndarray:
    """The same ascent for the first layer, in NumPy and float64: a linear map, a scale, a rectifier."""
    kernel, bias = (array(weight).astype("float64") for weight in model.front_end.get_layer("conv").weights)
    gamma, beta, mean, variance = (
        array(weight).astype("float64") for weight in model.front_end.get_layer("normalization").weights
    )
    scale = gamma / np.sqrt(variance + 1e-5)
    filters = kernel.shape[-1]
    x = np.random.default_rng(seed).uniform(-0.015, 0.015, (filters, samples)).astype("float32").astype("float64")
    for _ in range(steps):
        for i in range(filters):
            frames = x[i].reshape(-1, 3)
            output = (frames @ kernel[:, 0, i] + bias[i] - mean[i]) * scale[i] + beta[i]
            gradient = ((output > 0) * scale[i])[:, None] * kernel[:, 0, i] / len(frames)
            rms = np.sqrt(np.mean(gradient**2)) * 1.0
            # Of the mean over all waveforms, as the training gives it.
            x[i] += gradient.ravel() / filters / (rms / filters + 1e-9)
    return x - x.mean(axis=1, keepdims=True)


def test_the_first_layers_waveforms_are_those_of_an_ascent_by_hand(model: AudioClassifier) -> None:
    (found,) = filter_signals(model, ["activation"], samples=60, steps=5, seed=2)
    np.testing.assert_allclose(found.waveforms, by_hand(model, 60, 5, 2), atol=1e-3)
    assert found.sample_rate == 8000 and found.spectra.shape == (6, 31)


def test_every_layer_answers_more_to_its_waveforms_and_the_model_stays(model: AudioClassifier) -> None:
    before = [array(weight) for weight in model.weights]
    layers = filter_layers(model, SAMPLES)
    assert layers == ["activation", "module_1", "module_2", "module_3", "last"]
    assert filter_layers(model, 20) == ["activation", "module_1", "module_2"]
    for found in filter_signals(model, layers[:3], samples=SAMPLES):
        part = model.front_end if found.layer == "activation" else model.backbone
        to_layer = keras.Model(part.input, part.get_layer(found.layer).output)

        def answer(waveforms: np.ndarray, to_layer=to_layer, part=part) -> np.ndarray:
            features = waveforms if part is model.front_end else model.front_end.predict(waveforms, verbose=0)
            outputs = to_layer.predict(features, verbose=0)
            return np.array([outputs[i, :, i].mean() for i in range(len(waveforms))])

        noise = np.random.default_rng(0).uniform(-0.015, 0.015, found.waveforms.shape).astype("float32")
        grown = answer(found.waveforms)[found.answers] > answer(noise)[found.answers]
        assert found.answers.any() and grown.mean() > 0.7
    for weight, old in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(array(weight), old)


def test_batch_statistics_are_each_waveforms_own(model: AudioClassifier) -> None:
    options = {"samples": SAMPLES, "steps": 3}
    (own,) = filter_signals(model, ["module_1"], batch_statistics=True, **options)
    (trained,) = filter_signals(model, ["module_1"], **options)
    assert own.waveforms.shape == trained.waveforms.shape == (6, SAMPLES)
    assert np.isfinite(own.waveforms).all() and np.abs(own.waveforms - trained.waveforms).max() > 0.1


def test_filters_are_sorted_by_their_peaks_and_the_silent_come_last() -> None:
    time = np.arange(64)
    waveforms = np.stack([np.sin(2 * np.pi * bin * time / 64) for bin in (9, 3, 20, 5)]).astype("float32")
    waveforms[2] *= 1e-3
    found = FilterSignals("x", waveforms, 6400)
    assert found.spectra.argmax(axis=1).tolist() == [9, 3, 20, 5]
    assert found.answers.tolist() == [True, True, False, True] and found.order.tolist() == [1, 3, 0, 2]


def test_layers_that_do_not_exist_or_have_no_frames_are_named(model: AudioClassifier) -> None:
    with pytest.raises(KeraudioError, match="A layer must be one of .*module_1.* Received: 'module_9'"):
        filter_signals(model, ["module_9"])
    with pytest.raises(KeraudioError, match="does not take a length of|must have frames"):
        filter_signals(model, ["last"], samples=20)
    with pytest.raises(KeraudioError, match="embedding: must have frames and filters"):
        filter_signals(model, ["embedding"], samples=SAMPLES)


def test_pictures_are_drawn(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    found = [FilterSignals(f"layer {n}", random.standard_normal((5, 64)).astype("float32"), 22050) for n in range(4)]
    for file in save_filter_figures(found, tmp_path / "new", title="Title"):
        assert file.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and file.stat().st_size > 10_000
