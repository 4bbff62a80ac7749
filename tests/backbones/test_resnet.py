import keras
import numpy as np
import pytest
from layer_checks import array

from keraudio.backbones import resnet

pytestmark = pytest.mark.backends


def parameters(filters: tuple[int, ...], depths: tuple[int, ...]) -> tuple[int, int]:
    """Trained and other parameters of basic blocks over one channel (He et al. 2016, table 1), without a head."""
    kernels, norms, width = 49 * filters[0], filters[0], filters[0]
    for stage, (out, depth) in enumerate(zip(filters, depths, strict=True)):
        for block in range(depth):
            kernels += 9 * width * out + 9 * out * out
            norms += 2 * out
            if block == 0 and (stage > 0 or width != out):
                kernels += width * out
                norms += out
            width = out
    return kernels + 2 * norms, 2 * norms


def counts(model: keras.Model) -> tuple[int, int]:
    return tuple(
        sum(int(np.prod(w.shape)) for w in part) for part in (model.trainable_weights, model.non_trainable_weights)
    )


def test_resnet_18_over_one_channel_has_11_170_240_trained_parameters() -> None:
    # torchvision's resnet18 has 11,689,512: less its head of 512 * 1000 + 1000 and two input channels of 49 * 64.
    assert parameters((64, 128, 256, 512), (2, 2, 2, 2))[0] == 11_689_512 - 513_000 - 2 * 49 * 64 == 11_170_240
    model = resnet((None, 64))
    assert counts(model) == parameters((64, 128, 256, 512), (2, 2, 2, 2))
    assert model.output_shape == (None, 512)


def test_depth_and_filters_shape_the_network() -> None:
    assert counts(resnet((None, 32), depth=34, filters=(64, 4, 6, 8))) == parameters((64, 4, 6, 8), (3, 4, 6, 3))
    assert resnet((None, 32, 2), depth=50, filters=(64, 2, 2, 2)).output_shape == (None, 8)


def test_repeated_channels_and_dropout_are_adaptive_stfts() -> None:
    model = resnet((108, 128), channels=3, dropout=0.2)
    # Ten labels behind it: 11,181,642 as published, and the statistics, which PyTorch does not count.
    assert counts(model)[0] + 10 * 513 == 11_181_642
    backbone = next(layer for layer in model.layers if isinstance(layer, keras.Model))
    dropped = [layer for layer in backbone.layers if isinstance(layer, keras.layers.Dropout)]
    assert len(dropped) == 16 and {layer.rate for layer in dropped} == {0.2}
    for layer in dropped:
        before = backbone.get_layer(layer.name.removesuffix("_dropout"))
        after = backbone.get_layer(before.name.replace("_conv", "_bn"))
        assert before.kernel_size == (3, 3)
        assert layer.input is before.output and after.input is layer.output


def test_an_image_of_repeated_channels_is_one_of_three() -> None:
    x = np.random.default_rng(0).standard_normal((2, 40, 32)).astype("float32")
    repeated, image = (
        resnet(shape, filters=(64, 3, 4, 5), channels=n) for shape, n in (((40, 32), 3), ((40, 32, 3), 1))
    )
    image.set_weights(repeated.get_weights())
    expected = image.predict(np.repeat(x[..., None], 3, axis=-1), verbose=0)
    np.testing.assert_array_equal(repeated.predict(x, verbose=0), expected)


def test_dropout_rests_at_inference_and_is_kept_in_the_file(tmp_path) -> None:
    x = np.random.default_rng(0).standard_normal((2, 40, 32)).astype("float32")
    plain, dropping = (resnet((40, 32), filters=(64, 3, 4, 5), dropout=rate) for rate in (0.0, 0.5))
    values = {weight.path: array(weight) for weight in plain.weights}
    for weight in dropping.weights:
        weight.assign(values.pop(weight.path))
    assert not values
    np.testing.assert_allclose(dropping.predict(x, verbose=0), plain.predict(x, verbose=0), rtol=1e-5, atol=1e-6)
    assert not np.allclose(array(dropping(x, training=True)), array(dropping(x, training=True)))
    dropping.save(tmp_path / "resnet.keras")
    again = keras.saving.load_model(tmp_path / "resnet.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), dropping.predict(x, verbose=0))
    assert sum(isinstance(layer, keras.layers.Dropout) for layer in again._flatten_layers()) == 16


def test_it_embeds_any_number_of_frames_and_trains_every_weight() -> None:
    model = resnet((None, 32), filters=(64, 3, 4, 5))
    for frames in (32, 45):
        y = model.predict(np.random.default_rng(0).standard_normal((2, frames, 32)).astype("float32"), verbose=0)
        assert y.shape == (2, 5)
        assert np.isfinite(y).all()
    trained = keras.Model(model.input, keras.layers.Dense(2)(model.output))
    before = [array(weight) for weight in model.trainable_weights]
    trained.compile(keras.optimizers.Adam(1e-2), loss="mse", jit_compile=False)
    random = np.random.default_rng(0)
    # Targets far away, and frames enough that no channel of the last stage stays dead.
    trained.train_on_batch(
        random.standard_normal((8, 96, 32)).astype("float32"), 5 * random.standard_normal((8, 2)).astype("float32")
    )
    still = [w.path for w, value in zip(model.trainable_weights, before, strict=True) if (array(w) == value).all()]
    assert still == []


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"depth": 20}, "`depth` must be one of 18, 34, 50, 101, 152. Received: depth=20"),
        (
            {"filters": (64, 2)},
            r"`filters` must be four numbers, one a stage, the first 64. Received: filters=\(64, 2\)",
        ),
        ({"filters": (32, 64, 128, 256)}, "the first 64"),
        ({"channels": 0}, "`channels` must be at least 1, .*. Received: channels=0"),
        ({"dropout": 1.0}, "`dropout` must be at least 0 and below 1. Received: dropout=1.0"),
    ],
)
def test_wrong_arguments_are_named(options, rule) -> None:
    with pytest.raises(ValueError, match=rule):
        resnet((None, 32), **options)
