"""Exported models give what the Keras model gives, in runtimes that know no FFT."""

import keras
import numpy as np
import pytest
from layer_checks import array
from small_classifier import small_classifier, waveforms
from tones import run_python

from keraudio.backbones import residual_cnn
from keraudio.classifier import AudioClassifier
from keraudio.frontends import FRONT_ENDS, adaptive_stft, cqt, leaf, mfcc
from keraudio.layers import kernel_path

# Of probabilities in [0, 1]: sums of n_fft float32 products in another order than the FFT's.
TOLERANCE = 1e-4


def run_onnx(path, x: np.ndarray) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def learned(front_end: keras.Model) -> keras.Model:
    """The front end with weights that are not those of the start."""
    random = np.random.default_rng(0)
    for weight in front_end.trainable_weights:
        weight.assign(array(weight.value) + 0.01 * random.standard_normal(weight.shape))
    return front_end


@pytest.mark.backends
def test_a_classifier_gives_the_same_probabilities_in_onnx(tmp_path, backend) -> None:
    if backend == "jax":
        # Keras' converter from JAX needs a package of its own; a `.keras` file opens on TensorFlow or torch for that.
        with kernel_path():
            assert "fft" not in lowered(small_classifier(), waveforms())
        return
    model = small_classifier()
    expected = array(model(waveforms()))
    model.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    for waveform, probabilities in zip(waveforms(), expected, strict=True):
        np.testing.assert_allclose(run_onnx(tmp_path / "model.onnx", waveform[None])[0], probabilities, atol=TOLERANCE)


@pytest.mark.backends
@pytest.mark.parametrize(
    "build",
    [
        lambda: learned(adaptive_stft(4000, n_fft=64, hop_length=32, n_mels=6, transforms=2)),
        lambda: learned(adaptive_stft(4000, n_fft=64, hop_length=32, n_mels=6, kernels="low_rank", rank=2)),
        lambda: mfcc(4000, n_fft=64, hop_length=32, n_mels=12, n_mfcc=6),
        lambda: learned(leaf(4000, filters=5, kernel_size=33)),
        lambda: cqt(4000, hop_length=64, n_bins=24),
    ],
    ids=["free", "low_rank", "mfcc", "leaf", "cqt"],
)
def test_other_front_ends_do_so_too(build, tmp_path, backend) -> None:
    front_end = build()
    description = {"labels": ["a", "b"], "sample_rate": 4000, "window": 800, "hop": 400}
    model = AudioClassifier(front_end, residual_cnn(front_end.output_shape[1:], filters=(3,)), description)
    if backend == "jax":
        with kernel_path():
            assert "fft" not in lowered(model, waveforms())
        return
    expected = array(model(waveforms()))
    model.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    np.testing.assert_allclose(run_onnx(tmp_path / "model.onnx", waveforms()[:1]), expected[:1], atol=TOLERANCE)


LITERT = """
import sys
import keras, numpy as np, tensorflow as tf
from small_classifier import small_classifier, waveforms

model = small_classifier()
model.export(sys.argv[1], format="litert", verbose=False)
interpreter = tf.lite.Interpreter(sys.argv[1])
interpreter.allocate_tensors()
for waveform, expected in zip(waveforms(), keras.ops.convert_to_numpy(model(waveforms()))):
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], waveform[None])
    interpreter.invoke()
    actual = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
    np.testing.assert_allclose(actual, expected, atol=float(sys.argv[2]))
print("all", len(waveforms()), "agree")
"""


def test_a_classifier_gives_the_same_probabilities_in_litert_whose_converter_is_tensorflows(tmp_path) -> None:
    done = run_python(LITERT, tmp_path / "model.tflite", TOLERANCE, backend="tensorflow")
    assert done.stdout.split()[-3:] == ["all", "4", "agree"], done.stdout + done.stderr


GRAPHS = """
import jax, keras
from keraudio.frontends import log_mel
from keraudio.layers import ISTFT, STFT, kernel_path
from small_classifier import waveforms


def has_fft(model):
    def pure(tensor):
        with keras.StatelessScope():
            return model(tensor)

    return "fft" in jax.jit(pure).lower(waveforms()).as_text()


for model in (
    keras.Sequential([keras.Input((800,)), STFT(64, 16, power=None), ISTFT(16)]),
    log_mel(4000, n_fft=64, hop_length=16, n_mels=8),
):
    found = [has_fft(model)]
    try:
        with kernel_path():
            found.append(has_fft(model))
            raise RuntimeError
    except RuntimeError:
        found.append(has_fft(model))
    print(found)
"""


def test_only_inside_the_kernel_path_a_graph_has_no_fft_also_after_an_error_there() -> None:
    # JAX shows what it is about to compile.
    done = run_python(GRAPHS, backend="jax")
    assert done.stdout.splitlines() == 2 * ["[True, False, True]"], done.stdout + done.stderr


def lowered(function, x: np.ndarray) -> str:
    import jax

    def pure(tensor):
        with keras.StatelessScope():
            return function(tensor)

    return jax.jit(pure).lower(x).as_text()


@pytest.mark.backends
def test_front_ends_give_the_same_on_the_kernel_path() -> None:
    x = waveforms()
    for name in ("log_mel", "mfcc", "adaptive_stft"):
        front_end = FRONT_ENDS[name](4000, n_fft=64, hop_length=16, n_mels=20)
        expected = array(front_end(x))
        with kernel_path():
            actual = array(front_end(x))
        # Decibels of silence and of 1e-10 are not a share of the peak: 1e-4 of the range of 80 dB.
        np.testing.assert_allclose(actual, expected, atol=1e-4 * np.abs(expected).max(), err_msg=name)
