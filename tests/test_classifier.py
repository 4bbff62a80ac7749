import json
import stat
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from layer_checks import array
from small_classifier import DESCRIPTION, small_classifier, waveforms
from tones import run_python

import keraudio
from keraudio import AudioClassifier, Description, ModelFileError, describe, load, save
from keraudio.backbones import residual_cnn
from keraudio.classifier import logits_model
from keraudio.frontends import log_mel
from keraudio.layers import RandomGain, RandomNoise, SpecAugment

pytestmark = pytest.mark.backends

PREDICT = """
import sys, numpy, {imports}
from small_classifier import waveforms
model = {load}(sys.argv[1])
numpy.save(sys.argv[2], model.predict(waveforms(), verbose=0))
"""


def predict(model: keras.Model) -> np.ndarray:
    return model.predict(waveforms(), verbose=0)


def augmented() -> AudioClassifier:
    return small_classifier(
        dropout=0.2,
        waveform_augmentation=[RandomNoise(0.1, 0.5), RandomGain(probability=0.5)],
        feature_augmentation=[SpecAugment(time_width=0.5)],
    )


def test_probabilities_come_from_any_length_and_examples_are_independent() -> None:
    model = small_classifier()
    y = predict(model)
    assert y.shape == (4, 3)
    assert y.dtype == np.float32
    assert ((y > 0) & (y < 1)).all()
    assert np.ptp(y, axis=0).max() > 1e-3
    for samples in (1, 5000):
        assert model.predict(np.ones((1, samples), "float32"), verbose=0).shape == (1, 3)
    # Convolutions of another batch size add up in another order.
    np.testing.assert_allclose(model.predict(waveforms()[1:2], verbose=0), y[1:2], atol=1e-6)


def test_augmentation_and_dropout_rest_at_inference_and_work_in_training() -> None:
    model = augmented()
    np.testing.assert_allclose(predict(model), predict(small_classifier()), atol=1e-6)
    first, second = (array(model(waveforms(), training=True)) for _ in range(2))
    assert (first != second).any()


def test_logits_are_what_the_head_turns_into_probabilities() -> None:
    model = small_classifier()
    logits = logits_model(model).predict(waveforms(), verbose=0)
    np.testing.assert_allclose(1 / (1 + np.exp(-logits.astype("float64") / 1.5)), predict(model), atol=1e-6)


@pytest.mark.parametrize("build", [small_classifier, augmented])
def test_a_saved_and_reloaded_model_gives_the_same_bits_and_saves_again(build, tmp_path) -> None:
    model = build()
    expected = predict(model)
    for number in range(3):
        path = tmp_path / f"{number}.keras"
        save(model, path)
        model = load(path)
        np.testing.assert_array_equal(predict(model), expected)
        assert isinstance(model, AudioClassifier)
        assert describe(model) == model.description == Description(**DESCRIPTION)
    assert [type(layer) for layer in model.waveform_augmentation] == [type(a) for a in build().waveform_augmentation]
    assert model.dropout == build().dropout


def test_a_frozen_backbone_is_still_frozen_after_reloading(tmp_path) -> None:
    model = small_classifier()
    model.backbone.trainable = False
    save(model, tmp_path / "m.keras")
    assert [w.path for w in load(tmp_path / "m.keras").trainable_weights] == ["logits/kernel", "logits/bias"]
    model.trainable = False
    save(model, tmp_path / "m.keras")
    assert load(tmp_path / "m.keras").trainable_weights == []


def rebuilt(model: keras.Model) -> keras.Model:
    """The same graph as a plain functional model."""
    return keras.Model(model.input, model.output)


def nested(model: keras.Model) -> keras.Model:
    """The classifier as a layer of another model."""
    x = keras.Input((None,))
    return keras.Model(x, model(x))


@pytest.mark.parametrize("rebuild", [rebuilt, nested, keras.models.clone_model])
def test_the_description_survives_being_built_into_another_functional_model(rebuild, tmp_path) -> None:
    other = rebuild(small_classifier())
    expected = predict(other)
    assert describe(other) == Description(**DESCRIPTION)
    save(other, tmp_path / "other.keras")
    again = load(tmp_path / "other.keras")
    assert describe(again) == Description(**DESCRIPTION)
    np.testing.assert_array_equal(predict(again), expected)


def test_a_model_of_mixed_precision_comes_back_with_the_same_policies_and_bits(tmp_path) -> None:
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = augmented()
    finally:
        keras.config.set_dtype_policy(policy)
    expected = predict(model)
    assert expected.dtype == np.float32
    # bfloat16 keeps 8 bits.
    np.testing.assert_allclose(expected, predict(augmented()), atol=0.05)
    assert (expected != predict(augmented())).any()
    save(model, tmp_path / "mixed.keras")
    again = load(tmp_path / "mixed.keras")
    assert again.backbone.get_layer("stem").compute_dtype == "bfloat16"
    assert again.get_layer("logits").compute_dtype == "float32"
    np.testing.assert_array_equal(predict(again), expected)


