"""`keraudio doctor`."""

import importlib.util
import json
import platform
import sys
from typing import Any

import click

from keraudio.backend import BACKENDS, devices, installed_backends
from keraudio.cli.options import backend_option
from keraudio.cli.start import start_keras
from keraudio.errors import KeraudioError

# What each extra is for, and the module that shows it is there.
EXTRAS = {
    "app": ("PySide6", "the desktop app"),
    "tensorflow": ("tensorflow", "TensorFlow backend and tf.data"),
    "jax": ("jax", "JAX backend"),
    "torch": ("torch", "PyTorch backend"),
    "hub": ("keras_hub", "ResNet backbones"),
    "m4a": ("av", "decoding of m4a, mp4 and aac"),
    "plots": ("matplotlib", "pictures of runs"),
    "search": ("optuna", "searching of settings"),
    "tagging": ("mutagen", "reading and writing of songs' tags"),
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@backend_option
def doctor(as_json: bool) -> int:
    """Show versions, backends, devices and decoders, and the command that adds what is missing."""
    findings = _examine()
    click.echo(json.dumps(findings, indent=1) if as_json else _text(findings))
    return 0 if findings["healthy"] else 1


def _examine() -> dict[str, Any]:
    from keraudio.versions import versions

    findings: dict[str, Any] = {
        "schema": 1,
        "versions": versions(),
        "platform": platform.platform(),
        "backends": {name: name in installed_backends() for name in BACKENDS},
        "backend": None,
        "devices": [],
        "feed": None,
        "cache": None,
        "decoders": _decoders(),
        "missing": [
            {"extra": extra, "for": purpose, "command": f"{sys.executable} -m pip install 'keraudio[{extra}]'"}
            for extra, (module, purpose) in EXTRAS.items()
            if importlib.util.find_spec(module) is None
        ],
        "models": {},
        "problems": [],
    }
    if not installed_backends():
        findings["problems"].append("no backend is installed: pip install 'keraudio[tensorflow]'")
    else:
        try:
            start_keras()
            import keras

            from keraudio.pipeline import default_cache_folder, feed_kind

            findings["backend"] = keras.backend.backend()
            findings["devices"] = devices()
            findings["feed"] = feed_kind()
            findings["cache"] = str(default_cache_folder())
        except KeraudioError as error:
            findings["problems"].append(str(error))
        except Exception as error:
            findings["problems"].append(f"Keras does not start: {type(error).__name__}: {error}")
    findings["models"] = _models(findings["problems"])
    findings["healthy"] = not findings["problems"]
    return findings


def _decoders() -> dict[str, bool]:
    import soundfile

    formats = set(soundfile.available_formats())
    found = {name: name.upper() in formats for name in ("wav", "flac", "ogg", "aiff", "mp3")}
    found["opus"] = "OPUS" in soundfile.available_subtypes("OGG")
    return found | {"m4a": importlib.util.find_spec("av") is not None}


def _models(problems: list[str]) -> dict[str, str]:
    from keraudio.errors import ModelFileError
    from keraudio.model_file import check_model_file
    from keraudio.saved_models import DEFAULT_MODEL, saved_models

    found = {}
    for name, path in saved_models().items():
        try:
            check_model_file(path)
            found[name] = str(path)
        except ModelFileError as error:
            problems.append(str(error))
    if DEFAULT_MODEL not in found:
        problems.append(f"the default model {DEFAULT_MODEL} is missing: install keraudio again")
    return found


def _text(findings: dict[str, Any]) -> str:
    lines = [f"{name} {version}" for name, version in findings["versions"].items()]
    lines.append(findings["platform"])
    backends = [f"{name} {'yes' if found else 'no'}" for name, found in findings["backends"].items()]
    lines.append(f"backends installed: {', '.join(backends)}")
    if findings["backend"]:
        lines.append(f"backend in use: {findings['backend']} on {', '.join(findings['devices']) or 'no device'}")
        lines.append(f"batches fed by: {findings['feed']}; decoded clips in: {findings['cache']}")
    decoders = [f"{name} {'yes' if found else 'no'}" for name, found in findings["decoders"].items()]
    lines.append(f"decoders: {', '.join(decoders)}")
    lines.append(f"models: {', '.join(findings['models']) or 'none'}")
    lines += [f"missing: {item['for']}: {item['command']}" for item in findings["missing"]]
    lines += [f"PROBLEM: {problem}" for problem in findings["problems"]]
    lines.append("all well" if findings["healthy"] else "not all is well")
    return "\n".join(lines)
