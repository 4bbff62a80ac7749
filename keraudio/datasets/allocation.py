"""Dealing clips out into parts: stratified by label, groups kept whole, the same for a seed whatever the order."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from keraudio.datasets.manifest import Clip

# With groups, which of them comes first decides how even the parts get; the most even of this many orders is taken.
_ORDERS = 25


@dataclass(frozen=True, slots=True)
class Allocation:
    """Which part each clip goes to, and the (part, label) pairs that had to stay empty.

    Args:
        parts: for each clip, the index of its part.
        missing: `(part, label)` pairs without a clip, out of the first labels of the clips.
    """

    parts: tuple[int, ...]
    missing: tuple[tuple[int, str], ...]


def group_key(clip: Clip) -> str:
    """The name of what must stay together: the clip's group, or else the clip itself."""
    return f"clip {clip.id}" if clip.group is None else f"group {clip.group}"


def stratum(clip: Clip) -> str:
    """The label that a clip is stratified by: its first, or "" where it has none."""
    return clip.labels[0] if clip.labels else ""


def groups_per_label(clips: Iterable[Clip]) -> dict[str, int]:
    """How many groups hold each first label."""
    groups: dict[str, set[str]] = defaultdict(set)
    for clip in clips:
        groups[stratum(clip)].add(group_key(clip))
    return {label: len(keys) for label, keys in groups.items()}


def allocate(clips: Sequence[Clip], shares: Sequence[float], *, seed: int) -> Allocation:
    """Deals clips out into parts of given shares.

    Each part gets at least one group of each first label while there are enough of them; the rest goes, group by group,
    to the part that lacks its labels most. Labels without groups come within one clip of their share.

    Args:
        clips: the clips, of at least as many groups as there are parts; their order does not matter.
        shares: positive, with sum 1: the share of each part.
        seed: another seed deals out differently.

    Returns:
        The part of each clip.
    """
    strata: dict[str, Counter[str]] = defaultdict(Counter)
    # In the order of the ids: sums of floats depend on their order in the last bit, which is enough to break a tie
    # between two deals the other way.
    for clip in sorted(clips, key=lambda clip: clip.id):
        strata[group_key(clip)][stratum(clip)] += 1
    grouped = len(strata) < len(clips)
    deals = (
        _Deal(strata, shares, _shuffled(strata, f"{seed} {attempt}")) for attempt in range(_ORDERS if grouped else 1)
    )
    best = min(deals, key=lambda deal: (len(deal.missing()), deal.unevenness()))
    return Allocation(tuple(best.parts[group_key(clip)] for clip in clips), tuple(best.missing()))


def _shuffled(strata: dict[str, Counter[str]], salt: str) -> list[str]:
    # A hash of the name rather than a random generator: a clip added or the table sorted anew moves no other clip's
    # place in the order. Large groups tend to come first, for small ones can still even out what those leave.
    def place(key: str) -> tuple[float, str]:
        digest = blake2b(f"{salt} {key}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return -strata[key].total() * (int.from_bytes(digest) + 1), key

    return sorted(strata, key=place)


class _Deal:
    """One deal: groups in a given order, parts with what they still lack of each label."""

    def __init__(self, strata: dict[str, Counter[str]], shares: Sequence[float], order: list[str]) -> None:
        self.strata = strata
        self.shares = shares
        self.totals: Counter[str] = Counter()
        for counts in strata.values():
            self.totals.update(counts)
        self.size = self.totals.total()
        self.lack = [{label: share * count for label, count in self.totals.items()} for share in shares]
        self.lack_of_any = [share * self.size for share in shares]
        self.held: list[set[str]] = [set() for _ in shares]
        self.parts: dict[str, int] = {}
        self._give_each_part_each_label(order)
        for key in order:
            if key not in self.parts:
                self._give(key, self._neediest(key))
        self._fill_empty_parts()

    def _give_each_part_each_label(self, order: list[str]) -> None:
        holders: dict[str, list[str]] = defaultdict(list)
        for key in order:
            for label in self.strata[key]:
                holders[label].append(key)
        for label in sorted(holders, key=lambda label: (len(holders[label]), label)):
            # Equal parts take turns, so that rare labels do not pile up in the first.
            order_of_parts = sorted(
                range(len(self.shares)),
                key=lambda part: (-self.shares[part], -round(self.lack_of_any[part], 9), part),
            )
            lacking = [part for part in order_of_parts if label not in self.held[part]]
            free = [key for key in holders[label] if key not in self.parts]
            for part, key in zip(lacking, free, strict=False):
                self._give(key, part)

    def _neediest(self, key: str) -> int:
        def want(part: int) -> tuple[float, float, int]:
            counts = self.strata[key].items()
            score = sum(count * self.lack[part][label] / self.totals[label] for label, count in counts)
            # Rounded, so that equal lacks tie whatever the order in which their shares were taken off.
            return round(score, 9), round(self.lack_of_any[part], 9), -part

        return max(range(len(self.shares)), key=want)

    def _fill_empty_parts(self) -> None:
        # Many labels of one group each would all go to the largest part.
        for part in range(len(self.shares)):
            if self.held[part]:
                continue
            keys: dict[int, list[str]] = defaultdict(list)
            for key, other in self.parts.items():
                keys[other].append(key)
            giver = max((other for other in keys if len(keys[other]) > 1), key=lambda other: (len(keys[other]), -other))
            moved = min(keys[giver], key=lambda key: (self.strata[key].total(), key))
            for label, count in self.strata[moved].items():
                self.lack[giver][label] += count
                self.lack_of_any[giver] += count
            rest = (self.strata[key] for key in keys[giver] if key != moved)
            self.held[giver] = {label for counts in rest for label in counts}
            self._give(moved, part)

    def _give(self, key: str, part: int) -> None:
        self.parts[key] = part
        for label, count in self.strata[key].items():
            self.lack[part][label] -= count
            self.lack_of_any[part] -= count
            self.held[part].add(label)

    def missing(self) -> list[tuple[int, str]]:
        """The (part, label) pairs that hold nothing."""
        labels = sorted(self.totals)
        return [(part, label) for part, held in enumerate(self.held) for label in labels if label not in held]

    def unevenness(self) -> float:
        """Chi-square of the counts of labels in parts against their shares."""
        return sum(
            lack**2 / (share * self.totals[label])
            for share, lacks in zip(self.shares, self.lack, strict=True)
            for label, lack in lacks.items()
        )
