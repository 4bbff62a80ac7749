"""Versions that decide a run's numbers."""

import platform
from importlib import metadata

PACKAGES = ("keraudio", "keras", "tensorflow", "jax", "torch", "keras-hub", "numpy", "librosa", "soundfile", "soxr")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that matter; those that are not installed are left out."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
