import json
from collections.abc import Callable
from functools import partial

import keras
import librosa
import numpy as np
import pytest
from layer_checks import LayerCase, array, distance, every_check, run, weight_gradients

from keraudio.layers import STFT, AdaptiveSTFT, kernel_path

pytestmark = pytest.mark.backends

FFT_TOLERANCE = 1e-5
# Sums of n_fft float32 products, where an FFT adds log2(n_fft) times.
KERNEL_TOLERANCE = 1e-4
EDGES = (1, 12, 17, 36)


def sound(samples: int = 900, batch: int = 2) -> np.ndarray:
    return np.random.default_rng(5).uniform(-1, 1, (batch, samples)).astype("float32")


def stirred(layer: AdaptiveSTFT, x: np.ndarray, amount: float = 0.1) -> AdaptiveSTFT:
    """The layer with every weight moved at random."""
    if not layer.built:
        layer.build(x.shape)
    random = np.random.default_rng(3)
    for weight in layer.weights:
        weight.assign(array(weight.value) + amount * random.standard_normal(weight.shape).astype("float32"))
    return layer


def by_hand(layer: AdaptiveSTFT, x: np.ndarray, index: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Real and imaginary parts `(batch, frames, bins)` of a layer with `center=False`, in float64, kernel by kernel."""
    n_fft, bins = layer.n_fft, 1 + layer.n_fft // 2
    phase = 2 * np.pi * np.outer(np.arange(n_fft), np.arange(bins)) / n_fft
    kernels = [np.cos(phase), -np.sin(phase)]
    if layer.kernels == "free":
        kernels = [array(weight.value)[index].astype("float64") for weight in (layer.real_kernels, layer.imag_kernels)]
    elif layer.kernels == "low_rank":
        change = array(layer.change_from.value)[index].T.astype("float64") @ array(layer.change_to.value)[index]
        kernels = [(np.eye(n_fft) + change) @ kernel for kernel in kernels]
    window = np.zeros(n_fft)
    left = (n_fft - layer.win_length) // 2
    window[left : left + layer.win_length] = array(layer.windows.value)[index]
    starts = range(0, x.shape[1] - n_fft + 1, layer.hop_length)
    frames = np.stack([x[:, s : s + n_fft].astype("float64") for s in starts], axis=1)
    return tuple((frames * window) @ kernel for kernel in kernels)


def changed(*arguments, **options) -> AdaptiveSTFT:
    """A low-rank layer on its way: at the start nothing depends on `change_from`, as `change_to` is zero."""
    layer = AdaptiveSTFT(*arguments, **options)
    layer.build((None, 40))
    for weight in (layer.change_from, layer.change_to):
        weight.assign(np.random.default_rng(0).uniform(-0.3, 0.3, weight.shape))
    return layer


@every_check(
    LayerCase(partial(AdaptiveSTFT, 12, 5), (40,), EDGES, weights=3, trainable=3),
    LayerCase(
        partial(changed, 11, 4, win_length=7, kernels="low_rank", rank=2, transforms=2, center=False, power=2),
        (40, 2),
        EDGES,
        weights=3,
        trainable=3,
    ),
    LayerCase(partial(AdaptiveSTFT, 12, 5, kernels="fixed", transforms=3), (40,), (1, 36), weights=1, trainable=1),
    LayerCase(
        partial(AdaptiveSTFT, 12, 5, learn_window=False, mode="real", transforms=2),
        (40, 2),
        (1, 36),
        weights=2,
        trainable=1,
    ),
    LayerCase(
        partial(AdaptiveSTFT, 12, 5, learn_kernels=False, transforms=2, power=None),
        (40,),
        (1, 36),
        weights=3,
        trainable=1,
    ),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


@pytest.mark.parametrize("kernels", ["free", "low_rank", "fixed"])
@pytest.mark.parametrize(("n_fft", "hop_length", "win_length"), [(512, 128, 512), (401, 100, 255)])
def test_it_begins_as_librosas_transform(n_fft, hop_length, win_length, kernels) -> None:
    x = sound(1500, 1)
    layer = AdaptiveSTFT(n_fft, hop_length, win_length=win_length, kernels=kernels)
    expected = librosa.stft(
        x[0].astype("float64"), n_fft=n_fft, hop_length=hop_length, win_length=win_length, dtype="complex128"
    )
    assert distance(layer(x)[0], np.abs(expected).T) < (KERNEL_TOLERANCE if kernels == "free" else FFT_TOLERANCE)


def test_the_published_layer_has_its_published_number_of_coefficients() -> None:
    # Adaptive STFT: a window of 1,024 and 513 x 1,024 complex kernels.
    layer = AdaptiveSTFT(1024, 512)
    layer.build((None, 56317))
    assert layer.windows.shape == (1, 1024)
    assert layer.count_params() == 1024 + 2 * 513 * 1024
    # One part of 56,317 samples gives 108 frames without padding.
    assert AdaptiveSTFT(1024, 512, center=False).compute_output_shape((16, 56317)) == (16, 108, 513)


@pytest.mark.parametrize("power", [1.0, 2.0, None])
@pytest.mark.parametrize("kernels", ["free", "low_rank", "fixed"])
def test_what_has_been_learned_is_what_is_computed(kernels, power) -> None:
    x = sound()
    layer = stirred(AdaptiveSTFT(64, 32, win_length=50, kernels=kernels, center=False, power=power, transforms=2), x)
    actual = array(run(layer, x))
    for index in range(2):
        real, imag = by_hand(layer, x, index)
        if power is None:
            assert distance(actual[..., index, :], np.stack([real, imag], -1)) < KERNEL_TOLERANCE
        else:
            assert distance(actual[..., index], np.hypot(real, imag) ** power) < KERNEL_TOLERANCE


def test_the_authors_reading_is_the_absolute_value_of_the_real_part() -> None:
    x = sound()
    expected = np.abs(librosa.stft(x[0].astype("float64"), n_fft=64, hop_length=32, center=False).real.T)
    for kernels in ("free", "low_rank", "fixed"):
        layer = AdaptiveSTFT(64, 32, mode="real", kernels=kernels, center=False)
        assert distance(layer(x)[0], expected) < KERNEL_TOLERANCE
        assert len(layer.weights) == {"free": 2, "low_rank": 3, "fixed": 1}[kernels]


@pytest.mark.parametrize("mode", ["magnitude", "real"])
@pytest.mark.parametrize("power", [1.0, 2.0])
def test_its_three_paths_agree_in_values_and_in_gradients_of_the_window(power, mode) -> None:
    x = sound()
    options = {"n_fft": 64, "hop_length": 16, "win_length": 50, "power": power, "mode": mode}
    by_fft = AdaptiveSTFT(kernels="fixed", **options)
    by_kernels = AdaptiveSTFT(**options)
    expected = array(run(by_fft, x))
    assert distance(run(by_kernels, x), expected) < KERNEL_TOLERANCE
    with kernel_path():
        assert distance(run(by_fft, x), expected) < KERNEL_TOLERANCE
    slopes = weight_gradients(by_fft, x)[0]
    assert distance(weight_gradients(by_kernels, x)[0], slopes) < KERNEL_TOLERANCE


def test_free_kernels_cost_an_fft_until_they_are_learned_and_stay_what_they_became() -> None:
    x = sound()
    layer = AdaptiveSTFT(64, 32, learn_kernels=False)
    reference = array(run(AdaptiveSTFT(64, 32, kernels="fixed"), x))
    # To the bit: the kernels, of other rounding, have not been touched.
    np.testing.assert_array_equal(array(run(layer, x)), reference)
    assert not layer.kernels_learned
    layer.learn_kernels = True
    stirred(layer, x)
    learned = array(run(layer, x))
    assert distance(learned, reference) > 0.1
    layer.learn_kernels = False
    np.testing.assert_array_equal(array(run(layer, x)), learned)
    again = AdaptiveSTFT.from_config(json.loads(json.dumps(layer.get_config())))
    again.build(x.shape)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(array(run(again, x)), learned)


def test_weights_of_a_layer_that_has_learned_are_used_by_one_that_has_not(tmp_path) -> None:
    x = sound()
    models = [
        keras.Sequential([keras.Input((900,)), AdaptiveSTFT(64, 32, learn_kernels=learn)]) for learn in (True, False)
    ]
    stirred(models[0].layers[0], x)
    models[0].save_weights(tmp_path / "learned.weights.h5")
    models[1].load_weights(tmp_path / "learned.weights.h5")
    np.testing.assert_array_equal(array(models[1](x)), array(models[0](x)))


def test_each_switch_opens_its_own_weights_and_outlives_freezing_the_whole_layer() -> None:
    layer = AdaptiveSTFT(16, 8, learn_kernels=False)
    layer.build((None, 40))

    def trained() -> list[str]:
        return [weight.name for weight in layer.trainable_weights]

    assert trained() == ["window"]
    layer.learn_kernels, layer.learn_window = True, False
    assert trained() == ["real_kernels", "imag_kernels"]
    layer.trainable = False
    assert trained() == []
    layer.learn_window = True
    assert trained() == []
    layer.learn_kernels = False
    layer.trainable = True
    assert trained() == ["window"]


def test_switches_may_flip_between_two_fits() -> None:
    x = sound(200, 4)
    inputs = keras.Input((200,))
    layer = AdaptiveSTFT(16, 8, learn_kernels=False)
    model = keras.Model(inputs, layer(inputs))
    target = 0.5 * array(model(x))
    for learn_window, learn_kernels in ((True, False), (False, True), (True, True)):
        layer.learn_window, layer.learn_kernels = learn_window, learn_kernels
        before = [array(weight.value) for weight in layer.weights]
        model.compile(keras.optimizers.Adam(0.01), "mse")
        losses = model.fit(x, target, batch_size=4, epochs=2, verbose=0).history["loss"]
        assert losses[1] < losses[0]
        moved = [bool((array(w.value) != old).any()) for w, old in zip(layer.weights, before, strict=True)]
        assert moved == [learn_window, learn_kernels, learn_kernels]


def test_changes_are_measured_from_where_the_layer_began() -> None:
    for kernels in ("free", "low_rank", "fixed"):
        layer = AdaptiveSTFT(32, 16, kernels=kernels, transforms=2)
        layer.build((None, 64))
        assert not any(layer.changes().values())
        window = array(layer.windows.value)
        window[1] += 0.1
        layer.windows.assign(window)
        np.testing.assert_allclose(layer.window_change(), [0, 0.01], atol=1e-8)
        told = {name: value for name, value in layer.changes().items() if name.startswith("window")}
        assert told == {"window_change_1": 0.0, "window_change_2": pytest.approx(0.01, rel=1e-5)}
    layer = AdaptiveSTFT(32, 16)
    layer.build((None, 64))
    layer.real_kernels.assign(array(layer.real_kernels.value) + 0.3)
    layer.imag_kernels.assign(array(layer.imag_kernels.value) + 0.4)
    # Frobenius norm of 32 x 17 complex changes of modulus 0.5.
    np.testing.assert_allclose(layer.kernel_change(), [0.5 * np.sqrt(32 * 17)], rtol=1e-5)


def test_a_low_rank_change_is_measured_as_the_free_kernels_that_equal_it() -> None:
    x = sound()
    low = stirred(AdaptiveSTFT(32, 16, kernels="low_rank", rank=3), x)
    phase = 2 * np.pi * np.outer(np.arange(32), np.arange(17)) / 32
    change = array(low.change_from.value)[0].T @ array(low.change_to.value)[0]
    free = AdaptiveSTFT(32, 16)
    free.build(x.shape)
    kernels = (np.eye(32) + change) @ np.cos(phase), (np.eye(32) + change) @ -np.sin(phase)
    free.set_weights([array(low.windows.value), *(kernel[None].astype("float32") for kernel in kernels)])
    assert distance(run(free, x), array(run(low, x))) < KERNEL_TOLERANCE
    np.testing.assert_allclose(low.kernel_change(), free.kernel_change(), rtol=1e-4)


def test_channels_and_transforms_multiply() -> None:
    x = np.stack([sound()[0], sound()[1]], axis=-1)[None]
    layer = stirred(AdaptiveSTFT(32, 16, kernels="fixed", transforms=3), x)
    together = array(run(layer, x))
    assert together.shape[3] == 6
    for channel in range(2):
        alone = array(run(layer, x[..., channel]))
        np.testing.assert_allclose(together[..., 3 * channel : 3 * channel + 3], alone, atol=1e-5)


def test_an_untrained_layer_is_the_plain_transform() -> None:
    x = sound()
    for power in (1.0, 2.0, None):
        expected = array(run(STFT(64, 32, power=power), x))
        np.testing.assert_array_equal(array(run(AdaptiveSTFT(64, 32, kernels="fixed", power=power), x)), expected)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"kernels": "some"}, "`kernels` must be 'free', 'low_rank' or 'fixed'. Received: kernels='some'"),
        ({"kernels": "fixed", "learn_kernels": True}, "`learn_kernels` needs `kernels` of 'free' or 'low_rank'."),
        ({"rank": 0}, "`rank` must be at least 1. Received: rank=0"),
        ({"transforms": 0}, "`transforms` must be at least 1. Received: transforms=0"),
        ({"mode": "imag"}, "`mode` must be 'magnitude' or 'real'. Received: mode='imag'"),
        ({"mode": "real", "power": None}, "`mode` 'real' needs a `power`. Received: mode='real', power=None"),
        ({"n_fft": 0}, "`n_fft` must be at least 1. Received: n_fft=0"),
    ],
)
def test_wrong_arguments_are_named(options, rule) -> None:
    with pytest.raises(ValueError) as caught:
        AdaptiveSTFT(**options)
    assert rule in str(caught.value)


def test_kernels_that_do_not_exist_cannot_be_switched_on() -> None:
    layer = AdaptiveSTFT(kernels="fixed")
    with pytest.raises(ValueError, match="`learn_kernels` needs `kernels`"):
        layer.learn_kernels = True
