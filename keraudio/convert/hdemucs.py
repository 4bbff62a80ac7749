"""Hybrid Demucs' released weights as a GAFX-U front end (Défossez 2021).

Files of safetensors hold, beside the weights, the class and the arguments it was made with, as JSON.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keraudio.convert.safetensors_file import read_safetensors
from keraudio.errors import ModelFileError
from keraudio.frontends import gafx_u
from keraudio.layers import LocalAttention
from keraudio.learned_front_end import save_front_end

# Theirs, by ours, of those that may differ between models.
_SIZES = {
    "channels": "channels",
    "growth": "growth",
    "depth": "depth",
    "nfft": "n_fft",
    "kernel_size": "kernel_size",
    "stride": "stride",
    "time_stride": "time_stride",
    "context": "context",
    "norm_starts": "norm_starts",
    "norm_groups": "norm_groups",
    "dconv_depth": "dconv_depth",
    "dconv_comp": "dconv_compress",
    "dconv_lstm": "dconv_starts",
    "freq_emb": "embedding",
}
# What no other value can stand for here.
_FIXED = {
    "audio_channels": 2,
    "channels_time": None,
    "wiener_iters": 0,
    "end_iters": 0,
    "wiener_residual": False,
    "cac": True,
    "rewrite": True,
    "hybrid": True,
    "hybrid_old": False,
    "multi_freqs": None,
    "context_enc": 0,
    "emb_scale": 10,
    "dconv_mode": 1,
}
# Our names of the dense layers within attention, and theirs.
_ATTENTION = {"content": "content", "query": "query", "key": "key", "decay": "query_decay", "projection": "proj"}
_CLASS = "demucs.hdemucs.HDemucs"


def convert_hdemucs(weights: Path, out: Path, *, sample_rate: int = 16000, seconds: float = 30.0) -> keras.Model:
    """Writes a front end file from which `fit` may start (`front_end.start`).

    Args:
        weights: a `.safetensors` file as Demucs publishes them.
        out: the file to write.
        sample_rate: that the front end will be used at, in Hz. Defaults to 16000, the paper's.
        seconds: that it hears at once. Defaults to 30.

    Returns:
        The front end.

    Raises:
        ModelFileError: the file cannot be read, or holds another network.
    """
    state, arguments = _read(weights)
    options = _options(arguments, weights)
    try:
        front_end = gafx_u(sample_rate, samples=round(seconds * sample_rate), **options)
    except ValueError as error:
        raise ModelFileError(f"{weights}: {error}") from error
    set_hdemucs_weights(front_end, state, source=str(weights))
    save_front_end(front_end, sample_rate, out)
    return front_end


def set_hdemucs_weights(model: keras.Model, state: Mapping[str, np.ndarray], *, source: str = "weights") -> None:
    """Gives Hybrid Demucs, or GAFX-U, the weights of a PyTorch state dict.

    Args:
        model: of `hdemucs` or `gafx_u`, of the same sizes.
        state: arrays by PyTorch's names.
        source: what to call them in messages.

    Raises:
        ModelFileError: a weight is missing, left over, or of another shape.
    """
    left = dict(state)
    counts = [
        sum(1 for layer in model.layers if layer.name.startswith(branch) and layer.name.endswith("_rewrite"))
        for branch in ("decoder_", "time_decoder_")
    ]
    # The temporal branch has one layer more, in which it meets the spectral one.
    depths = {"": counts[0], "time_": counts[1] + 1}
    for layer in model.layers:
        for weight, *names in _named(layer, depths):
            shape = tuple(weight.shape)
            if missing := [name for name in names if name not in left]:
                raise ModelFileError(f"{source}: must hold {missing[0]}. Received: no such weight")
            values = [_turned(left.pop(name), name) for name in names]
            value = values[0] if len(values) == 1 else np.stack(values)
            # A kernel along time alone, or of one frame and bin, has fewer axes in one of the two.
            if value.size != weight.numpy().size or [n for n in value.shape if n > 1] != [n for n in shape if n > 1]:
                raise ModelFileError(f"{source}: {names[0]} must give {shape}. Received: {value.shape}")
            weight.assign(value.reshape(shape))
    if left:
        raise ModelFileError(f"{source}: must hold Hybrid Demucs alone. Received: {next(iter(left))} beside it")


def _named(layer: keras.Layer, depths: Mapping[str, int]) -> Iterator[Any]:
    """A layer's weights, each as a tuple with PyTorch's name of it, or the names of both directions."""
    if layer.name == "frequency_embedding":
        yield layer.embedding, "freq_emb.embedding.weight"
        return
    found = re.fullmatch(r"(time_)?(encoder|decoder)_(\d+)_(conv|rewrite|norm_1|norm_2|dconv)", layer.name)
    if found is None:
        return
    branch, half, number, part = found.groups(default="")
    # Decoders are kept from the innermost to the outermost.
    place = int(number) if half == "encoder" else depths[branch] - 1 - int(number)
    name = f"{'t' if branch else ''}{half}.{place}.{part.replace('_', '')}"
    if part == "dconv":
        for index, one in enumerate(layer.branches):
            yield from _of_branch(one, f"{name}.layers.{index}")
    elif part.startswith("norm"):
        yield from zip((layer.gamma, layer.beta), (f"{name}.weight", f"{name}.bias"), strict=True)
    else:
        yield from _of_dense(layer, f"{name}_tr" if (half, part) == ("decoder", "conv") else name)


def _of_dense(layer: keras.Layer, name: str) -> Iterator[Any]:
    yield from zip((layer.kernel, layer.bias), (f"{name}.weight", f"{name}.bias"), strict=True)


def _of_branch(branch: Mapping[str, Any], name: str) -> Iterator[Any]:
    vectors = branch["vectors"]
    yield from _of_dense(branch["conv"], f"{name}.0")
    yield from ((vectors["gamma_1"], f"{name}.1.weight"), (vectors["beta_1"], f"{name}.1.bias"))
    place = 3
    for layer in branch["between"]:
        if isinstance(layer, LocalAttention):
            for part, theirs in _ATTENTION.items():
                yield from _of_dense(getattr(layer, part), f"{name}.{place}.{theirs}")
        else:
            yield from _of_lstm(layer, f"{name}.{place}")
        place += 1
    yield from _of_dense(branch["dense"], f"{name}.{place}")
    yield from ((vectors["gamma_2"], f"{name}.{place + 1}.weight"), (vectors["beta_2"], f"{name}.{place + 1}.bias"))
    yield vectors["scale"], f"{name}.{place + 3}.scale"


def _of_lstm(layer: keras.Layer, name: str) -> Iterator[Any]:
    for number, (bias, recurrent_bias) in enumerate(layer.biases):
        ours = {
            "weight_ih": layer.kernels[number],
            "weight_hh": layer.recurrent_kernels[number],
            "bias_ih": bias,
            "bias_hh": recurrent_bias,
        }
        for theirs, weight in ours.items():
            forwards = f"{name}.lstm.{theirs}_l{number}"
            yield weight, forwards, f"{forwards}_reverse"
    yield layer.dense_kernel, f"{name}.linear.weight"
    yield layer.dense_bias, f"{name}.linear.bias"


def _turned(value: np.ndarray, name: str) -> np.ndarray:
    """In Keras' order: of a kernel time before frequency, and outputs last."""
    return value if name.endswith("embedding.weight") else value.transpose()


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Weights, and the arguments that the network was made with."""
    state, facts = read_safetensors(path, "no weights of Hybrid Demucs")
    try:
        kind, arguments = facts.get("klass"), json.loads(facts.get("kwargs", "{}"))
        sources = arguments.get("sources", next(iter(json.loads(facts.get("args", "[]"))), None))
    except (ValueError, AttributeError) as error:
        raise ModelFileError(f"{path}: no weights of Hybrid Demucs: {error}") from error
    if kind != _CLASS or not isinstance(sources, list):
        raise ModelFileError(f"{path}: must hold {_CLASS} and its sources. Received: {kind}")
    return state, arguments | {"sources": len(sources)}


def _options(arguments: Mapping[str, Any], source: Path) -> dict[str, Any]:
    """What the front end is made with for theirs.

    Raises:
        ModelFileError: the network has parts that are not built here.
    """
    for name, value in _FIXED.items():
        if arguments.get(name, value) != value:
            raise ModelFileError(f"{source}: `{name}` must be {value}. Received: {arguments[name]}")
    if arguments.get("dconv_attn", 4) != arguments.get("dconv_lstm", 4):
        raise ModelFileError(f"{source}: LSTMs and attention must begin in the same layer. Received: {arguments}")
    sizes = {ours: arguments[theirs] for theirs, ours in _SIZES.items() if theirs in arguments}
    return {"sources": arguments["sources"], "sizes": sizes}
