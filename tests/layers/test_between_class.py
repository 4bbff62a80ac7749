from collections.abc import Callable
from functools import partial

import librosa
import numpy as np
import pytest
from layer_checks import LayerCase, array, every_check
from scipy.stats import kstest

from keraudio.layers import BetweenClass

pytestmark = pytest.mark.backends

RATE = 8000


def mixed_waveforms(layer, x, **options):
    return layer({"waveforms": x, "labels": x[:, :1]}, **options)["waveforms"]


@every_check(
    LayerCase(
        partial(BetweenClass, RATE, n_fft=16, seed=1), (40,), (1, 40), random=True, mixes_batch=True,
        call=mixed_waveforms,
    ),
    LayerCase(
        partial(BetweenClass, RATE, n_fft=16, probability=0.5, seed=1), (40,), (1, 40), random=True, mixes_batch=True,
        call=mixed_waveforms,
    ),
)  # fmt: skip
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


def sounds(batch: int = 6, samples: int = 2000) -> np.ndarray:
    random = np.random.default_rng(0)
    return (random.normal(size=(batch, samples)) * 10 ** random.uniform(-2, 0, (batch, 1))).astype("float32")


def level(waveform: np.ndarray, n_fft: int) -> float:
    """Greatest A-weighted power of a frame in decibels, by librosa and in float64."""
    power = (
        np.abs(librosa.stft(waveform.astype("float64"), n_fft=n_fft, hop_length=n_fft // 2, pad_mode="constant")) ** 2
    )
    # The first bin lies at 0 Hz, whose weight is 0.
    weights = 10 ** (librosa.A_weighting(librosa.fft_frequencies(sr=RATE, n_fft=n_fft)[1:], min_db=None) / 10)
    return float(10 * np.log10((power[1:] * weights[:, None]).sum(axis=0).max()))


@pytest.mark.parametrize("n_fft", [256, None])
def test_levels_are_librosas(n_fft: int | None) -> None:
    layer = BetweenClass(RATE, n_fft=n_fft)
    # A tenth of a second is 800 samples; 1024 is nearer than 512.
    assert layer.n_fft == (n_fft or 1024)
    x = sounds()
    np.testing.assert_allclose(array(layer.level(x)), [level(row, layer.n_fft) for row in x], atol=1e-3)


def test_what_is_heard_of_each_part_is_in_the_proportion_of_the_labels() -> None:
    x = sounds()
    labels = np.eye(6, dtype="float32")
    layer = BetweenClass(RATE, n_fft=256, seed=2)
    result = layer({"waveforms": x, "labels": labels}, training=True)
    mixed, told = array(result["waveforms"]), array(result["labels"])
    np.testing.assert_allclose(told.sum(axis=1), 1, rtol=1e-6)
    for row in range(6):
        partner = 5 - row
        ratio = float(told[row, row])
        assert told[row, partner] == pytest.approx(1 - ratio, abs=1e-6) and 0 < ratio < 1
        gains = [10 ** (level(x[one], 256) / 20) for one in (row, partner)]
        # The paper's equations, in float64.
        part = 1 / (1 + gains[0] / gains[1] * (1 - ratio) / ratio)
        expected = (part * x[row] + (1 - part) * x[partner].astype("float64")) / np.hypot(part, 1 - part)
        np.testing.assert_allclose(mixed[row], expected, atol=1e-4 * np.abs(expected).max())
        # Which means: amplitudes as they are heard stand as r to 1 - r.
        assert part * gains[0] / ((1 - part) * gains[1]) == pytest.approx(ratio / (1 - ratio), rel=1e-6)


def test_ratios_are_uniform_and_each_example_has_its_own() -> None:
    x = np.ones((600, 64), "float32")
    labels = np.eye(600, dtype="float32")
    told = array(BetweenClass(RATE, n_fft=16, seed=1)({"waveforms": x, "labels": labels}, training=True)["labels"])
    ratios = np.diag(told)
    assert kstest(ratios, "uniform").pvalue > 1e-3 and len(np.unique(ratios)) > 550


def test_silence_beside_sound_stays_finite() -> None:
    x = sounds(4)
    x[[0, 1]] = 0
    labels = np.eye(4, dtype="float32")
    for seed in range(5):
        result = BetweenClass(RATE, n_fft=256, seed=seed)({"waveforms": x, "labels": labels}, training=True)
        assert all(np.isfinite(array(value)).all() for value in result.values())


def test_the_share_of_mixed_examples_is_the_probability() -> None:
    x = np.random.default_rng(0).normal(size=(400, 32)).astype("float32")
    labels = np.eye(400, dtype="float32")
    layer = BetweenClass(RATE, n_fft=16, probability=0.3, seed=1)
    result = layer({"waveforms": x, "labels": labels}, training=True)
    untouched = np.diag(array(result["labels"])) == 1
    assert np.mean(~untouched) == pytest.approx(0.3, abs=0.1)
    np.testing.assert_array_equal(array(result["waveforms"])[untouched], x[untouched])


def test_nothing_happens_at_inference_and_a_seed_repeats() -> None:
    batch = {"waveforms": sounds(4, 300), "labels": np.eye(4, dtype="float32")}
    for result in (BetweenClass(RATE, seed=1)(batch), BetweenClass(RATE, seed=1)(batch, training=False)):
        for name, value in batch.items():
            np.testing.assert_array_equal(array(result[name]), value)
    first, second = (array(BetweenClass(RATE, seed=3)(batch, training=True)["labels"]) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(("options", "said"), [({"probability": 1.5}, "`probability`"), ({"n_fft": 0}, "`n_fft`")])
def test_arguments_out_of_range_are_refused(options: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        BetweenClass(RATE, **options)
    with pytest.raises(ValueError, match="`sample_rate` must be positive. Received: sample_rate=0"):
        BetweenClass(0)
