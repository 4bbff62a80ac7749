import math

import keras
import numpy as np
import pytest
from layer_checks import array

from keraudio.backbones import module_filters, sample_cnn
from keraudio.frontends import log_mel, strided_conv

pytestmark = pytest.mark.backends

# Rate, digits, samples, and parameters for 50 tags: without batch normalization, with gamma and beta; and those of the
# released code's filters without it (table 3; the sums are in the paper's terms, computed layer by layer).
TABLE_3 = [
    (2000, "3333222222", 5184, 1_798_706, 1_805_106, 1_405_234),
    (4000, "3333222422", 10368, 1_929_778, 1_936_178, 1_536_306),
    (8000, "3333224422", 20736, 2_060_850, 2_067_250, 1_667_378),
    (12000, "3333324422", 31104, 2_126_386, 2_132_786, 1_732_914),
    (16000, "3333333522", 43740, 2_191_922, 2_198_322, 1_798_450),
    (20000, "3333333342", 52488, 2_322_994, 2_329_394, 1_798_450),
    (22050, "3333333333", 59049, 2_454_066, 2_460_466, 1_863_986),
]
# Filter, stride, modules, parameters over the waveform and over mel bands, without batch normalization (table 2).
TABLE_2 = [
    (729, 729, 4, 1_857_842, 1_764_402),
    (729, 243, 5, 2_054_706, 1_961_266),
    (243, 243, 5, 1_992_498, 1_961_266),
    (243, 81, 6, 2_189_362, 2_158_130),
    (81, 81, 6, 2_168_626, 2_158_130),
    (27, 27, 7, 2_358_578, None),
    (9, 9, 8, 2_405_554, None),
    (3, 3, 9, 2_454_066, None),
]
SAMPLES = 59_049


def parameters(*parts: keras.Model, norms: str = "none") -> int:
    """Of the parts and of 50 tags: `norms` is "none", "trained" or "all" of batch normalization's four numbers."""
    total = 50 * (parts[-1].output_shape[-1] + 1)
    for layer in (layer for part in parts for layer in part.layers):
        is_norm = isinstance(layer, keras.layers.BatchNormalization)
        weights = {"none": [], "trained": layer.trainable_weights, "all": layer.weights}[norms]
        total += sum(math.prod(weight.shape) for weight in (weights if is_norm else layer.weights))
    return total


def test_the_3_9_model_has_the_shapes_and_parameters_of_table_1() -> None:
    front_end = strided_conv(22050, kernel_size=3, strides=3, samples=SAMPLES)
    backbone = sample_cnn(front_end.output_shape[1:])
    assert front_end.output_shape == (None, 19683, 128)
    frames, widths = 19683, (128, 128, 256, 256, 256, 256, 256, 512, 512)
    kernels = (49_280, 49_280, 98_560, 196_864, 196_864, 196_864, 196_864, 393_728, 786_944)
    for number, (width, kernel) in enumerate(zip(widths, kernels, strict=True), 1):
        assert tuple(backbone.get_layer(f"module_{number}").output.shape) == (None, frames, width)
        assert backbone.get_layer(f"module_{number}_conv").count_params() == kernel
        frames //= 3
        assert tuple(backbone.get_layer(f"module_{number}_pool").output.shape) == (None, frames, width)
    assert backbone.get_layer("last_conv").count_params() == 262_656
    assert backbone.output_shape == (None, 512)
    found = [parameters(front_end, backbone, norms=norms) for norms in ("none", "trained", "all")]
    assert found == [2_454_066, 2_460_466, 2_466_866]
    code = sample_cnn(front_end.output_shape[1:], variant="code")
    found = [parameters(front_end, code, norms=norms) for norms in ("none", "trained", "all")]
    assert found == [1_863_986, 1_869_874, 1_875_762]


@pytest.mark.parametrize(("rate", "digits", "samples", "bare", "trained", "code"), TABLE_3)
def test_parameters_are_those_of_table_3(rate, digits, samples, bare, trained, code) -> None:
    first = int(digits[0])
    assert math.prod(map(int, digits)) == samples
    front_end = strided_conv(rate, kernel_size=first, strides=first, samples=samples)
    backbone = sample_cnn(front_end.output_shape[1:], pools="-".join(digits[1:]))
    assert parameters(front_end, backbone) == bare
    assert parameters(front_end, backbone, norms="trained") == trained
    assert parameters(front_end, sample_cnn(front_end.output_shape[1:], pools=digits[1:], variant="code")) == code


@pytest.mark.parametrize(("window", "hop", "modules", "raw", "mel"), TABLE_2)
def test_parameters_are_those_of_table_2(window, hop, modules, raw, mel) -> None:
    front_end = strided_conv(22050, kernel_size=window, strides=hop, samples=SAMPLES)
    assert front_end.output_shape == (None, 3**modules, 128)
    backbone = sample_cnn(front_end.output_shape[1:], pools=(3,) * modules)
    assert parameters(front_end, backbone) == raw
    if mel:
        spectrogram = log_mel(
            22050, n_fft=729, win_length=window, hop_length=hop, frames=3**modules, compression="log", power=1.0,
            normalize=True, samples=SAMPLES,
        )  # fmt: skip
        assert parameters(sample_cnn(spectrogram.output_shape[1:], pools=(3,) * modules)) == mel