def test_a_fresh_process_that_imports_keraudio_loads_the_file_with_keras_alone(backend, tmp_path) -> None:
    model = small_classifier()
    save(model, tmp_path / "m.keras")
    code = PREDICT.format(imports="keraudio, keras", load="keras.saving.load_model")
    done = run_python(code, tmp_path / "m.keras", tmp_path / "y.npy", backend=backend)
    assert done.returncode == 0, done.stderr
    # Threads of another process may share the work in another way.
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), predict(model), atol=1e-6)


def test_another_backend_that_imports_keras_first_gives_the_same_probabilities(backend, tmp_path) -> None:
    model = small_classifier()
    save(model, tmp_path / "m.keras")
    other = {"tensorflow": "jax", "jax": "torch", "torch": "tensorflow"}[backend]
    code = PREDICT.format(imports="keras, keraudio", load="keras.saving.load_model")
    done = run_python(code, tmp_path / "m.keras", tmp_path / "y.npy", backend=other)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), predict(model), atol=1e-4)


def test_saving_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch) -> None:
    path = tmp_path / "m.keras"
    model = small_classifier()
    save(model, path)
    before = path.read_bytes()

    def torn(self, filepath, **options):
        Path(filepath).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(keras.Model, "save", torn)
    with pytest.raises(KeyboardInterrupt):
        save(model, path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.keras"]


def test_a_saved_file_has_the_permissions_of_any_new_file(tmp_path) -> None:
    save(small_classifier(), tmp_path / "m.keras")
    (tmp_path / "plain").write_bytes(b"")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("m.keras", "plain")}
    assert len(modes) == 1


def test_optimizer_and_loss_stay_out_of_the_file_and_in_the_model(tmp_path) -> None:
    def own_loss(y_true, y_pred):
        return keras.ops.mean(keras.ops.square(y_true - y_pred))

    model = small_classifier()
    save(model, tmp_path / "before.keras")
    model.compile("adam", loss=own_loss, jit_compile=False)
    target = np.zeros((4, 3), "float32")
    first = model.train_on_batch(waveforms(), target)
    save(model, tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        assert b"optimizer" not in archive.read("model.weights.h5")
        assert b"own_loss" not in archive.read("config.json")
    # The functions compiled for training sum in another order than those of the loaded model.
    np.testing.assert_allclose(predict(load(tmp_path / "m.keras")), predict(model), atol=1e-6)
    assert model.compiled
    assert int(array(model.optimizer.iterations)) == 1
    assert model.train_on_batch(waveforms(), target) < first


@pytest.mark.parametrize("name", ["m.h5", "m", "m.keras.zip"])
def test_a_name_that_does_not_end_in_keras_is_refused(name, tmp_path) -> None:
    with pytest.raises(ModelFileError, match=r"A model file must end in .keras. Received: .*"):
        save(small_classifier(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_model_without_a_description_is_not_saved(tmp_path) -> None:
    x = keras.Input((4,))
    with pytest.raises(ModelFileError, match="must carry a description of its labels. Received: 'bare' without one"):
        save(keras.Model(x, keras.layers.Dense(2)(x), name="bare"), tmp_path / "m.keras")
    assert list(tmp_path.iterdir()) == []


def test_a_backbone_that_does_not_fit_the_front_end_is_refused() -> None:
    with pytest.raises(ValueError, match=r"gives \(None, 6\), backbone 'residual_cnn' takes \(None, 7\)"):
        AudioClassifier(log_mel(4000, n_fft=64, n_mels=6), residual_cnn((None, 7), filters=(2,)), DESCRIPTION)
    with pytest.raises(ValueError, match="The backbone must take what the front end gives"):
        AudioClassifier(log_mel(4000, n_fft=64, n_mels=6), residual_cnn((None, 6, 1), filters=(2,)), DESCRIPTION)


def test_the_config_is_plain_json() -> None:
    model = augmented()
    text = json.dumps(model.get_config(), sort_keys=True)
    again = AudioClassifier.from_config(json.loads(text))
    assert json.dumps(again.get_config(), sort_keys=True) == text
    assert [tuple(w.shape) for w in again.weights] == [tuple(w.shape) for w in model.weights]


def test_the_package_gives_all_of_it() -> None:
    assert keraudio.AudioClassifier is AudioClassifier
    assert keraudio.load is load
    assert keraudio.describe is describe


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("esc50_baseline", "esc50_baseline"),
        ("my run, 2", "my_run__2"),
        ("Größe", "Gr__e"),
        ("", "model"),
        ("-a", "model-a"),
    ],
)
def test_any_text_becomes_a_name_that_layers_may_have(text: str, name: str) -> None:
    import keras

    from keraudio.classifier import layer_name

    assert layer_name(text) == name
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(1, name=name)(inputs), name=name)
    assert model.predict(np.zeros((1, 2)), verbose=0).shape == (1, 1)
