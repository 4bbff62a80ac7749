from collections import Counter
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from keraudio.audio import cut_windows, window_starts
from keraudio.pipeline import Crops, Windows

some_lengths = st.lists(st.integers(1, 60), min_size=1, max_size=9)
few = settings(max_examples=15, deadline=None)


windows_of_an_epoch = {
    "lengths": some_lengths,
    "window": st.integers(1, 70),
    "hop": st.integers(1, 40),
    "batch_size": st.integers(1, 12),
    "epoch": st.integers(0, 1000),
}


def told(waveforms: np.ndarray) -> np.ndarray:
    """What the samples of `counted_clips` tell: 100 * clip + place + 1, and 0 where they are filling."""
    return np.rint(waveforms * 32767).astype(int)


def epoch_of(crops: Crops, epoch: int) -> np.ndarray:
    return np.concatenate([told(crops.batch(epoch, step)[0]) for step in range(crops.steps)])


@few
@given(
    lengths=some_lengths,
    window=st.integers(1, 70),
    batch_size=st.integers(1, 12),
    crops_per_clip=st.integers(1, 3),
    seed=st.integers(0, 2**32),
    epoch=st.integers(0, 1000),
)
def test_crops_of_an_epoch(
    counted_clips: Any, lengths: list[int], window: int, batch_size: int, crops_per_clip: int, seed: int, epoch: int
) -> None:
    clips = counted_clips(lengths)
    crops = Crops(clips, window, batch_size, seed, crops_per_clip)
    taken: Counter[int] = Counter()
    for step in range(crops.steps):
        waveforms, labels = crops.batch(epoch, step)
        assert waveforms.shape == (crops.size, window) and waveforms.dtype == np.float32
        assert labels.shape == (crops.size, 2) and labels.dtype == np.float32
        for samples, label in zip(told(waveforms), labels, strict=True):
            row, start = divmod(samples[0] - 1, 100)
            taken[row] += 1
            real = min(window, lengths[row])
            # A stretch of one clip, whole where the clip is long enough, else the clip and zeros.
            assert start + real <= lengths[row]
            np.testing.assert_array_equal(samples[:real], 100 * row + start + np.arange(real) + 1)
            assert not samples[real:].any()
            np.testing.assert_array_equal(label, np.eye(2)[row % 2])
    left_out = len(lengths) * crops_per_clip - taken.total()
    assert 0 <= left_out < crops.size
    assert max(taken.values()) <= crops_per_clip
    if not left_out:
        assert taken == dict.fromkeys(range(len(lengths)), crops_per_clip)


@few
@given(
    lengths=some_lengths, seed=st.integers(0, 2**32), places=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 3)))
)
def test_a_batch_depends_on_seed_epoch_and_step_alone(
    counted_clips: Any, lengths: list[int], seed: int, places: list[tuple[int, int]]
) -> None:
    clips = counted_clips(lengths)
    used = Crops(clips, 8, 2, seed)
    for epoch, step in places:
        step %= used.steps
        fresh = Crops(clips, 8, 2, seed)
        for mine, theirs in zip(used.batch(epoch, step), fresh.batch(epoch, step), strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_order_and_crops_change_with_epoch_and_seed(counted_clips: Any) -> None:
    clips = counted_clips([60] * 9)
    first = epoch_of(Crops(clips, 8, 3, seed=1), 0)
    for other in (epoch_of(Crops(clips, 8, 3, seed=1), 1), epoch_of(Crops(clips, 8, 3, seed=2), 0)):
        assert (first[:, 0] // 100 != other[:, 0] // 100).any()
        assert (np.sort(first[:, 0]) != np.sort(other[:, 0])).any()


def test_several_crops_of_a_clip_in_an_epoch_differ(counted_clips: Any) -> None:
    starts = epoch_of(Crops(counted_clips([60]), 8, 4, crops_per_clip=20), 0)[:, 0]
    assert len(set(starts)) > 10


def test_crops_start_anywhere_with_the_same_chance(counted_clips: Any) -> None:
    crops = Crops(counted_clips([12]), 8, 500, crops_per_clip=500)
    starts = Counter(epoch_of(crops, 0)[:, 0] - 1)
    assert set(starts) == {0, 1, 2, 3, 4}
    # 500 draws of chance 1/5 have a standard deviation of 9 around 100; five of them is a rare accident.
    assert all(abs(count - 100) < 45 for count in starts.values())


def test_a_data_set_smaller_than_a_batch_is_one_batch(counted_clips: Any) -> None:
    crops = Crops(counted_clips([9, 9, 9]), 4, 32)
    assert (crops.size, crops.steps) == (3, 1)
    assert sorted(told(crops.batch(0, 0)[0])[:, 0] // 100) == [0, 1, 2]


@few
@given(
    lengths=some_lengths,
    window=st.integers(1, 70),
    hop=st.integers(1, 70),
    batch_size=st.integers(1, 12),
    limit=st.none() | st.integers(1, 4),
)
def test_windows_are_every_window_of_every_clip_in_order(
    counted_clips: Any, lengths: list[int], window: int, hop: int, batch_size: int, limit: int | None
) -> None:
    clips = counted_clips(lengths)
    windows = Windows(clips, window, hop, batch_size, limit)
    expected, rows = [], []
    for row, length in enumerate(lengths):
        starts = window_starts(length, window, hop=hop, limit=limit)
        expected.append(cut_windows(np.float32(100 * row + np.arange(length) + 1), starts, window))
        rows += [row] * len(starts)
    batches = [windows.batch(0, step) for step in range(windows.steps)]
    assert [len(waveforms) for waveforms, _ in batches[:-1]] == [batch_size] * (windows.steps - 1)
    np.testing.assert_array_equal(told(np.concatenate([w for w, _ in batches])), np.concatenate(expected))
    np.testing.assert_array_equal(windows.clip_of_window, rows)
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in batches]), windows.targets[rows])
    for mine, again in zip(batches[-1], windows.batch(7, windows.steps - 1), strict=True):
        np.testing.assert_array_equal(mine, again)


