"""Which clips train, validate and test: splits that were given, made of folds, or drawn at random."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from keraudio.datasets.allocation import allocate, group_key, groups_per_label
from keraudio.datasets.manifest import SPLITS, Clip, Manifest
from keraudio.errors import DatasetError
from keraudio.nearest import did_you_mean

logger = logging.getLogger(__name__)

SPLIT_METHODS = ("given", "folds", "random")
"""What `assign_splits` accepts as `method`."""


def assign_splits(
    manifest: Manifest,
    *,
    method: str,
    train_folds: Sequence[int] = (),
    valid_folds: Sequence[int] = (),
    test_folds: Sequence[int] = (),
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    seed: int = 0,
    divided_groups: str = "withhold",
) -> Manifest:
    """Gives the clips of a manifest their splits.

    Args:
        manifest: the clips.
        method: `"given"` keeps the manifest's own splits; `"folds"` makes splits of its folds; `"random"` draws them,
            stratified by first label, with groups kept whole, the same for a seed whatever the order of the clips.
        train_folds: for `"folds"`: the folds to train on, at least one.
        valid_folds: for `"folds"`: the folds to validate on; may be empty when `test_folds` is not.
        test_folds: for `"folds"`: the folds to test on. Clips of folds in none of the three get no split.
        fractions: for `"random"`: shares of train, valid and test, with sum 1. A share of 0 leaves valid or test out.
        seed: for `"random"`.
        divided_groups: for `"folds"`: what to do with a group whose folds belong to different splits. `"withhold"`
            keeps its clips in test or, failing that, in valid, gives its other clips no split and logs a warning, so
            that nothing heard in training is tested; `"error"` refuses. Some published folds divide groups: ESC-50's
            divide four source recordings.

    Returns:
        The same clips with their splits; every split asked for holds at least one clip.

    Raises:
        DatasetError: unknown method, no splits or folds to go by, folds that do not exist or stand in two splits,
            fractions that are not shares, a single-label manifest with a label that has fewer groups than there are
            splits, or a split that would stay empty.
    """
    folds = {"train": tuple(train_folds), "valid": tuple(valid_folds), "test": tuple(test_folds)}
    if method not in SPLIT_METHODS:
        raise DatasetError(
            f"`method` must be one of {', '.join(SPLIT_METHODS)}. Received: method={method!r}. "
            f"{did_you_mean(method, SPLIT_METHODS)}"
        )
    if method != "folds" and any(folds.values()):
        raise DatasetError(f"Folds can only be named with method='folds'. Received: method={method!r}, {folds}")
    if method == "given":
        return _given(manifest)
    if method == "folds":
        return _from_folds(manifest, folds, divided_groups=divided_groups)
    return _random(manifest, fractions, seed=seed)


def kfold(manifest: Manifest, *, folds: int = 5, seed: int = 0) -> Manifest:
    """Gives the clips of a manifest folds 1 to `folds`, stratified by first label, with groups kept whole.

    Splits that the clips had are taken away: make new ones with `assign_splits(..., method="folds")`.

    Args:
        manifest: the clips.
        folds: the number of folds, at least 2. A label with fewer groups than that is missing from some folds, which a
            warning names.
        seed: another seed deals out differently.

    Returns:
        The same clips with new folds, none of them empty, and without splits.

    Raises:
        DatasetError: fewer than 2 folds, fewer groups than folds, or a single-label manifest with a label that has one
            group only, which could not be in training and in test.
    """
    if not isinstance(folds, int) or folds < 2:
        raise DatasetError(f"`folds` must be a whole number from 2. Received: folds={folds!r}")
    _check_group_counts(manifest, parts=folds, per_label=2)
    allocation = allocate(manifest.clips, [1 / folds] * folds, seed=seed)
    if allocation.missing and not manifest.multi_label:
        names = ", ".join(sorted({label for _, label in allocation.missing}))
        logger.warning("%s: labels missing from some of the %d folds: %s", manifest.name, folds, names)
    pairs = zip(manifest.clips, allocation.parts, strict=True)
    return manifest.replace(replace(clip, fold=part + 1, split=None) for clip, part in pairs)


def _given(manifest: Manifest) -> Manifest:
    if all(clip.split is None for clip in manifest.clips):
        raise DatasetError(
            f"Method 'given' needs a data set with splits of its own; others are split by 'random', or by 'folds'. "
            f"Received: {manifest.name!r}, which has none"
        )
    return manifest


def _from_folds(manifest: Manifest, folds: dict[str, tuple[int, ...]], *, divided_groups: str) -> Manifest:
    if divided_groups not in ("withhold", "error"):
        raise DatasetError(
            f"`divided_groups` must be 'withhold' or 'error'. Received: divided_groups={divided_groups!r}"
        )
    known = sorted({clip.fold for clip in manifest.clips if clip.fold is not None})
    if not known:
        raise DatasetError(f"Method 'folds' needs a data set with folds. Received: {manifest.name!r}, which has none")
    if not folds["train"] or not (folds["valid"] or folds["test"]):
        raise DatasetError(f"`train_folds` and one of `valid_folds`, `test_folds` must name folds. Received: {folds}")
    split_of: dict[int | None, str] = {}
    for split, numbers in folds.items():
        for number in numbers:
            if number not in known:
                raise DatasetError(
                    f"`{split}_folds` must be folds of the data set, {known}. Received: {split}_folds={list(numbers)}"
                )
            if split_of.setdefault(number, split) != split:
                raise DatasetError(f"A fold must be in one split. Received: fold {number} in two, {folds}")
    clips = [replace(clip, split=split_of.get(clip.fold)) for clip in manifest.clips]
    if divided_groups == "withhold":
        clips = _withhold_divided(manifest.name, clips)
    return _require_filled(manifest.replace(clips), [split for split in SPLITS if folds[split]])


def _withhold_divided(name: str, clips: list[Clip]) -> list[Clip]:
    # Test first: figures stay comparable only while the test folds are whole. Training loses instead.
    keep: dict[str, str] = {}
    divided: set[str] = set()
    for split in reversed(SPLITS):
        for clip in clips:
            if clip.split == split and keep.setdefault(group_key(clip), split) != split:
                divided.add(group_key(clip))
    if not divided:
        return clips
    kept = [clip if clip.split in (None, keep.get(group_key(clip))) else replace(clip, split=None) for clip in clips]
    before, after = (Counter(clip.split for clip in some) for some in (clips, kept))
    losses = ", ".join(
        f"{before[split] - after[split]} of {before[split]} from {split}"
        for split in SPLITS
        if after[split] < before[split]
    )
    shown = ", ".join(sorted(divided)[:5]) + (", ..." if len(divided) > 5 else "")
    logger.warning(
        "%s: the folds divide %d groups (%s); withheld so that no group is in two splits: %s",
        name,
        len(divided),
        shown,
        losses,
    )
    return kept


def _random(manifest: Manifest, fractions: Sequence[float], *, seed: int) -> Manifest:
    # Written so that NaN fails too.
    valid = len(fractions) == 3 and all(share >= 0 for share in fractions) and abs(sum(fractions) - 1) <= 1e-6
    if not valid or not fractions[0] > 0 or fractions[0] >= 1:
        raise DatasetError(
            "`fractions` must be shares of train, valid and test with sum 1, train's and one of the others' above 0. "
            f"Received: fractions={fractions!r}"
        )
    shares = {split: share for split, share in zip(SPLITS, fractions, strict=True) if share > 0}
    _check_group_counts(manifest, parts=len(shares), per_label=len(shares))
    allocation = allocate(manifest.clips, list(shares.values()), seed=seed)
    names = list(shares)
    if allocation.missing and not manifest.multi_label:
        part, label = allocation.missing[0]
        raise DatasetError(
            f"Every split must hold every label. Received: groups of label {label!r} that cannot be dealt out so that "
            f"{names[part]!r} has one; try another seed"
        )
    pairs = zip(manifest.clips, allocation.parts, strict=True)
    return _require_filled(manifest.replace(replace(clip, split=names[part]) for clip, part in pairs), names)


def _check_group_counts(manifest: Manifest, *, parts: int, per_label: int) -> None:
    groups = len({group_key(clip) for clip in manifest.clips})
    if groups < parts:
        raise DatasetError(f"{parts} parts need as many groups. Received: {groups} in data set {manifest.name!r}")
    if manifest.multi_label:
        return
    counts = groups_per_label(manifest.clips)
    for label in manifest.labels:
        if 0 < counts.get(label, 0) < per_label:
            raise DatasetError(
                f"Every label must have at least {per_label} groups (clips without a group count one each) to be in "
                f"{parts} parts. Received: label {label!r} with {counts[label]}"
            )


def _require_filled(manifest: Manifest, splits: Sequence[str]) -> Manifest:
    for split in splits:
        manifest.split(split)
    return manifest
