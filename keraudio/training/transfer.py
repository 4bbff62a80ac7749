"""Transfer learning: features of trained networks, and classifiers of them for other labels.

Lee, Park, Kim & Nam 2018, section 4: every network is slid over a clip, the outputs of some of its levels are
summarized, those of all networks are put side by side, and two fully connected layers tell the labels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import keras
import numpy as np
from keras import layers

from keraudio.backend import prefer_jit, preferred_jit
from keraudio.classifier import AudioClassifier, layer_name, load, predict_rows
from keraudio.description import Description
from keraudio.errors import KeraudioError, ModelFileError
from keraudio.interruption import between_batches
from keraudio.layers import ClipFeatures
from keraudio.pipeline import CachedClips
from keraudio.training.features import feature_columns, feature_model, last_levels, layer_names
from keraudio.training.fit import MODEL_FILE

CLASSIFIERS = ("logistic", "svm", "mlp")
# Strengths of the penalty that are tried on the validation clips.
_STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0)
# Of the paper; dropout is not stated there.
HIDDEN_UNITS, _DROPOUT = 4096, 0.5
_BATCH, _EPOCHS, _PATIENCE, _RATE = 32, 100, 10, 1e-4
_CLIPS_AT_ONCE = 4


@dataclass(frozen=True)
class Extractor:
    """A model from clips to features, and where in them those of each row of the table stand.

    Attributes:
        model: from `(batch, samples)` to `(batch, features)`.
        sample_rate: of the clips, in Hz.
        rows: by name, which columns; the last row has all.
    """

    model: keras.Model
    sample_rate: int
    rows: dict[str, np.ndarray]

    @property
    def samples(self) -> int:
        """Length of a clip."""
        return int(self.model.input_shape[1])


def load_sources(files: Sequence[Path]) -> list[AudioClassifier]:
    """Classifiers from files, named after them, so that two of one kind can stand side by side.

    Raises:
        ModelFileError: a file cannot be read, or holds a model without a front end and a backbone of its own.
    """
    sources = []
    for file in files:
        model = load(file)
        if not isinstance(model, AudioClassifier):
            raise ModelFileError(f"{file}: features need a front end and a backbone. Received: {type(model).__name__}")
        model.name = layer_name(file.parent.name if file.name == MODEL_FILE else file.stem)
        sources.append(model)
    return sources


def clip_samples(sources: Sequence[AudioClassifier], clips: CachedClips, seconds: float) -> int:
    """Samples of each clip that networks hear: the median clip's, at most `seconds`, at least a window."""
    usual = min(int(np.median(clips.lengths)), int(seconds * sources[0].description.sample_rate))
    return max(usual, *[source.description.window for source in sources])


def build_extractor(
    sources: Sequence[AudioClassifier],
    asked: Sequence[str] | None,
    *,
    samples: int,
    time: str = "max",
    over_windows: str = "mean",
) -> Extractor:
    """One model from a clip to the features of several networks.

    Args:
        sources: the networks, of one sample rate and different names.
        asked: layers or levels of each, see `keraudio.training.layer_names`; None: the last three levels.
        samples: length of a clip, at least each network's window.
        time: `"max"` or `"mean"` over a window's frames. Defaults to `"max"`.
        over_windows: `"mean"` or `"max"` over a clip's windows. Defaults to `"mean"`.

    Raises:
        KeraudioError: networks have different sample rates or the same name, a layer does not exist, or a clip is
            shorter than a window.
    """
    rates = {source.description.sample_rate for source in sources}
    if len(rates) != 1:
        raise KeraudioError(f"Networks side by side must have one sample rate. Received: {sorted(rates)}")
    names = [source.name for source in sources]
    if len(set(names)) != len(names):
        raise KeraudioError(f"Networks side by side must have different names. Received: {', '.join(names)}")
    longest = max(source.description.window for source in sources)
    if samples < longest:
        raise KeraudioError(f"A clip must have at least the {longest} samples of a window. Received: {samples}")
    clip = keras.Input((samples,), name="clip")
    parts, rows, width = [], {}, 0
    for source in sources:
        begin = width
        wanted = last_levels(source) if asked is None else asked
        chosen = layer_names(source, wanted)
        columns = feature_columns(source, chosen)
        places = {}
        for one in chosen:
            places[one] = np.arange(width, width + columns[one])
            width += columns[one]
        for one in wanted if len(wanted) > 1 else ():
            rows[f"{source.name} {one}"] = np.concatenate([places[name] for name in layer_names(source, [one])])
        rows[f"{source.name} {', '.join(wanted)}"] = np.arange(begin, width)
        inner = feature_model(source, chosen, time=time, name=f"{source.name}_features")
        inner.trainable = False
        parts.append(ClipFeatures(inner, reduction=over_windows, name=f"of_{source.name}")(clip))
    if len(sources) > 1:
        rows["all"] = np.arange(width)
    features = layers.Concatenate(name="features")(parts) if len(parts) > 1 else parts[0]
    model = keras.Model(clip, features, name="extractor")
    prefer_jit(model)
    return Extractor(model, rates.pop(), rows)