@few
@given(**windows_of_an_epoch)
def test_all_windows_are_taken_once_an_epoch_in_random_order(
    counted_clips: Any, lengths: list[int], window: int, hop: int, batch_size: int, epoch: int
) -> None:
    clips = counted_clips(lengths)
    crops = Crops(clips, window, batch_size, 3, hop=hop)
    every = Windows(clips, window, hop, batch_size)
    expected = Counter(tuple(row) for step in range(every.steps) for row in told(every.batch(0, step)[0]))
    taken = Counter(tuple(row) for row in epoch_of(crops, epoch))
    # Those of the last batch that would be incomplete are left out.
    assert not taken - expected and (expected - taken).total() < crops.size
    labels = np.concatenate([crops.batch(epoch, step)[1] for step in range(crops.steps)])
    rows = (epoch_of(crops, epoch)[:, 0] - 1) // 100
    np.testing.assert_array_equal(labels, np.eye(2)[rows % 2])
    if len(expected) == expected.total() > 8 and not expected - taken:
        assert [tuple(row) for row in epoch_of(crops, epoch)] != [tuple(row) for row in epoch_of(crops, epoch + 1)]


@few
@given(**windows_of_an_epoch)
def test_jittered_windows_stay_within_half_a_hop_and_the_clip(
    counted_clips: Any, lengths: list[int], window: int, hop: int, batch_size: int, epoch: int
) -> None:
    clips = counted_clips(lengths)
    plain = Crops(clips, window, batch_size, 3, hop=hop)
    jittered = Crops(clips, window, batch_size, 3, hop=hop, jitter=True)
    assert (jittered.steps, jittered.size) == (plain.steps, plain.size)
    for still, moved in zip(epoch_of(plain, epoch), epoch_of(jittered, epoch), strict=True):
        # A window of the same clip, with as many of its samples.
        assert moved[0] > 0 and (moved > 0).sum() == (still > 0).sum()
        assert (moved[0] - 1) // 100 == (still[0] - 1) // 100
        assert abs(moved[0] - still[0]) <= hop // 2
    assert epoch_of(jittered, epoch).tolist() == epoch_of(jittered, epoch).tolist()


def test_jitter_is_spread_evenly_and_drawn_anew(counted_clips: Any) -> None:
    clips = counted_clips([99])
    jittered = Crops(clips, 10, 1, 3, hop=44, jitter=True)
    first = Crops(clips, 10, 1, 3, hop=44)
    moves = [epoch_of(jittered, epoch)[0, 0] - epoch_of(first, epoch)[0, 0] for epoch in range(2000)]
    # Of the windows at 0, 44 and 88 the first moves later alone, and the last by one sample at most.
    assert set(moves) == set(range(-22, 23))
