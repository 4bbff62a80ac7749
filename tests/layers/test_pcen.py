from collections.abc import Callable
from functools import partial

import keras
import librosa
import numpy as np
import pytest
from layer_checks import LayerCase, array, distance, every_check, gradient, run, sum_weights, weight_gradients
from scipy.signal import lfilter

from keraudio.layers import PCEN
from keraudio.layers.pcen import smoothing_of_seconds

pytestmark = pytest.mark.backends

# float32 logarithms and exponentials, and sums of positive terms; the largest seen here is 1.3e-6.
TOLERANCE = 1e-5
LEAF = {"smoothing": 0.04, "gain": 0.96, "bias": 2.0, "power": 0.5, "eps": 1e-12, "initial": "first"}


def energies(frames: int, bins: int = 5) -> np.ndarray:
    """Over 8 decades, with silences and bursts."""
    random = np.random.default_rng(frames)
    x = 10.0 ** random.uniform(-4, 4, (frames, bins)) * (random.uniform(size=(frames, bins)) > 0.2)
    return x.astype("float32")


def truth(x, smoothing, gain, bias, power, eps=1e-6, initial="one") -> np.ndarray:
    """The formula by SciPy's filter in float64; parameters are numbers or one a bin."""
    x = np.asarray(x, "float64")
    smoothing = np.broadcast_to(smoothing, x.shape[-1:])
    past = np.empty_like(x)
    for number, share in enumerate(smoothing):
        before = np.ones(1) if initial == "one" else x[:1, number]
        past[:, number], _ = lfilter([share], [1, share - 1], x[:, number], zi=(1 - share) * before)
    return (x / (eps + past) ** gain + bias) ** power - bias**power


@every_check(
    LayerCase(PCEN, (6, 5), (1, 2, 6), follows_policy=True, positive=True),
    LayerCase(
        partial(PCEN, 0.3, learnable=True, initial="first"),
        (70, 3),
        (1, 64, 65, 70),
        weights=4,
        trainable=4,
        follows_policy=True,
        positive=True,
    ),
    LayerCase(
        partial(PCEN, 0.2, learnable=("gain", "smoothing")),
        (9, 4, 2),
        (1, 9),
        weights=2,
        trainable=2,
        follows_policy=True,
        positive=True,
    ),
)
def test_the_layer_keeps_the_contract(check: Callable, case: LayerCase, tmp_path) -> None:
    check(case, tmp_path)


@pytest.mark.parametrize(
    ("frames", "options"),
    [
        # No block (the state before is one frame more), whole blocks, a block begun.
        (3, {}),
        (63, {}),
        (127, {}),
        (1292, {}),
        (100, {"gain": 0.5, "bias": 10.0, "power": 0.25}),
        (100, {"time_constant": 0.06, "eps": 1e-3}),
        (100, {"gain": 0.0, "power": 1.0}),
        (100, {"b": 1.0}),
    ],
    ids=str,
)
def test_the_fixed_form_equals_librosas_in_float64(frames, options) -> None:
    x = energies(frames)
    expected = librosa.pcen(x.T.astype("float64"), sr=22050, hop_length=512, **options).T
    options = dict(options)
    share = options.pop("b", None) or smoothing_of_seconds(options.pop("time_constant", 0.4), 22050, 512)
    assert distance(run(PCEN(share, **options), x[None])[0], expected) < TOLERANCE


def test_the_shares_of_a_time_constant_are_librosas() -> None:
    # Where the past is nothing, it is that share of the present after one frame: all that divides it here.
    for seconds, hop in ((0.4, 512), (0.06, 256), (2.0, 160)):
        options = {"time_constant": seconds, "gain": 1, "bias": 1, "power": 1, "eps": 1e-12, "zi": [[0.0]]}
        divided = librosa.pcen(np.ones((1, 1)), sr=16000, hop_length=hop, **options)
        assert smoothing_of_seconds(seconds, 16000, hop) == pytest.approx(1 / divided[0, 0], rel=1e-9)


@pytest.mark.parametrize("frames", [1, 65, 200])
def test_the_learned_form_begins_as_leafs(frames) -> None:
    x = np.maximum(energies(frames), 1e-5)
    expected = truth(x, 0.04, 0.96, 2.0, 0.5, eps=1e-12, initial="first")
    assert distance(run(PCEN(**LEAF, learnable=True), x[None])[0], expected) < TOLERANCE


@pytest.mark.parametrize("learnable", [False, True])
def test_an_hour_is_smoothed_as_well_as_a_second(learnable) -> None:
    # More frames than the two levels of blocks hold.
    x = energies(2 * 64 * 64 + 3, 2)
    layer = PCEN(0.001, learnable=learnable)
    assert distance(run(layer, x[None])[0], truth(x, 0.001, 0.98, 2.0, 0.5)) < TOLERANCE


