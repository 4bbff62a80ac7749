"""GAFX-U, GAFX-R and GAFX-A: what is made of a waveform."""

import keras
import librosa
import numpy as np
import pytest
from layer_checks import array, distance, edge_signals, gradient, run
from small_front_ends import SMALL_FRONT_ENDS, TINY_DEMUCS

from keraudio.frontends import FRONT_ENDS, gafx_a, gafx_u

pytestmark = pytest.mark.backends

SMALL = {name: SMALL_FRONT_ENDS[name] for name in ("gafx_a", "gafx_r", "gafx_u")}


def test_gafx_u_adds_the_temporal_branchs_transform_to_the_spectral_branchs_spectrum() -> None:
    keras.utils.set_random_seed(0)
    n_fft, hop_length = 64, 16
    samples = hop_length * 30
    features = gafx_u(16000, sources=2, bands=16, log=False, samples=samples, sizes=TINY_DEMUCS)
    branches = keras.Model(features.input, [features.get_layer(name).output for name in ("mean", "time_mean")])
    x = np.random.default_rng(0).uniform(-1, 1, (1, samples)).astype("float32")
    spectrum, waveforms = (array(part) for part in run(branches, x))
    assert spectrum.shape == (1, 30, n_fft // 2, 8) and waveforms.shape == (1, samples, 4)
    sources = []
    for source in range(2):
        channels = []
        for channel in (2 * source, 2 * source + 1):
            padded = np.pad(waveforms[0, :, channel].astype("float64"), hop_length * 3 // 2, mode="reflect")
            transform = librosa.stft(padded, n_fft=n_fft, hop_length=hop_length, pad_mode="reflect", dtype="complex128")
            parts = spectrum[0, :, :, 2 * channel : 2 * channel + 2]
            channels.append(parts[..., 0] + 1j * parts[..., 1] + transform[:-1, 2:-2].T / np.sqrt(n_fft))
        sources.append(np.abs(np.mean(channels, axis=0)).reshape(30, 16, -1).mean(axis=2))
    assert distance(array(run(features, x))[0], np.concatenate(sources)) < 1e-5


def test_sources_may_be_channels() -> None:
    beside = gafx_u(16000, stack="channels", samples=1000, **SMALL["gafx_u"])
    assert beside.output_shape == (None, 63, 16, 2)


@pytest.mark.parametrize("name", SMALL)
def test_edges_stay_finite_and_so_do_their_gradients(name) -> None:
    keras.utils.set_random_seed(0)
    model = FRONT_ENDS[name](8000, samples=400, **SMALL[name])
    signals = edge_signals((400,))
    x = np.stack(list(signals.values()))
    for values in (array(run(model, x)), gradient(model, x)):
        finite = np.isfinite(values).reshape(len(x), -1).all(axis=1)
        assert finite.all(), [name for name, whole in zip(signals, finite, strict=True) if not whole]


@pytest.mark.parametrize("name", ["gafx_r", "gafx_a"])
def test_the_length_may_be_any(name) -> None:
    model = FRONT_ENDS[name](8000, **SMALL[name])
    for samples, frames in ((1, 1), (20, 1), (41, 3)):
        assert array(run(model, np.ones((1, samples), "float32"))).shape[1] == frames


@pytest.mark.parametrize("switch", ["normalize", "group_norm", "pre_norm", "qk_norm", "layer_scale", "zero_output"])
def test_each_ingredient_of_gafx_a_can_be_left_out(switch) -> None:
    keras.utils.set_random_seed(0)
    model = gafx_a(8000, samples=400, **SMALL["gafx_a"], **{switch: False})
    names = {layer.name for layer in model.layers}
    assert ("loudness" in names) == (switch != "normalize")
    kinds = {type(layer).__name__ for layer in model.layers}
    assert ("BatchNormalization" in kinds) == (switch == "group_norm")
    block = model.get_layer("block_1")
    assert block.pre_norm == (switch != "pre_norm") and block.qk_norm == (switch != "qk_norm")
    assert (block.layer_scale is None) == (switch == "layer_scale")
    assert array(block.contraction.kernel).any() == (switch == "zero_output")


@pytest.mark.parametrize("name", ["gafx_r", "gafx_a"])
def test_shortcuts_skip_columns_before_they_convolve(name) -> None:
    # With a stride of its own, oneDNN's gradient of a narrow 1 x 1 convolution writes beyond its memory.
    model = FRONT_ENDS[name](8000, samples=400, **SMALL[name])
    shortcuts = [layer for layer in model.layers if getattr(layer, "kernel_size", None) == (1, 1)]
    assert shortcuts and all(layer.strides == (1, 1) for layer in shortcuts)
    skipped = model.get_layer("stage_2_block_1_shortcut_strided")
    x = np.random.default_rng(0).standard_normal(skipped.input.shape[1:]).astype("float32")[None]
    np.testing.assert_array_equal(array(skipped(x)), x[:, :, ::2])


def test_gafx_a_does_not_hear_how_loud_a_clip_is() -> None:
    keras.utils.set_random_seed(0)
    model = gafx_a(8000, samples=400, **SMALL["gafx_a"])
    x = np.random.default_rng(0).uniform(-1, 1, (1, 400)).astype("float32")
    assert distance(run(model, 0.01 * x), array(run(model, x))) < 1e-3


@pytest.mark.parametrize(
    ("name", "options", "rule"),
    [
        ("gafx_u", {"samples": None}, "`samples` must be given"),
        ("gafx_u", {"stack": "bins"}, "`stack` must be"),
        ("gafx_u", {"bands": 10}, "`bands` must divide the bins"),
        ("gafx_r", {"row": 0}, "`row` must be at least 1"),
        ("gafx_r", {"width": 0}, "`width` must be positive"),
        ("gafx_r", {"stages": []}, "`stages` must be channels"),
        ("gafx_a", {"stages": [0]}, "`stages` must be channels"),
        ("gafx_a", {"channels": 7}, "`channels` must be even"),
        ("gafx_a", {"blocks": 0}, "`blocks` at least 1"),
    ],
    ids=str,
)
def test_arguments_out_of_range_are_refused(name, options, rule) -> None:
    with pytest.raises(ValueError, match=rule):
        FRONT_ENDS[name](8000, **{"samples": 400, **SMALL[name], **options})
    with pytest.raises(ValueError, match="`sample_rate` must be positive"):
        FRONT_ENDS[name](0, samples=400, **SMALL[name])
