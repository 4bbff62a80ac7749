import keras
import numpy as np
import pytest
from layer_checks import POLICIES, array, distance, edge_signals, gradient, run
from small_front_ends import SMALL_DEMUCS, TINY_DEMUCS

from keraudio.frontends.hdemucs import HDemucsSizes, hdemucs

pytestmark = pytest.mark.backends


def test_sizes_may_be_any_that_fit() -> None:
    model = hdemucs(1000, sources=3, audio_channels=1, sizes=SMALL_DEMUCS)
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
        hdemucs(**options, sizes=SMALL_DEMUCS | sizes)


def test_edges_stay_finite_and_so_do_their_gradients() -> None:
    keras.utils.set_random_seed(0)
    model = hdemucs(400, sources=2, audio_channels=1, sizes=TINY_DEMUCS)
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
            model = hdemucs(400, sources=1, audio_channels=1, sizes=TINY_DEMUCS)
        finally:
            keras.config.set_dtype_policy("float32")
        output = run(model, x)
        assert keras.backend.standardize_dtype(output.dtype) == "float32"
        results[policy] = array(output)
    # A score of roundings one behind another.
    assert distance(results["mixed_bfloat16"], results["float32"]) < 10 * POLICIES["mixed_bfloat16"]
