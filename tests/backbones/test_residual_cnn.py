import keras
import numpy as np
import pytest
from layer_checks import array

from keraudio.backbones import residual_cnn

pytestmark = pytest.mark.backends


def parameters(bins: int, filters: tuple[int, ...], depths: tuple[int, ...], channels: int = 1) -> tuple[int, int]:
    """Trained and other parameters, from the architecture: 3 x 3 convolutions without bias, norms of two and two."""
    norms = bins
    kernels = 9 * channels * filters[0]
    norms += filters[0]
    width = filters[0]
    for out, depth in zip(filters, depths, strict=True):
        for _ in range(depth):
            kernels += 9 * width * out + 9 * out * out
            norms += 2 * out
            if width != out:
                kernels += width * out
                norms += out
            width = out
    return kernels + 2 * norms, 2 * norms


@pytest.mark.parametrize(
    ("shape", "filters", "blocks"),
    [
        ((None, 16), (4, 8), 1),
        ((20, 16, 3), (4, 4, 6), (1, 2, 1)),
        ((None, 64), (32, 64, 128, 256), 1),
    ],
)
def test_parameters_are_those_of_the_architecture(shape, filters, blocks) -> None:
    model = residual_cnn(shape, filters=filters, blocks=blocks)
    depths = (blocks,) * len(filters) if isinstance(blocks, int) else blocks
    trained, others = parameters(shape[1], filters, depths, shape[2] if len(shape) == 3 else 1)
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == trained
    assert sum(int(np.prod(w.shape)) for w in model.non_trainable_weights) == others


def test_the_default_over_64_bands_has_1_227_360_parameters() -> None:
    # By hand. Stem 9*32 = 288. Stages 2*9*32*32 = 18,432; 9*32*64 + 9*64*64 + 32*64 = 57,344;
    # 9*64*128 + 9*128*128 + 64*128 = 229,376; 9*128*256 + 9*256*256 + 128*256 = 917,504. Normalized channels:
    # 64 + 32 + 2*32 + 3*64 + 3*128 + 3*256 = 1,504, four numbers each.
    assert residual_cnn((None, 64)).count_params() == 288 + 18_432 + 57_344 + 229_376 + 917_504 + 4 * 1_504


@pytest.mark.parametrize(("pool", "dimensions"), [("average", 6), ("max", 6), ("average_max", 12)])
@pytest.mark.parametrize("shape", [(None, 9), (None, 9, 2)])
def test_it_embeds_any_number_of_frames(shape, pool, dimensions) -> None:
    model = residual_cnn(shape, filters=(4, 6), pool=pool)
    assert model.output_shape == (None, dimensions)
    for frames in (1, 2, 13):
        x = np.random.default_rng(0).standard_normal((2, frames, *shape[1:])).astype("float32")
        y = model.predict(x, verbose=0)
        assert y.shape == (2, dimensions)
        assert np.isfinite(y).all()


def test_each_stage_after_the_first_halves_frames_and_bins() -> None:
    model = residual_cnn((20, 16), filters=(4, 4, 4), stem_strides=(2, 1))
    shapes = [model.get_layer(f"stage{stage}_block0_relu2").output.shape[1:3] for stage in range(3)]
    assert shapes == [(10, 16), (5, 8), (3, 4)]


def test_blocks_begin_as_the_identity() -> None:
    # With its last normalization's scale at zero, a block of equal width passes its (positive) input on.
    model = residual_cnn((8, 6), filters=(4,), blocks=2)
    inner = keras.Model(
        model.input, [model.get_layer("stem_relu").output, model.get_layer("stage0_block1_relu2").output]
    )
    before, after = inner(np.random.default_rng(0).standard_normal((2, 8, 6)).astype("float32"))
    np.testing.assert_allclose(array(after), array(before), atol=1e-6)


def test_a_training_step_moves_every_trained_weight() -> None:
    model = residual_cnn((12, 8), filters=(3, 5), blocks=(2, 1), pool="average_max", dropout=0.1)
    # Blocks that are the identity hide their convolutions from the gradient in the very first step.
    for layer in model.layers:
        if layer.name.endswith("norm2"):
            layer.gamma.assign(np.ones(layer.gamma.shape, "float32"))
    outputs = keras.layers.Dense(2)(model.output)
    trained = keras.Model(model.input, outputs)
    before = [array(weight) for weight in model.trainable_weights]
    trained.compile(keras.optimizers.Adam(1e-2), loss="mse", jit_compile=False)
    random = np.random.default_rng(0)
    trained.train_on_batch(
        random.standard_normal((6, 12, 8)).astype("float32"), random.standard_normal((6, 2)).astype("float32")
    )
    for weight, value in zip(model.trainable_weights, before, strict=True):
        assert (array(weight) != value).any(), weight.path


def test_spatial_dropout_comes_after_each_stage_only_when_asked_for() -> None:
    def dropouts(**options) -> list[float]:
        return [
            layer.rate for layer in residual_cnn((8, 6), filters=(2, 2), **options).layers if "dropout" in layer.name
        ]

    assert dropouts() == []
    assert dropouts(dropout=0.25) == [0.25, 0.25]


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (
            {"blocks": (1, 2)},
            r"`blocks` must be at least 1 and one number a stage. Received: blocks=\(1, 2\) for 4 stages",
        ),
        ({"blocks": 0}, "`blocks` must be at least 1"),
        ({"filters": ()}, "one number a stage"),
        ({"norm_momentum": 1.0}, "`norm_momentum` must be at least 0 and below 1. Received: norm_momentum=1.0"),
        ({"pool": "mean"}, "`pool` must be 'average', 'max' or 'average_max'. Received: pool='mean'"),
        (
            {"input_shape": (8,)},
            r"`input_shape` must be \(frames, bins\) or \(frames, bins, channels\). Received: \(8,\)",
        ),
    ],
)
def test_wrong_arguments_are_named(options, rule) -> None:
    with pytest.raises(ValueError, match=rule):
        residual_cnn(options.pop("input_shape", (8, 6)), **options)
