"""A classifier of a few hundred weights, for tests of what becomes of it."""

from typing import Any

import numpy as np

DESCRIPTION = {
    "labels": ["cat", "dog", "owl"],
    "sample_rate": 4000,
    "window": 800,
    "hop": 400,
    "multi_label": True,
    "aggregate": "max",
    "thresholds": [0.4, 0.5, 0.6],
    "temperature": 1.5,
    "name": "pets",
}


def small_classifier(**options: Any) -> Any:
    """An `AudioClassifier` with the same weights every time."""
    import keras

    from keraudio import AudioClassifier
    from keraudio.backbones import residual_cnn
    from keraudio.frontends import log_mel

    front_end = log_mel(4000, n_fft=64, hop_length=32, n_mels=6)
    backbone = residual_cnn(front_end.output_shape[1:], filters=(3, 4))
    model = AudioClassifier(front_end, backbone, DESCRIPTION, **options)
    random = np.random.default_rng(0)
    for weight in model.weights:
        if "filters" not in weight.path:
            # Positive, for variances; near one, so that nothing explodes.
            weight.assign(random.uniform(0.5, 1.5, weight.shape).astype("float32"))
    for layer in model.backbone.layers:
        if isinstance(layer, keras.layers.Conv2D):
            layer.kernel.assign(random.normal(0, 0.3, layer.kernel.shape).astype("float32"))
    kernel = model.get_layer("logits").kernel
    kernel.assign(random.normal(0, 0.1, kernel.shape).astype("float32"))
    return model


def waveforms() -> np.ndarray:
    """Four clips of one window, of different loudness."""
    noise = np.random.default_rng(1).uniform(-1, 1, (4, 800))
    return (noise * [[1.0], [0.1], [0.01], [0.0]]).astype("float32")