@pytest.mark.parametrize(
    ("m", "n", "samples"),
    [
        (2, 13, 16384), (2, 14, 32768), (3, 8, 19683), (3, 9, 59049),
        (4, 6, 16384), (4, 7, 65536), (5, 5, 15625), (5, 6, 78125),
    ],
)  # fmt: skip
def test_every_model_of_the_multi_scale_set_leaves_one_frame(m: int, n: int, samples: int) -> None:
    front_end = strided_conv(22050, kernel_size=m, strides=m, samples=samples)
    backbone = sample_cnn(front_end.output_shape[1:], pools=(m,) * n)
    assert backbone.get_layer("last").output.shape == (None, 1, 512)


def test_filters_without_overlap_and_padding_would_leave_nothing() -> None:
    # 729 samples a filter at strides of 243 give 241 frames where nothing is padded.
    with pytest.raises(ValueError, match=r"must leave a frame\. Received: 241 frames"):
        sample_cnn((241, 128), pools=(3,) * 5)
    with pytest.raises(ValueError, match=r"product of the pools, 243\. Received: 244 frames"):
        sample_cnn((244, 128), pools=(3,) * 5)


def test_filters_of_modules() -> None:
    assert module_filters(7) == (256,) * 5 + (512,) * 2
    assert module_filters(8) == (128,) + (256,) * 5 + (512,) * 2
    assert module_filters(9, "code") == (128,) * 2 + (256,) * 6 + (512,)
    assert module_filters(13, "code") == (128,) * 2 + (256,) * 10 + (512,)
    assert module_filters(13) == (128,) * 2 + (256,) * 9 + (512,) * 2
    assert module_filters(1) == (512,)


@pytest.mark.parametrize("block", ["conv", "se", "res", "rese"])
@pytest.mark.parametrize("levels", [1, 3])
def test_every_block_learns_and_gives_finite_numbers(block: str, levels: int) -> None:
    model = sample_cnn((27, 4), pools="333", filters=(4, 6, 6), embedding=5, block=block, levels=levels)
    assert model.output_shape == (None, 16 if levels == 3 else 5)
    x = np.random.default_rng(0).standard_normal((3, 27, 4)).astype("float32")
    model.compile("sgd", "mse")
    before = [array(weight) for weight in model.trainable_weights]
    model.train_on_batch(x, np.ones((3, model.output_shape[-1]), "float32"))
    changed = [
        not np.array_equal(array(weight), old) for weight, old in zip(model.trainable_weights, before, strict=True)
    ]
    # A bias before batch normalization has no gradient but rounding.
    assert all(one for one, weight in zip(changed, model.trainable_weights, strict=True) if "bias" not in weight.path)
    for extreme in (np.zeros_like(x), np.full_like(x, 1e3)):
        assert np.isfinite(array(model(extreme))).all()


def test_se_and_residual_blocks_are_what_their_paper_draws() -> None:
    model = sample_cnn((9, 4), pools="33", filters=(4, 6), block="rese", amplifying_ratio=16)
    inner = model.get_layer("module_2_excitation_inner")
    assert inner.units == 6 * 16 and model.get_layer("module_2_excitation_weight").units == 6
    names = [layer.name for layer in model.layers]
    # The first module keeps its channels, and needs no convolution in its shortcut.
    assert "module_1_shortcut" not in names and "module_2_shortcut" in names
    assert names.index("module_2_excitation") < names.index("module_2_add") < names.index("module_2_pool")


@pytest.mark.parametrize("pool", ["max", "average"])
def test_a_global_pool_takes_windows_of_any_length(pool: str) -> None:
    model = sample_cnn((None, 3), pools="33", filters=(4, 4), embedding=5, pool=pool)
    for frames in (9, 10, 31):
        x = np.random.default_rng(1).standard_normal((2, frames, 3)).astype("float32")
        assert np.asarray(model.predict(x, verbose=0)).shape == (2, 5)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"pools": "3x3"}, "must be digits"),
        ({"pools": "31"}, "must be at least 2"),
        ({"pools": ()}, "must be at least 2"),
        ({"pools": "33", "filters": (4,)}, "one a pool"),
        ({"pools": "33", "block": "dense"}, "`block` must be one of conv, se, res, rese"),
        ({"pools": "33", "pool": "min"}, "`pool` must be"),
        ({"pools": "33", "levels": 3}, "`levels` must be 1 to the number of modules"),
        ({"pools": "33", "norm_momentum": 1.0}, "`norm_momentum`"),
        ({"pools": "33", "variant": "mine"}, "`variant` must be"),
    ],
)
def test_what_is_out_of_range_is_refused(options: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        sample_cnn((9, 4), **options)
