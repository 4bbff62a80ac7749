import keras
import numpy as np
import pytest
from layer_checks import POLICIES, array, distance, edge_signals, gradient, run

from keraudio.frontends.hdemucs import HDemucsSizes, hdemucs

pytestmark = pytest.mark.backends

# Three spectral layers, of which the last merges, and one along time with LSTMs and attention.
SMALL = {"channels": 4, "n_fft": 256, "depth": 4, "dconv_starts": 3, "norm_starts": 2, "norm_groups": 2, "heads": 2}


def test_counts_and_shapes_are_those_of_version_3() -> None:
    model = hdemucs(480000)
    assert model.count_params() == 83_637_832
    assert model.output_shape == (None, 480000, 8)
    shapes = {
        layer.name: layer.output.shape[1:]
        for layer in model.layers
        if layer.name.endswith(("gated", "conv", "cropped"))
    }
    # Bins shrink by four and then to one, where both branches have 469 frames; channels double.
    bins, width = (512, 128, 32, 8, 1, 1), (48, 96, 192, 384, 768, 1536)
    frames, samples = (469, 469, 469, 469, 469, 235), (120000, 30000, 7500, 1875)
    for number in range(6):
        assert shapes[f"encoder_{number}_gated"] == (frames[number], bins[number], width[number])
        assert shapes[f"decoder_{number}_gated"] == (frames[number], bins[number], width[number])
    for number in range(4):
        assert shapes[f"time_encoder_{number}_gated"] == (samples[number], 1, width[number])
        assert shapes[f"time_decoder_{number}_gated"] == (samples[number], 1, width[number])
    assert shapes["time_encoder_4_conv"] == (469, 1, 768)
    assert shapes["decoder_0_cropped"] == (469, 2048, 16) and shapes["time_decoder_0_cropped"] == (480000, 1, 8)


def test_sizes_may_be_any_that_fit() -> None:
    model = hdemucs(1000, sources=3, audio_channels=1, sizes=SMALL)
    x = np.random.default_rng(0).uniform(-1, 1, (2, 1000, 1)).astype("float32")
    assert array(run(model, x)).shape == (2, 1000, 3)
    assert [one.merges for one in HDemucsSizes().layers()] == [False] * 4 + [True, False]


@pytest.mark.parametrize(
    ("sizes", "rule"),
    [
        ({"n_fft": 2048}, "Bins must shrink to 1"),
        ({"depth": 2}, "Bins must shrink to 1"),
        ({"kernel_size": 4}, "Bins must shrink to 1"),
        ({"sources": 0}, "`sources` must be at least 1"),
        ({"layers": 3}, "Sizes of Hybrid Demucs are channels.* Received: 'layers'"),
        ({"samples": 100}, "more than 160 samples. Received: 100"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(sizes, rule) -> None:
    sizes = dict(sizes)
    given = {"samples": 1000, "sources": 4}
    options = {name: sizes.pop(name, value) for name, value in given.items()}
    with pytest.raises(ValueError, match=rule):
        hdemucs(**options, sizes=SMALL | sizes)


def test_edges_stay_finite_and_so_do_their_gradients() -> None:
    keras.utils.set_random_seed(0)
    model = hdemucs(400, sources=2, audio_channels=1, sizes=SMALL)
    signals = edge_signals((400, 1))
    x = np.stack(list(signals.values()))
    for values in (array(run(model, x)), gradient(model, x)):
        finite = np.isfinite(values).reshape(len(x), -1).all(axis=1)
        assert finite.all(), [name for name, whole in zip(signals, finite, strict=True) if not whole]


def test_policies_are_followed_and_waveforms_stay_float32() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (1, 400, 1)).astype("float32")
    results = {}
    for policy in ("float32", "mixed_bfloat16"):
        keras.utils.set_random_seed(0)
        keras.config.set_dtype_policy(policy)
        try:
            model = hdemucs(400, sources=1, audio_channels=1, sizes=SMALL)
        finally:
            keras.config.set_dtype_policy("float32")
        output = run(model, x)
        assert keras.backend.standardize_dtype(output.dtype) == "float32"
        results[policy] = array(output)
    # A score of roundings one behind another.
    assert distance(results["mixed_bfloat16"], results["float32"]) < 10 * POLICIES["mixed_bfloat16"]
