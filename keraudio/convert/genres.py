"""The default model: MusiCNN's two networks behind one spectrogram, their tags put together as genres."""

from collections.abc import Sequence

import keras
import numpy as np

from keraudio.classifier import AudioClassifier
from keraudio.convert.musicnn import FRAMES, MSD_TAGS, MTT_TAGS, N_MELS
from keraudio.description import Description

# Genre: the tag of the Million Song Dataset, the tag of MagnaTagATune. One tag each, so that none counts twice.
# MagnaTagATune's "metal" is left out: rare there, it stays near 0.15 on metal (openmusic's train and valid parts).
GENRES: dict[str, tuple[str | None, str | None]] = {
    "Rock": ("rock", "rock"),
    "Classic Rock": ("classic rock", None),
    "Hard Rock": ("hard rock", None),
    "Progressive Rock": ("Progressive rock", None),
    "Alternative": ("alternative", None),
    "Indie": ("indie", None),
    "Punk": ("punk", None),
    "Metal": ("metal", None),
    "Pop": ("pop", "pop"),
    "Soul": ("soul", None),
    "R&B": ("rnb", None),
    "Funk": ("funk", None),
    "Hip-Hop": ("Hip-Hop", None),
    "Electronic": ("electronic", "electronic"),
    "Dance": ("dance", "dance"),
    "House": ("House", None),
    "Techno": (None, "techno"),
    "Ambient": ("ambient", "ambient"),
    "Chillout": ("chillout", None),
    "Experimental": ("experimental", None),
    "New Age": (None, "new age"),
    "Jazz": ("jazz", None),
    "Blues": ("blues", None),
    "Country": ("country", "country"),
    "Folk": ("folk", None),
    "Classical": (None, "classical"),
    "Opera": (None, "opera"),
}
# Moods, eras, voices, instruments and finer styles; words for the same thing are one label.
EXTRAS: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "Alternative Rock": (("alternative rock",), ()),
    "Indie Rock": (("indie rock",), ()),
    "Indie Pop": (("indie pop",), ()),
    "Heavy Metal": (("heavy metal",), ()),
    "Electronica": (("electronica",), ()),
    "Electro": (("electro",), ()),
    "Indian": ((), ("indian",)),
    "Choral": ((), ("choir", "choral")),
    "60s": (("60s",), ()),
    "70s": (("70s",), ()),
    "80s": (("80s",), ()),
    "90s": (("90s",), ()),
    "00s": (("00s",), ()),
    "Oldies": (("oldies",), ()),
    "Beautiful": (("beautiful",), ()),
    "Catchy": (("catchy",), ()),
    "Chill": (("chill",), ()),
    "Easy Listening": (("easy listening",), ()),
    "Happy": (("happy",), ()),
    "Mellow": (("Mellow",), ()),
    "Party": (("party",), ()),
    "Sad": (("sad",), ()),
    "Sexy": (("sexy",), ()),
    "Weird": ((), ("weird",)),
    "Fast": ((), ("fast",)),
    "Slow": ((), ("slow",)),
    "Loud": ((), ("loud",)),
    "Quiet": ((), ("quiet",)),
    "Soft": ((), ("soft",)),
    "Female Vocals": (("female vocalists", "female vocalist"), ("female", "woman", "female vocal", "female voice")),
    "Male Vocals": (("male vocalists",), ("male", "male vocal", "man", "male voice")),
    "Vocals": ((), ("vocal", "singing", "vocals", "voice")),
    "Instrumental": (("instrumental",), ("no vocals", "no vocal", "no voice")),
    "Acoustic": (("acoustic",), ()),
    "Solo": ((), ("solo",)),
    "Beat": ((), ("beat", "beats")),
    "Drums": ((), ("drums",)),
    "Guitar": (("guitar",), ("guitar",)),
    "Piano": ((), ("piano",)),
    "Harpsichord": ((), ("harpsichord",)),
    "Strings": ((), ("strings",)),
    "Violin": ((), ("violin",)),
    "Cello": ((), ("cello",)),
    "Harp": ((), ("harp",)),
    "Sitar": ((), ("sitar",)),
    "Flute": ((), ("flute",)),
    "Synth": ((), ("synth",)),
    # MagnaTagATune's other word for "classical", which players gave less often.
    "Classic": ((), ("classic",)),
}