def test_each_bin_has_its_own_parameters_in_every_channel() -> None:
    x = np.stack([energies(100, 3), energies(101, 3)[:100]], axis=-1)
    layer = PCEN(learnable=True)
    layer.build((None, None, 3, 2))
    parameters = {
        "smoothing": np.array([0.01, 0.3, 0.9]),
        "gain": np.array([0.2, 1.0, 0.7]),
        "bias": np.array([0.5, 2.0, 10.0]),
        "power": np.array([0.25, 0.5, 1.0]),
    }
    layer.gains.assign(parameters["gain"])
    layer.biases.assign(parameters["bias"])
    layer.roots.assign(1 / parameters["power"])
    layer.smoothings.assign(parameters["smoothing"])
    result = array(run(layer, x[None]))[0]
    for channel in range(2):
        for number in range(3):
            alone = {name: values[number] for name, values in parameters.items()}
            expected = truth(x[:, number : number + 1, channel], **alone)
            assert distance(result[:, number : number + 1, channel], expected) < TOLERANCE


@pytest.mark.parametrize("initial", ["one", "first"])
def test_gradients_of_all_parameters_are_the_formulas_slopes_in_float64(initial) -> None:
    x = np.stack([energies(80, 2), energies(90, 2)[:80]])
    layer = PCEN(0.1, learnable=True, initial=initial)
    actual = weight_gradients(layer, x)
    terms = sum_weights(x.shape)

    def loss(gain, bias, root, smoothing):
        results = [truth(example, smoothing, gain, bias, 1 / root, initial=initial) for example in x]
        return np.sum(terms * results)

    values = [array(weight).astype("float64") for weight in layer.trainable_weights]
    assert [weight.name for weight in layer.trainable_weights] == ["gain", "bias", "power", "smoothing"]
    for number in range(4):
        for entry in range(2):
            ends = []
            for step in (1e-5, -1e-5):
                moved = [value.copy() for value in values]
                moved[number][entry] += step
                ends.append(loss(*moved))
            slope = (ends[0] - ends[1]) / 2e-5
            assert actual[number][entry] == pytest.approx(slope, rel=1e-3)


def test_energies_from_faint_to_deafening_give_finite_outputs_and_gradients() -> None:
    levels = np.array([0, 1e-20, 1e-6, 1, 1e8], "float32")
    # From each level to each, and back.
    x = np.stack([np.repeat([a, b, a], 4) for a in levels for b in levels])[..., None]
    for options in ({}, LEAF):
        layer = PCEN(**options, learnable=True)
        layer.build((None, None, 1))
        assert np.isfinite(array(run(layer, x))).all()
        assert np.isfinite(gradient(layer, x)).all()
        assert all(np.isfinite(slope).all() for slope in weight_gradients(layer, x))


def test_silence_is_zero_and_a_steady_sounds_level_is_divided_out() -> None:
    silence = np.zeros((1, 50, 2), "float32")
    np.testing.assert_array_equal(array(PCEN()(silence)), 0)
    # With a gain of 1 the level itself is divided out, wherever the past is the level already.
    layer = PCEN(gain=1.0, initial="first")
    expected = np.sqrt(3) - np.sqrt(2)
    np.testing.assert_allclose(array(layer(np.full((1, 50, 2), 1e3, "float32"))), expected, rtol=1e-5)


def test_learned_parameters_are_put_back_into_their_range() -> None:
    layer = PCEN(learnable=True)
    layer.build((None, None, 2))
    ranges = {"gain": (0, 1), "bias": (1e-3, 9), "power": (1, 9), "smoothing": (0, 1 - 2.0**-24)}
    for weight in layer.trainable_weights:
        low, high = ranges[weight.name]
        clipped = array(weight.constraint(keras.ops.convert_to_tensor(np.array([-9.0, 9.0], "float32"))))
        np.testing.assert_allclose(clipped, [low, high], rtol=1e-7)
        weight.assign(clipped)
    assert np.isfinite(array(layer(energies(200, 2)[None]))).all()


def test_only_the_chosen_parameters_are_weights() -> None:
    layer = PCEN(learnable=["power"])
    layer.build((None, None, 7))
    assert [weight.name for weight in layer.weights] == ["power"]
    assert layer.count_params() == 7


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"smoothing": 0}, "`smoothing` must satisfy 0 < smoothing <= 1. Received: smoothing=0"),
        ({"smoothing": 1.5}, "`smoothing` must satisfy"),
        ({"gain": -0.1}, "`gain` must be between 0 and 1. Received: gain=-0.1"),
        ({"bias": 0}, "`bias` must be positive. Received: bias=0"),
        ({"power": 0}, "`power` must satisfy 0 < power <= 1. Received: power=0"),
        ({"eps": 0}, "`eps` must be positive. Received: eps=0"),
        ({"initial": "zero"}, "`initial` must be 'one' or 'first'. Received: initial='zero'"),
        (
            {"learnable": ["root"]},
            r"`learnable` must be True, False or a sequence of gain, bias, power, smoothing. "
            r"Received: learnable=\['root'\]",
        ),
        ({"learnable": "gain"}, "`learnable` must be .* Received: learnable='gain'"),
    ],
)
def test_wrong_arguments_are_named(options, rule) -> None:
    with pytest.raises(ValueError, match=rule):
        PCEN(**options)
