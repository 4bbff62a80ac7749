import keras
import numpy as np
import pytest
from musicnn_numpy import MUSICNN_NORMS, MUSICNN_SHAPES, VGG_NORMS, VGG_SHAPES

from keraudio.backbones import BACKBONES, musicnn, musicnn_vgg

pytestmark = pytest.mark.backends


@pytest.mark.parametrize(
    ("backbone", "shapes", "norms"),
    [(musicnn, MUSICNN_SHAPES, MUSICNN_NORMS), (musicnn_vgg, VGG_SHAPES, VGG_NORMS)],
)
def test_it_has_the_parameters_of_the_published_checkpoint(backbone, shapes, norms) -> None:
    head = list(shapes)[-1]
    expected = sum(int(np.prod(shape)) + shape[-1] for scope, shape in shapes.items() if scope != head)
    assert backbone((187, 96)).count_params() == expected + 4 * sum(norms)


def test_levels_have_names_and_a_row_a_frame() -> None:
    model = musicnn((187, 96))
    shapes = {
        name: model.get_layer(name).output.shape[1:]
        for name in ("timbral", "temporal", "mid_1", "mid_2", "mid_3", "pool", "penultimate")
    }
    assert shapes == {
        "timbral": (187, 408),
        "temporal": (187, 153),
        "mid_1": (187, 64),
        "mid_2": (187, 64),
        "mid_3": (187, 64),
        "pool": (1506,),
        "penultimate": (200,),
    }


def test_it_embeds_any_number_of_frames() -> None:
    model = musicnn(
        (None, 12),
        timbral_filters=3,
        timbral_bins=(0.5,),
        temporal_filters=2,
        temporal_frames=(5,),
        mid_filters=4,
        dimensions=6,
    )
    for frames in (1, 9):
        y = model.predict(np.random.default_rng(0).standard_normal((2, frames, 12)), verbose=0)
        assert y.shape == (2, 6)
        assert np.isfinite(y).all()


def test_the_last_pool_is_what_its_strides_leave() -> None:
    pools = (((4, 1), (4, 1)), ((1, 4), (1, 4)), ((2, 2), (2, 2)))
    model = musicnn_vgg((32, 16), filters=3, pools=pools)
    assert [model.get_layer(f"pool_{i}").output.shape[1:] for i in (1, 2, 3)] == [(8, 16, 3), (8, 4, 3), (4, 2, 3)]
    assert model.output_shape == (None, 4 * 2 * 3)


@pytest.mark.parametrize(
    ("name", "shape", "options"),
    [
        ("musicnn", (20, 12), {"timbral_filters": 2, "temporal_filters": 2, "temporal_frames": (4,), "mid_filters": 3}),
        ("musicnn_vgg", (32, 16), {"filters": 2, "pools": (((4, 1), (2, 2)), ((2, 2), (2, 2)))}),
    ],
)
def test_a_training_step_moves_every_trained_weight(name, shape, options) -> None:
    keras.utils.set_random_seed(1)
    backbone = BACKBONES[name](shape, **options)
    model = keras.Sequential([backbone, keras.layers.Dense(2)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    before = [np.array(weight) for weight in model.get_weights()]
    random = np.random.default_rng(0)
    model.fit(random.standard_normal((4, *shape)), random.standard_normal((4, 2)), verbose=0)
    trained = {id(weight) for weight in model.trainable_weights}
    for weight, old, new in zip(model.weights, before, model.get_weights(), strict=True):
        assert id(weight) not in trained or (old != new).any(), weight.path


@pytest.mark.parametrize(
    ("backbone", "shape", "options", "rule"),
    [
        (musicnn, (None, None), {}, "`input_shape` must be"),
        (musicnn, (20, 12, 1), {}, "`input_shape` must be"),
        (musicnn, (20, 12), {"timbral_bins": (1.2,)}, "`timbral_bins` must be"),
        (musicnn, (20, 12), {"timbral_bins": ()}, "`timbral_bins` must be"),
        (musicnn, (20, 12), {"temporal_frames": (0,)}, "`temporal_frames` must be"),
        (musicnn_vgg, (None, 96), {}, "`input_shape` must be"),
        (musicnn_vgg, (187, 40), {}, "`input_shape` must leave at least .* for pool 5"),
    ],
)
def test_wrong_arguments_are_named(backbone, shape, options, rule) -> None:
    with pytest.raises(ValueError, match=f"^{rule}.*Received: "):
        backbone(shape, **options)
