"""GTZAN: 1,000 excerpts of 30 s, 10 genres, 100 each (Tzanetakis and Cook 2002), with its usual splits."""

import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from keraudio.datasets.allocation import allocate
from keraudio.datasets.manifest import SPLITS, Clip, Manifest
from keraudio.datasets.splits import kfold
from keraudio.errors import AudioError, DatasetError
from keraudio.nearest import did_you_mean

logger = logging.getLogger(__name__)

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
"""GTZAN's labels, in their usual order."""

_PROTOCOLS = ("filtered", "stratified", "kfold")
_FOLDERS = ("genres_original", "genres", "Data/genres_original", ".")
# Not bytes of sound in the copies that circulate since 2020 (Kaggle, Hugging Face); in the original tar it plays.
_KNOWN_CORRUPT = "jazz.00054"


def load_gtzan(
    path: Path | str, *, split: str = "filtered", valid_fraction: float = 0.1, folds: int = 10, seed: int = 0
) -> Manifest:
    """GTZAN: folders of genres with `GENRE.NNNNN.wav` or the like, in `genres_original/`, `genres/` or right here.

    `jazz.00054`, corrupt in the copies that circulate, is left out with a warning when it cannot be read.

    Args:
        path: the data set's folder.
        split: `"filtered"`: the fault-filtered 443/197/290 clips of the published lists, which ship with keraudio;
            listed files that are missing are counted in a warning. `"stratified"`: all clips, 80 % of each genre for
            train and 20 % for test, drawn with `seed`; valid is then carved out of train, so that the test part does
            not depend on it. `"kfold"`: all clips in stratified folds 1 to `folds`, without splits.
        valid_fraction: for `"stratified"`: the share of all clips that becomes valid, 0 (none, as in papers that
            report 80/20) to 0.7. Defaults to 0.1, hence 70/10/20.
        folds: for `"kfold"`. Defaults to 10.
        seed: for `"stratified"` and `"kfold"`.

    Returns:
        A single-label manifest with the ten genres as labels; a clip's id is its name without the ending.

    Raises:
        DatasetError: an unknown split, no GTZAN files, or the same clip twice.
    """
    if split not in _PROTOCOLS:
        raise DatasetError(
            f"`split` must be one of {', '.join(_PROTOCOLS)}. Received: split={split!r}. "
            f"{did_you_mean(str(split), _PROTOCOLS)}"
        )
    if not 0 <= valid_fraction <= 0.7:
        raise DatasetError(f"`valid_fraction` must be from 0 to 0.7. Received: valid_fraction={valid_fraction!r}")
    manifest = Manifest("gtzan", tuple(_find_clips(Path(path))), GENRES, multi_label=False)
    if split == "filtered":
        return _filtered(manifest)
    manifest = _without_known_corrupt(manifest)
    if split == "kfold":
        return kfold(manifest, folds=folds, seed=seed)
    return _stratified(manifest, valid_fraction, seed=seed)


def gtzan_filtered_ids(split: str) -> tuple[str, ...]:
    """The fault-filtered ids of one split ("blues.00029" ...), in the published order: 443 train, 197 valid, 290 test.

    Raises:
        DatasetError: `split` is none of the three.
    """
    if split not in SPLITS:
        raise DatasetError(f"A split must be one of {', '.join(SPLITS)}. Received: split={split!r}")
    text = (files("keraudio.datasets") / "splits" / f"gtzan_filtered_{split}.txt").read_text(encoding="ascii")
    return tuple(line.rpartition("/")[2].rpartition(".")[0] for line in text.split())


def _find_clips(root: Path) -> list[Clip]:
    folder = next((root / name for name in _FOLDERS if any((root / name / genre).is_dir() for genre in GENRES)), None)
    if folder is None:
        raise DatasetError(
            f"{root}: GTZAN must hold folders named by genre ({GENRES[0]}, {GENRES[1]}, ...), here or in "
            f"{', '.join(_FOLDERS[:-1])}. Received: none"
        )
    from keraudio.audio import AUDIO_SUFFIXES

    # Lower-case endings with the dot, whichever way the list writes them; .au is GTZAN's own and nobody else's.
    suffixes = {f".{suffix.lstrip('.').lower()}" for suffix in AUDIO_SUFFIXES} | {".au"}
    clips = []
    odd = 0
    for genre in GENRES:
        if not (folder / genre).is_dir():
            logger.warning("gtzan: no folder for genre %r in %s", genre, folder)
            continue
        for file in sorted((folder / genre).iterdir()):
            if file.name.startswith(".") or file.suffix.lower() not in suffixes:
                continue
            if not re.fullmatch(rf"{genre}\.\d{{5}}", file.stem):
                odd += 1
                continue
            clips.append(Clip(file, (genre,), file.stem))
    if odd:
        logger.warning("gtzan: %d audio files ignored: their names are not GENRE.NNNNN of their folder", odd)
    if not clips:
        raise DatasetError(
            f"{folder}: GTZAN's files must be named like {GENRES[0]}/{GENRES[0]}.00000.wav. Received: none"
        )
    return clips


def _filtered(manifest: Manifest) -> Manifest:
    split_of = {name: split for split in SPLITS for name in gtzan_filtered_ids(split)}
    clips = [replace(clip, split=split_of[clip.id]) for clip in manifest.clips if clip.id in split_of]
    _warn_missing(sorted(split_of.keys() - {clip.id for clip in clips}), total=len(split_of))
    if not clips:
        raise DatasetError(
            f"At least one of GTZAN's {len(split_of)} listed files must be there. Received: none of them"
        )
    return _without_known_corrupt(manifest.replace(clips))


def _warn_missing(names: Sequence[str], *, total: int) -> None:
    if names:
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        logger.warning("gtzan: %d of %d listed files are missing: %s", len(names), total, shown)


def _without_known_corrupt(manifest: Manifest) -> Manifest:
    from keraudio.audio import probe

    clip = next((clip for clip in manifest.clips if clip.id == _KNOWN_CORRUPT), None)
    if clip is None:
        return manifest
    try:
        probe(clip.path)
    except AudioError as error:
        logger.warning("gtzan: %s is left out, as it is corrupt in many copies: %s", _KNOWN_CORRUPT, error)
        return manifest.without([_KNOWN_CORRUPT])
    return manifest


def _stratified(manifest: Manifest, valid_fraction: float, *, seed: int) -> Manifest:
    in_test = allocate(manifest.clips, [0.8, 0.2], seed=seed).parts
    clips = [replace(clip, split=SPLITS[2 * part]) for clip, part in zip(manifest.clips, in_test, strict=True)]
    if valid_fraction:
        train = [clip for clip in clips if clip.split == "train"]
        share = valid_fraction / 0.8
        in_valid = allocate(train, [1 - share, share], seed=seed).parts
        carved = {clip.id for clip, part in zip(train, in_valid, strict=True) if part == 1}
        clips = [replace(clip, split="valid") if clip.id in carved else clip for clip in clips]
    return manifest.replace(clips)