def clip_features(
    extractor: Extractor, clips: CachedClips, *, progress: Callable[[int, int], None] | None = None
) -> np.ndarray:
    """Features `(clips, features)` of the middle of every clip; a short one is followed by silence."""
    samples, found = extractor.samples, []
    for first in range(0, len(clips), _CLIPS_AT_ONCE):
        here = range(first, min(first + _CLIPS_AT_ONCE, len(clips)))
        middles = [clips.read(i, max(0, (int(clips.lengths[i]) - samples) // 2), samples) for i in here]
        found.append(predict_rows(extractor.model, np.stack(middles), size=_CLIPS_AT_ONCE))
        if progress is not None:
            progress(here.stop, len(clips))
    return np.concatenate(found)


@dataclass(frozen=True)
class Head:
    """A trained classifier of features.

    Attributes:
        scores: from features `(clips, features)` to scores `(clips, labels)`: probabilities, or an svm's choice.
        dense: kernels and biases of its dense layers, with ReLU between them; an svm has none.
    """

    scores: Callable[[np.ndarray], np.ndarray]
    dense: tuple[tuple[np.ndarray, np.ndarray], ...] = ()


def fit_head(
    kind: str,
    train: tuple[np.ndarray, np.ndarray],
    valid: tuple[np.ndarray, np.ndarray],
    *,
    multi_label: bool = False,
    seed: int = 0,
    units: int = HIDDEN_UNITS,
) -> Head:
    """Trains a classifier of features, brought to mean 0 and variance 1 over the training clips.

    Args:
        kind: of `CLASSIFIERS`: logistic regression, a support vector machine with a Gaussian kernel (single-label
            only), or the paper's two fully connected layers with dropout, trained with Adam.
        train: features `(clips, features)` and targets `(clips, labels)` to train on.
        valid: the same, on which the penalty (logistic, svm) or the epoch (mlp) is chosen.
        multi_label: a clip may carry several labels. Defaults to False.
        seed: of weights and dropout. Defaults to 0.
        units: of each hidden layer of the mlp. Defaults to the paper's 4,096.

    Raises:
        KeraudioError: an unknown kind, or an svm for several labels a clip.
    """
    check_classifiers([kind], multi_label=multi_label)
    mean, deviation = train[0].mean(axis=0, dtype="float64"), train[0].std(axis=0, dtype="float64")
    # A channel that never sounds in training tells nothing when it does later.
    scale = np.where(deviation > 0, 1 / np.where(deviation > 0, deviation, 1), 0.0)
    makers: dict[str, Callable[..., Head]] = {"logistic": _logistic, "svm": _svm, "mlp": partial(_mlp, units=units)}
    x, x_valid = (train[0] - mean) * scale, (valid[0] - mean) * scale
    head = makers[kind](x, train[1], x_valid, valid[1], multi_label=multi_label, seed=seed)
    dense = head.dense
    if dense:
        kernel, bias = dense[0]
        dense = ((scale[:, None] * kernel, bias - (mean * scale) @ kernel), *dense[1:])
    return Head(lambda rows: head.scores((rows - mean) * scale), dense)


def check_classifiers(kinds: Sequence[str], *, multi_label: bool) -> None:
    """Raises `KeraudioError` unless there are such classifiers, for so many labels a clip."""
    for kind in kinds:
        if kind not in CLASSIFIERS:
            raise KeraudioError(f"A classifier must be one of {', '.join(CLASSIFIERS)}. Received: {kind!r}")
    if "svm" in kinds and multi_label:
        raise KeraudioError("An svm needs clips with one label each. Received: clips with several")


def _logistic(x, y, x_valid, y_valid, *, multi_label: bool, seed: int) -> Head:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    labels = y.shape[1]
    heads: list[tuple[float, Head]] = []
    for strength in _STRENGTHS:
        kernel, bias = np.zeros((x.shape[1], labels)), np.full(labels, -1e3)
        if multi_label:
            for label in range(labels):
                if 0 < y[:, label].sum() < len(y):
                    one = LogisticRegression(C=strength, max_iter=2000).fit(x, y[:, label])
                    kernel[:, label], bias[label] = one.coef_[0], one.intercept_[0]
        else:
            every = LogisticRegression(C=strength, max_iter=2000).fit(x, y.argmax(axis=1))
            if len(every.classes_) == 2:
                # One column of log-odds stands for two labels.
                kernel[:, every.classes_] = np.stack([np.zeros_like(every.coef_[0]), every.coef_[0]], axis=1)
                bias[every.classes_] = [0.0, every.intercept_[0]]
            else:
                kernel[:, every.classes_], bias[every.classes_] = every.coef_.T, every.intercept_
        head = _dense_head(((kernel, bias),), multi_label)
        columns = zip(y_valid.T, head.scores(x_valid).T, strict=True)
        heads.append((float(np.mean([log_loss(a, b, labels=[0, 1]) for a, b in columns])), head))
    return min(heads, key=lambda pair: pair[0])[1]


def _svm(x, y, x_valid, y_valid, *, multi_label: bool, seed: int) -> Head:
    from sklearn.svm import SVC

    machines = [SVC(C=strength).fit(x, y.argmax(axis=1)) for strength in _STRENGTHS]
    best = max(machines, key=lambda machine: machine.score(x_valid, y_valid.argmax(axis=1)))
    return Head(lambda rows: np.eye(y.shape[1])[best.predict(rows)])


def _mlp(x, y, x_valid, y_valid, *, multi_label: bool, seed: int, units: int) -> Head:
    keras.utils.set_random_seed(seed)
    inputs = keras.Input(x.shape[1:])
    hidden = inputs
    for _ in range(2):
        hidden = layers.Dropout(_DROPOUT)(layers.Dense(units, activation="relu")(hidden))
    model = keras.Model(inputs, layers.Dense(y.shape[1])(hidden))
    losses = keras.losses.BinaryCrossentropy if multi_label else keras.losses.CategoricalCrossentropy
    model.compile(keras.optimizers.Adam(_RATE), losses(from_logits=True), jit_compile=preferred_jit())
    stopping = keras.callbacks.EarlyStopping(patience=_PATIENCE, restore_best_weights=True)
    model.fit(
        x,
        y,
        batch_size=_BATCH,
        epochs=_EPOCHS,
        validation_data=(x_valid, y_valid),
        callbacks=[stopping, between_batches()],
        verbose=0,
    )
    dense = tuple(
        (np.asarray(layer.get_weights()[0]), np.asarray(layer.get_weights()[1]))
        for layer in model.layers
        if isinstance(layer, layers.Dense)
    )
    return _dense_head(dense, multi_label)


def _dense_head(dense: tuple[tuple[np.ndarray, np.ndarray], ...], multi_label: bool) -> Head:
    from scipy.special import expit, softmax

    def scores(rows: np.ndarray) -> np.ndarray:
        for kernel, bias in dense[:-1]:
            rows = np.maximum(rows @ kernel + bias, 0)
        logits = np.asarray(rows @ dense[-1][0] + dense[-1][1], dtype="float64")
        return expit(logits) if multi_label else softmax(logits, axis=1)

    return Head(scores, dense)


def end_to_end(
    extractor: Extractor, head: Head, labels: Sequence[str], *, multi_label: bool, name: str = "transferred"
) -> AudioClassifier:
    """Extractor and head as one classifier of whole clips, whose probabilities are the head's scores.

    Args:
        extractor: from which the head's features are.
        head: logistic or mlp.
        labels: of its scores.
        multi_label: a clip may carry several labels.
        name: of the model. Defaults to `"transferred"`.

    Raises:
        KeraudioError: the head has no dense layers.
    """
    if not head.dense:
        raise KeraudioError("An end-to-end model needs a head of dense layers. Received: an svm")
    clip = keras.Input((extractor.samples,), name="clip")
    x = extractor.model(clip)
    for place, (kernel, _) in enumerate(head.dense[:-1], 1):
        x = layers.Dense(kernel.shape[1], activation="relu", name=f"hidden_{place}")(x)
        x = layers.Dropout(_DROPOUT, name=f"hidden_{place}_dropout")(x)
    waveform = keras.Input((extractor.samples,), name="waveform")
    model = AudioClassifier(
        keras.Model(waveform, layers.Identity(name="as_it_is")(waveform), name="clip"),
        keras.Model(clip, x, name="transferred_features"),
        Description(
            labels=tuple(labels),
            sample_rate=extractor.sample_rate,
            window=extractor.samples,
            hop=extractor.samples,
            multi_label=multi_label,
            name=name,
        ),
        name=layer_name(name),
    )
    for place, weights in enumerate(head.dense[:-1], 1):
        model.backbone.get_layer(f"hidden_{place}").set_weights(list(weights))
    model.get_layer("logits").set_weights(list(head.dense[-1]))
    return model
