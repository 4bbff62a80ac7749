"""Decoded clips on disk: mono, resampled, int16, one `.npy` file a clip."""

import hashlib
import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs

from keraudio.audio import load_audio
from keraudio.datasets import Clip, Manifest
from keraudio.errors import AudioError, DatasetError
from keraudio.whole_file import whole_file

# Part of every key: raise it when decoding, downmixing, resampling or the file format changes.
CACHE_VERSION = 1
# Bytes before the samples in a `.npy` file of one dimension.
_HEADER = 128


def default_cache_folder() -> Path:
    """Where decoded clips go: `KERAUDIO_CACHE`, or the platform's folder for caches."""
    return Path(os.environ.get("KERAUDIO_CACHE") or platformdirs.user_cache_dir("keraudio", appauthor=False))


@dataclass(frozen=True)
class CachedClips:
    """A manifest whose clips have been decoded.

    Attributes:
        manifest: the clips that could be decoded.
        files: their cache files, in the same order.
        lengths: their lengths in samples, int64 `(clips,)`.
        failures: the clips that could not, each with its reason.
        delays: samples of silence before each clip's sound, which its length counts, int64 `(clips,)`. Defaults to 0.
    """

    manifest: Manifest
    files: tuple[Path, ...]
    lengths: np.ndarray
    failures: tuple[tuple[Clip, str], ...] = ()
    delays: np.ndarray = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.delays is None:
            object.__setattr__(self, "delays", np.zeros(len(self.files), dtype="int64"))

    def __len__(self) -> int:
        return len(self.files)

    def read(self, index: int, start: int, samples: int) -> np.ndarray:
        """`samples` samples of a clip from `start` on, float32 in [-1, 1], zeros beyond its end."""
        # Opened for each read: a map kept open holds a file descriptor, and a data set has more clips than those.
        delay = int(self.delays[index])
        first = max(0, start - delay)
        silence = min(samples, max(0, delay - start))
        count = max(0, min(samples - silence, int(self.lengths[index]) - delay - first))
        stretch = np.fromfile(self.files[index], "<i2", count=count, offset=_HEADER + 2 * first)
        waveform = np.zeros(samples, dtype="float32")
        sound = waveform[silence : silence + len(stretch)]
        np.multiply(stretch, np.float32(1 / 32767), out=sound, casting="unsafe")
        return waveform

    def split(self, name: str) -> "CachedClips":
        """The clips of one split.

        Raises:
            DatasetError: it has none.
        """
        manifest = self.manifest.split(name)
        kept = {clip.id for clip in manifest.clips}
        rows = [row for row, clip in enumerate(self.manifest.clips) if clip.id in kept]
        files = tuple(self.files[row] for row in rows)
        return CachedClips(manifest, files, self.lengths[rows], delays=self.delays[rows])


def cache_clips(
    manifest: Manifest,
    *,
    sample_rate: int,
    folder: Path | None = None,
    jobs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CachedClips:
    """Decodes every clip once and keeps it for later runs.

    A file's key is the hash of its content and of the settings, so an edited clip is decoded anew and a moved one is
    not. Each is written beside its place and then renamed: a kill leaves no half-written clip, and two runs at once at
    most do the same work twice.

    Args:
        manifest: the clips.
        sample_rate: of the cached waveforms, in Hz.
        folder: of the cache. Defaults to `default_cache_folder()`.
        jobs: threads that decode. Defaults to the number of processors.
        progress: called with (clips done, clips in all).

    Returns:
        The decoded clips; those that cannot be decoded are in `failures`, with their reason.

    Raises:
        DatasetError: not one clip can be decoded.
    """
    folder = default_cache_folder() if folder is None else folder
    folder.mkdir(parents=True, exist_ok=True)
    results: dict[str, tuple[Path, int] | str] = {}
    with ThreadPoolExecutor(jobs or os.cpu_count()) as pool:
        pending = {pool.submit(_cached, clip.path, sample_rate, folder): clip for clip in manifest.clips}
        try:
            for done, future in enumerate(as_completed(pending), start=1):
                results[pending[future].id] = future.result()
                if progress is not None:
                    progress(done, len(pending))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    good = [clip for clip in manifest.clips if not isinstance(results[clip.id], str)]
    failures = tuple((clip, reason) for clip in manifest.clips if isinstance(reason := results[clip.id], str))
    if not good:
        first = f"; the first: {failures[0][1]}" if failures else ""
        raise DatasetError(f"A data set must have clips that decode. Received: {len(failures)} that do not{first}")
    found: Sequence[tuple[Path, int]] = [result for clip in good if isinstance(result := results[clip.id], tuple)]
    lengths = np.array([length for _, length in found], dtype="int64")
    return CachedClips(manifest.replace(tuple(good)), tuple(file for file, _ in found), lengths, failures)


def _cached(path: Path, sample_rate: int, folder: Path) -> tuple[Path, int] | str:
    """The cache file of one clip and its length in samples, or why it cannot be decoded."""
    try:
        key = _key(path, sample_rate)
        file = folder / key[:2] / f"{key}.npy"
        if length := whole_length(file):
            return file, length
        waveform = load_audio(path, sample_rate=sample_rate)
    except AudioError as error:
        return str(error)
    except OSError as error:
        return f"{path}: {error.strerror or error}"
    write_samples(file, waveform)
    return file, len(waveform)


def _key(path: Path, sample_rate: int) -> str:
    digest = hashlib.blake2b(f"{CACHE_VERSION} {sample_rate}\n".encode(), digest_size=20)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def whole_length(file: Path) -> int:
    """Samples in a cache file; 0 where there is none, or one damaged since (a full disk, a copied cache)."""
    try:
        with open(file, "rb") as source:
            samples = max(0, os.fstat(source.fileno()).st_size - _HEADER) // 2
            expected = io.BytesIO()
            np.lib.format.write_array_header_1_0(
                expected, {"descr": "<i2", "fortran_order": False, "shape": (samples,)}
            )
            return samples if source.read(_HEADER) == expected.getvalue() else 0
    except OSError:
        return 0


def write_samples(file: Path, waveform: np.ndarray) -> None:
    """Writes a waveform in [-1, 1] as a cache file, which is either whole or not there."""
    samples = np.rint(np.clip(waveform, -1, 1) * 32767).astype("<i2")
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as temporary, temporary.open("wb") as target:
        np.save(target, samples, allow_pickle=False)
