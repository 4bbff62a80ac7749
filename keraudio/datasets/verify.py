"""Whether every clip of a manifest can be heard: decodes them all, measures them, and finds copies."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keraudio.datasets.manifest import Clip, Manifest
from keraudio.errors import AudioError


@dataclass(frozen=True, slots=True)
class Verdict:
    """What decoding one clip showed.

    Args:
        id: the clip's id.
        path: its file.
        ok: whether it decodes; a copy of another clip is `ok`.
        reason: why not, in one line; "" when `ok`.
        duration: seconds decoded; `None` when not `ok`.
        peak: largest absolute sample, 0 to 1 (1 also for what was beyond); `None` when not `ok`.
        duplicate_of: the id of the first clip whose file has the same bytes, or `None`.
    """

    id: str
    path: Path
    ok: bool
    reason: str
    duration: float | None
    peak: float | None
    duplicate_of: str | None


@dataclass(frozen=True, slots=True)
class Summary:
    """The verdicts of a manifest in figures.

    Args:
        clips: how many were looked at.
        failed: ids of those that do not decode.
        silent: ids of those that decode to zeros only.
        duplicates: (id, id of the first clip with the same bytes).
        duration: seconds that decoded, in all.
    """

    clips: int
    failed: tuple[str, ...]
    silent: tuple[str, ...]
    duplicates: tuple[tuple[str, str], ...]
    duration: float


def verify(manifest: Manifest, *, sample_rate: int | None = None) -> Iterator[Verdict]:
    """Decodes every clip, in order, one at a time.

    Args:
        manifest: the clips.
        sample_rate: Hz to decode at, as training will; `None` for each file's own.

    Yields:
        One verdict a clip. A file that cannot be decoded is a verdict, never an exception.
    """
    first: dict[bytes, str] = {}
    for clip in manifest.clips:
        yield _judge(clip, first, sample_rate)


def summary(verdicts: Iterable[Verdict]) -> Summary:
    """Counts verdicts up.

    Args:
        verdicts: what `verify` yielded.

    Returns:
        Figures and the ids behind them, in the order of the verdicts.
    """
    seen = list(verdicts)
    return Summary(
        clips=len(seen),
        failed=tuple(verdict.id for verdict in seen if not verdict.ok),
        silent=tuple(verdict.id for verdict in seen if verdict.peak == 0),
        duplicates=tuple((verdict.id, verdict.duplicate_of) for verdict in seen if verdict.duplicate_of is not None),
        duration=sum(verdict.duration or 0.0 for verdict in seen),
    )


def _judge(clip: Clip, first: dict[bytes, str], sample_rate: int | None) -> Verdict:
    from keraudio.audio import load_audio, probe

    duplicate_of: str | None = None
    try:
        with clip.path.open("rb") as file:
            digest = hashlib.file_digest(file, "blake2b").digest()
        earlier = first.setdefault(digest, clip.id)
        duplicate_of = None if earlier == clip.id else earlier
        rate = probe(clip.path).sample_rate if sample_rate is None else sample_rate
        waveform = load_audio(clip.path, sample_rate=rate)
    except OSError as error:
        reason = f"{clip.path}: {error.strerror or error}"
        return Verdict(clip.id, clip.path, False, reason, None, None, duplicate_of)
    except AudioError as error:
        return Verdict(clip.id, clip.path, False, str(error), None, None, duplicate_of)
    peak = float(np.max(np.abs(waveform), initial=0.0))
    return Verdict(clip.id, clip.path, True, "", waveform.size / rate, peak, duplicate_of)
