import keras
import numpy as np
import pytest
from small_classifier import small_classifier
from tones import WINDOW, tone_classifier

from keraudio import KeraudioError
from keraudio.backbones import musicnn, musicnn_vgg, residual_cnn
from keraudio.training import feature_columns, feature_model, last_levels, layer_names, levels

pytestmark = pytest.mark.backends


def test_levels_of_musicnn_are_its_named_layers() -> None:
    assert levels(musicnn((20, 12))) == {
        -1: ("penultimate",),
        -2: ("mid_3",),
        -3: ("mid_2",),
        -4: ("mid_1",),
        -5: ("timbral_1", "timbral_2", "temporal_1", "temporal_2", "temporal_3"),
    }


def test_levels_come_after_normalization_and_before_the_pool() -> None:
    pools = (((4, 1), (2, 2)), ((2, 2), (2, 2)), ((2, 2), (2, 2)))
    assert levels(musicnn_vgg((32, 16), filters=2, pools=pools)) == {-1: ("norm_3",), -2: ("norm_2",), -3: ("norm_1",)}


def test_levels_of_a_residual_network_come_after_its_sums() -> None:
    backbone = residual_cnn((16, 8), filters=(3, 4))
    found = levels(backbone)
    assert found[-1] == ("stage1_block0_relu2",) and found[-3] == ("stage0_block0_relu2",)
    assert all("add" not in name and "conv" not in name for names in found.values() for name in names)


def test_layers_side_by_side_have_one_level() -> None:
    inputs = keras.Input((6,))
    left, right = (keras.layers.Dense(2, name=name)(inputs) for name in ("left", "right"))
    deeper = keras.layers.Dense(3, activation="relu", name="deeper")(right)
    model = keras.Model(inputs, keras.layers.Concatenate()([left, deeper]))
    assert levels(model) == {-1: ("left", "deeper"), -2: ("right",)}


def test_features_are_the_layers_outputs_joined_over_time() -> None:
    model = small_classifier()
    names = layer_names(model, ["-1", "mel", "-2"])
    columns = feature_columns(model, names)
    assert list(columns) == names and columns["mel"] == 6
    x = np.random.default_rng(0).uniform(-1, 1, (2, model.description.window)).astype("float32")
    for time in ("max", "mean"):
        found = feature_model(model, names, time=time).predict(x, verbose=0)
        first = 0
        features = model.front_end.predict(x, verbose=0)
        for name, size in columns.items():
            if name == "mel":
                output = keras.Model(model.front_end.input, model.front_end.get_layer(name).output)
                output = output.predict(x, verbose=0)
            else:
                output = keras.Model(model.backbone.input, model.backbone.get_layer(name).output)
                output = output.predict(features, verbose=0)
            # Everything but the batch and the last axis is time, or time and bins.
            joined = getattr(output.reshape(2, -1, output.shape[-1]), time)(axis=1)
            np.testing.assert_allclose(found[:, first : first + size], joined, atol=1e-5)
            first += size
        assert first == found.shape[1]


def test_features_of_one_layer_need_nothing_behind_it() -> None:
    model = tone_classifier()
    found = feature_model(model, ["mel"])
    assert found.output_shape == (None, 16)
    assert found.predict(np.zeros((1, WINDOW), "float32"), verbose=0).shape == (1, 16)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("mell", "A layer must be one of .*'s. Received: 'mell'. Did you mean 'mel'?"),
        ("-99", "A level must be one of .*'s, -1 to -[0-9]+. Received: -99"),
        ("0", "A level must be one of .* Received: 0"),
    ],
)
def test_a_layer_that_does_not_exist_is_named(asked: str, message: str) -> None:
    with pytest.raises(KeraudioError, match=message):
        layer_names(small_classifier(), [asked])


def test_the_last_three_levels_are_asked_for_unless_others_are_or_as_many_as_there_are() -> None:
    three = small_classifier()
    assert last_levels(three) == ["-1", "-2", "-3"]
    assert layer_names(three) == layer_names(three, ["-1", "-2", "-3"])
    assert last_levels(tone_classifier()) == ["-1"]


def test_another_way_over_time_is_refused() -> None:
    with pytest.raises(ValueError, match="`time` must be 'max' or 'mean'. Received: time='sum'"):
        feature_model(small_classifier(), ["mel"], time="sum")
