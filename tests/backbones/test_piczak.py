import keras
import numpy as np
import pytest
from layer_checks import array, run

from keraudio.backbones import piczak

pytestmark = pytest.mark.backends


def head(backbone: keras.Model) -> int:
    """Parameters with ESC-50's fifty labels behind it."""
    return backbone.count_params() + 50 * (backbone.output_shape[-1] + 1)


@pytest.mark.parametrize(
    ("shape", "deltas", "parameters"),
    [((101, 60), False, 29_306_770), ((101, 60), True, 29_334_130), ((100, 60), False, 28_906_770)],
)
def test_counts_are_the_papers(shape: tuple[int, ...], deltas: bool, parameters: int) -> None:
    assert head(piczak(shape, deltas=deltas)) == parameters


@pytest.mark.parametrize(
    ("frames", "shapes"),
    [
        (101, [(96, 4), (32, 1), (30, 1), (10, 1), 800]),
        (100, [(95, 4), (31, 1), (29, 1), (9, 1), 720]),
        (22, [(17, 4), (5, 1), (3, 1), (1, 1), 80]),
    ],
)
def test_every_layers_output_shape(frames: int, shapes: list) -> None:
    backbone = piczak((frames, 60), units=7)
    for name, shape in zip(("conv_1", "pool_1", "conv_2", "pool_2"), shapes, strict=False):
        assert backbone.get_layer(name).output.shape == (None, *shape, 80)
    assert backbone.get_layer("flatten").output.shape == (None, shapes[-1])
    assert backbone.output_shape == (None, 7)


def test_dropout_stands_where_the_paper_has_it() -> None:
    names = [layer.name for layer in piczak((101, 60), units=7).layers]
    assert names == [
        "features", "channel", "conv_1", "rectified_1", "dropout_1", "pool_1", "conv_2", "rectified_2", "pool_2",
        "flatten", "dense_1", "rectified_3", "dropout_3", "dense_2", "rectified_4", "dropout_4",
    ]  # fmt: skip


def test_normalization_stands_before_each_rectifier() -> None:
    names = [layer.name for layer in piczak((101, 60), units=7, batch_norm=True).layers]
    for number in (1, 2, 3, 4):
        assert names[names.index(f"normalization_{number}") + 1] == f"rectified_{number}"


def test_channels_are_taken_as_they_are_and_deltas_of_each_are_added() -> None:
    x = np.random.default_rng(0).normal(size=(2, 40, 20, 3)).astype("float32")
    backbone = piczak((40, 20, 3), filters=3, units=5, deltas=True)
    assert backbone.get_layer("conv_1").kernel.shape == (6, 17, 6, 3)
    assert np.isfinite(array(run(backbone, x))).all()


@pytest.mark.parametrize(
    ("shape", "options", "said"),
    [
        ((None, 60), {}, r"must be \(frames, bins\)"),
        ((60,), {}, r"must be \(frames, bins\)"),
        ((19, 60), {}, "at least 20 frames and 4 bins. Received: .19, 60."),
        ((101, 3), {}, "at least 20 frames and 4 bins"),
        ((101, 60), {"units": 0}, "`filters` and `units`"),
        ((101, 60), {"dropout": 1}, "`dropout`"),
    ],
)
def test_arguments_out_of_range_are_refused(shape: tuple, options: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        piczak(shape, **options)
    if not options:
        return
    assert piczak((20, 4), filters=1, units=1).output_shape == (None, 1)
