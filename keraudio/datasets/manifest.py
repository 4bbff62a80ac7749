"""The manifest: the checked table of clips that every data set is turned into."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from keraudio.errors import DatasetError
from keraudio.nearest import did_you_mean

SPLITS = ("train", "valid", "test")
"""The names a split may have, in their usual order."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording, or the excerpt of it that carries the label.

    Args:
        path: the audio file; it is not opened here.
        labels: names out of the manifest's vocabulary.
        id: unique in the manifest; the name by which reports and caches know the clip.
        split: `"train"`, `"valid"`, `"test"`, or `None` when not assigned.
        fold: the data set's own cross-validation fold, or `None`.
        group: what must never straddle two splits (artist, album, source recording), or `None` when the clip stands
            for itself.
    """

    path: Path
    labels: tuple[str, ...]
    id: str
    split: str | None = None
    fold: int | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """Clips, the vocabulary that their labels come from, and nothing that is inconsistent.

    Args:
        name: the data set's name, for reports.
        clips: the clips, in the data set's order.
        labels: the vocabulary in its fixed order: column k of `targets` is `labels[k]`.
        multi_label: whether a clip may carry any number of labels; otherwise it carries exactly one.

    Raises:
        DatasetError: no clips or no labels, a label or id that occurs twice, a label outside the vocabulary, a
            single-label clip without exactly one label, an unknown split name, or a group in two splits.

    >>> clips = (Clip(Path("a.wav"), ("dog",), "a"), Clip(Path("b.wav"), ("cat",), "b"))
    >>> manifest = Manifest("pets", clips, ("cat", "dog"), False)
    >>> manifest.targets().tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """

    name: str
    clips: tuple[Clip, ...]
    labels: tuple[str, ...]
    multi_label: bool

    def __post_init__(self) -> None:
        """Checks everything that the class promises."""
        # Callers may hand over lists; a frozen value must not share one that they can still change.
        object.__setattr__(self, "clips", tuple(self.clips))
        object.__setattr__(self, "labels", tuple(self.labels))
        _check_vocabulary(self.name, self.labels)
        if not self.clips:
            raise DatasetError(f"A manifest must hold at least one clip. Received: 0 clips in data set {self.name!r}")
        _check_ids(self.clips)
        known = frozenset(self.labels)
        for clip in self.clips:
            _check_clip(clip, known, self.labels, multi_label=self.multi_label)
        _check_groups(self.clips)

    def __len__(self) -> int:
        """The number of clips."""
        return len(self.clips)

    def __iter__(self) -> Iterator[Clip]:
        """The clips in order."""
        return iter(self.clips)

    def split(self, name: str) -> Self:
        """The clips of one split, with the whole vocabulary.

        Args:
            name: `"train"`, `"valid"` or `"test"`.

        Returns:
            A manifest of that split's clips, in the same order and with the same labels.

        Raises:
            DatasetError: the name is none of the three, or no clip is in that split.
        """
        if name not in SPLITS:
            raise DatasetError(
                f"A split must be one of {', '.join(SPLITS)}. Received: name={name!r}. {did_you_mean(name, SPLITS)}"
            )
        chosen = tuple(clip for clip in self.clips if clip.split == name)
        if not chosen:
            counts = Counter(clip.split or "none" for clip in self.clips)
            received = ", ".join(f"{split}: {count}" for split, count in sorted(counts.items()))
            raise DatasetError(f"Split {name!r} of data set {self.name!r} must not be empty. Received: {received}")
        return self.replace(chosen)

    def targets(self) -> np.ndarray:
        """The labels as numbers.

        Returns:
            float32 `(clips, labels)`: 1 where the clip carries the label, else 0.
        """
        column = {label: index for index, label in enumerate(self.labels)}
        targets = np.zeros((len(self.clips), len(self.labels)), dtype=np.float32)
        for row, clip in enumerate(self.clips):
            targets[row, [column[label] for label in clip.labels]] = 1.0
        return targets

    def replace(self, clips: Iterable[Clip]) -> Self:
        """The same data set with other clips, checked anew.

        Args:
            clips: what takes the place of `self.clips`.

        Returns:
            A manifest with the same name, vocabulary and kind of labels.

        Raises:
            DatasetError: as for a new manifest.
        """
        return replace(self, clips=tuple(clips))

    def without(self, ids: Iterable[str]) -> Self:
        """The manifest less some clips, such as those that cannot be decoded.

        Args:
            ids: ids of clips in the manifest.

        Returns:
            A manifest of the other clips, in the same order.

        Raises:
            DatasetError: an id is not in the manifest, or no clip is left.
        """
        dropped = {ids} if isinstance(ids, str) else set(ids)
        known = {clip.id for clip in self.clips}
        for unknown in sorted(dropped - known):
            raise DatasetError(f"Only clips of the manifest can be left out. Received: id={unknown!r}")
        return self.replace(clip for clip in self.clips if clip.id not in dropped)


def _check_vocabulary(name: str, labels: tuple[str, ...]) -> None:
    if not labels:
        raise DatasetError(f"The vocabulary must hold at least one label. Received: 0 labels in data set {name!r}")
    label, count = Counter(labels).most_common(1)[0]
    if count > 1:
        raise DatasetError(f"A label must stand once in the vocabulary. Received: {label!r} {count} times")
    if any(not label.strip() for label in labels):
        raise DatasetError(f"A label must not be blank. Received: labels={labels!r}")


def _check_ids(clips: tuple[Clip, ...]) -> None:
    seen: dict[str, Clip] = {}
    for clip in clips:
        if not clip.id:
            raise DatasetError(f"A clip's id must not be empty. Received: id='' for {clip.path}")
        if clip.id in seen:
            raise DatasetError(
                f"A clip's id must be unique. Received: id={clip.id!r} for {seen[clip.id].path} and for {clip.path}"
            )
        seen[clip.id] = clip


def _check_clip(clip: Clip, known: frozenset[str], vocabulary: tuple[str, ...], *, multi_label: bool) -> None:
    # A bare string would pass as a tuple of its letters and fail with a message about the first of them.
    if isinstance(clip.labels, str):
        raise DatasetError(f"A clip's labels must be a tuple. Received: labels={clip.labels!r} for clip {clip.id!r}")
    for label in clip.labels:
        if label not in known:
            raise DatasetError(
                f"A clip's labels must be in the vocabulary. Received: label={label!r} for clip {clip.id!r}. "
                f"{did_you_mean(label, vocabulary)}"
            )
    if not multi_label and len(clip.labels) != 1:
        raise DatasetError(
            f"A clip of a single-label data set must have exactly one label. Received: labels={clip.labels!r} "
            f"for clip {clip.id!r}"
        )
    if len(set(clip.labels)) != len(clip.labels):
        raise DatasetError(f"A clip must carry a label once. Received: labels={clip.labels!r} for clip {clip.id!r}")
    if clip.split is not None and clip.split not in SPLITS:
        raise DatasetError(
            f"A split must be one of {', '.join(SPLITS)}, or None. Received: split={clip.split!r} "
            f"for clip {clip.id!r}. {did_you_mean(clip.split, SPLITS)}"
        )


def _check_groups(clips: tuple[Clip, ...]) -> None:
    first: dict[str, Clip] = {}
    for clip in clips:
        if clip.group is None or clip.split is None:
            continue
        other = first.setdefault(clip.group, clip)
        if other.split != clip.split:
            raise DatasetError(
                f"A group must not straddle two splits. Received: group={clip.group!r} in {other.split!r} "
                f"(clip {other.id!r}) and in {clip.split!r} (clip {clip.id!r})"
            )
