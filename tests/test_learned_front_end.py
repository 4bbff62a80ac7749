from pathlib import Path

import keras
import numpy as np
import pytest
from small_classifier import DESCRIPTION, small_classifier

import keraudio
from keraudio.errors import ModelFileError
from keraudio.frontends import strided_conv
from keraudio.learned_front_end import copy_weights, load_front_end, save_front_end

pytestmark = pytest.mark.backends


def front_end(seed: int = 0, filters: int = 4) -> keras.Model:
    keras.utils.set_random_seed(seed)
    return strided_conv(8000, filters=filters, kernel_size=8, strides=4, samples=64)


def test_a_front_end_comes_back_to_the_bit(tmp_path: Path) -> None:
    given = front_end()
    save_front_end(given, 8000, tmp_path / "a.keras")
    found = load_front_end(tmp_path / "a.keras")
    assert found.sample_rate == 8000
    waveforms = np.random.default_rng(0).uniform(-1, 1, (3, 64)).astype("float32")
    np.testing.assert_array_equal(found.front_end.predict(waveforms, verbose=0), given.predict(waveforms, verbose=0))
    assert [path.name for path in tmp_path.iterdir()] == ["a.keras"]


def test_a_classifiers_front_end_can_be_taken_out(tmp_path: Path) -> None:
    model = small_classifier()
    keraudio.save(model, tmp_path / "m.keras")
    found = load_front_end(tmp_path / "m.keras")
    assert found.sample_rate == DESCRIPTION["sample_rate"]
    waveforms = np.random.default_rng(0).uniform(-1, 1, (2, 800)).astype("float32")
    np.testing.assert_array_equal(
        found.front_end.predict(waveforms, verbose=0), model.front_end.predict(waveforms, verbose=0)
    )


def test_a_front_ends_file_is_no_classifier(tmp_path: Path) -> None:
    save_front_end(front_end(), 8000, tmp_path / "a.keras")
    with pytest.raises(ModelFileError, match="must describe its labels"):
        keraudio.load(tmp_path / "a.keras")


def test_files_from_strangers_are_looked_into_first(tmp_path: Path) -> None:
    (tmp_path / "a.keras").write_bytes(b"PK nothing")
    with pytest.raises(ModelFileError, match="not a whole .keras archive"):
        load_front_end(tmp_path / "a.keras")
    inputs = keras.Input((8,))
    evil = keras.Model(inputs, keras.layers.Lambda(lambda x: x, output_shape=(8,))(inputs))
    evil.save(tmp_path / "b.keras")
    with pytest.raises(ModelFileError, match="layers that run foreign code are refused"):
        load_front_end(tmp_path / "b.keras")


def test_weights_of_another_make_are_refused() -> None:
    source, target = front_end(1), front_end(2)
    copy_weights(source, target, name="x")
    for one, other in zip(source.get_weights(), target.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ModelFileError, match=r"x: .* Received: .*of shape \(8, 1, 4\) for \(8, 1, 5\)"):
        copy_weights(source, front_end(filters=5), name="x")
    longer = keras.Model(source.input, keras.layers.Dense(2)(source.output))
    with pytest.raises(ModelFileError, match="Received: 6 weights for 8"):
        copy_weights(source, longer, name="x")
