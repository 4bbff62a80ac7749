from collections import Counter
from pathlib import Path

import pytest

from keraudio.datasets import Clip
from keraudio.datasets.allocation import allocate, groups_per_label


def clips_of(groups: list[tuple[str, int]]) -> list[Clip]:
    """One group for each (label, number of clips)."""
    return [
        Clip(Path("x"), (label,), f"{index}-{number}", group=str(index))
        for index, (label, size) in enumerate(groups)
        for number in range(size)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_groups_of_unequal_sizes_are_dealt_out_evenly_where_that_is_possible(seed: int) -> None:
    # 6 + 2 = 5 + 3 = 4 + 4: an even deal exists.
    clips = clips_of([("a", size) for size in (6, 5, 4, 4, 3, 2)])
    assert sorted(Counter(allocate(clips, [1 / 3] * 3, seed=seed).parts).values()) == [8, 8, 8]


def test_no_part_stays_empty_when_every_label_has_one_group() -> None:
    allocation = allocate(clips_of([("a", 1), ("b", 1), ("c", 1), ("d", 9)]), [0.7, 0.15, 0.15], seed=0)
    assert set(allocation.parts) == {0, 1, 2}


def test_what_had_to_stay_empty_is_told() -> None:
    allocation = allocate(clips_of([("a", 2), ("a", 2), ("b", 2)]), [0.5, 0.5], seed=0)
    (missing,) = allocation.missing
    assert missing[1] == "b"


def test_names_that_are_not_utf8_are_dealt_out() -> None:
    clips = [Clip(Path("x"), ("a",), f"\udcff{number}") for number in range(4)]
    assert Counter(allocate(clips, [0.5, 0.5], seed=0).parts) == {0: 2, 1: 2}


def test_groups_are_counted_per_label() -> None:
    assert groups_per_label(clips_of([("a", 3), ("a", 1), ("b", 2)])) == {"a": 2, "b": 1}