def build_genres(
    msd: AudioClassifier,
    mtt: AudioClassifier,
    *,
    slope: float = 1.0,
    offset: float = 0.0,
    thresholds: Sequence[float] | None = None,
) -> AudioClassifier:
    """Puts two converted networks together: one spectrogram, both backbones, one linear head.

    A label's logit is the mean of its tags' logits in a network, and the mean of that over the networks that have the
    tag: a geometric mean of odds. As both networks end in a dense layer, the head is one dense layer too. Genres are
    calibrated as `sigmoid(slope * logit + offset)`; the extras stay as the networks have them.

    Args:
        msd: of the Million Song Dataset's 50 tags, as `keraudio.convert.convert_musicnn` makes it.
        mtt: of MagnaTagATune's.
        slope: of the genres' calibration, above 0. Defaults to 1.
        offset: of the genres' calibration. Defaults to 0.
        thresholds: probability from which each genre is believed. Defaults to None, 0.5 for all.

    Returns:
        A classifier with the labels of `GENRES`, then those of `EXTRAS`.
    """
    labels = (*GENRES, *EXTRAS)
    limits = (*([0.5] * len(GENRES) if thresholds is None else thresholds), *[0.5] * len(EXTRAS))
    front_end = keras.models.clone_model(msd.front_end)
    features = keras.Input((FRAMES, N_MELS), name="features")
    branches = [_copied(network.backbone, features, name) for network, name in ((msd, "msd"), (mtt, "mtt"))]
    embedding = keras.layers.Concatenate(name="penultimate")(branches)
    model = AudioClassifier(
        front_end,
        keras.Model(features, embedding, name="musicnn_pair"),
        Description(
            labels=labels,
            extra_labels=tuple(EXTRAS),
            sample_rate=msd.description.sample_rate,
            window=msd.description.window,
            hop=msd.description.hop,
            multi_label=True,
            thresholds=limits,
            temperature=1 / slope,
            name="genres",
        ),
        dropout=0.5,
        name="genres",
    )
    kernel, bias = _head(msd, mtt)
    # The extras' logits are multiplied by what the temperature divides them by.
    scale = np.where(np.arange(len(labels)) < len(GENRES), 1.0, 1 / slope)
    shift = np.where(np.arange(len(labels)) < len(GENRES), offset / slope, 0.0)
    model.get_layer("logits").set_weights([kernel * scale, bias * scale + shift])
    return model


def _copied(backbone: keras.Model, features, prefix: str):
    """The output of a copy of `backbone` upon `features`, its layers named with a prefix, its weights the same."""

    def renamed(layer: keras.layers.Layer) -> keras.layers.Layer:
        return type(layer).from_config({**layer.get_config(), "name": f"{prefix}_{layer.name}"})

    copy = keras.models.clone_model(backbone, input_tensors=features, clone_function=renamed)
    copy.set_weights(backbone.get_weights())
    return copy.output


def _head(msd: AudioClassifier, mtt: AudioClassifier) -> tuple[np.ndarray, np.ndarray]:
    """Kernel `(400, labels)` and bias of the mean logits of each label's tags."""
    found = {label: tuple((tag,) if tag else () for tag in tags) for label, tags in GENRES.items()} | EXTRAS
    kernels, biases = [], []
    for label in (*GENRES, *EXTRAS):
        networks = sum(bool(tags) for tags in found[label])
        rows, bias = [], 0.0
        for network, names, tags in ((msd, MSD_TAGS, found[label][0]), (mtt, MTT_TAGS, found[label][1])):
            weights, biases_of = network.get_layer("logits").get_weights()
            share = np.zeros(len(names))
            share[[names.index(tag) for tag in tags]] = 1 / max(1, len(tags) * networks)
            rows.append(weights @ share)
            bias += float(biases_of @ share)
        kernels.append(np.concatenate(rows))
        biases.append(bias)
    return np.stack(kernels, axis=1), np.asarray(biases)
