import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from keraudio.evaluation.intervals import Resampling, bootstrap_interval, group_numbers, wilson_interval


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (0, 59), (59, 59), (38, 59), (247, 400), (1999, 2000)])
def test_wilson_agrees_with_scipy(successes, n, confidence):
    expected = binomtest(successes, n).proportion_ci(confidence, method="wilson")
    # SciPy's own rounding, and that of the normal quantile from the standard library.
    np.testing.assert_allclose(wilson_interval(successes, n, confidence), expected, atol=1e-12)


@given(st.integers(0, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_stays_within_0_and_1(case):
    successes, n = case
    low, high = wilson_interval(successes, n)
    assert 0 <= low < high <= 1
    if n:
        assert low <= successes / n <= high


def test_wilson_of_nothing_is_everything():
    assert wilson_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("arguments", [(3, 2), (-1, 2), (1, 2, 0.0), (1, 2, 1.0), (1, 2, 95)])
def test_wilson_refuses_numbers_out_of_range(arguments):
    with pytest.raises(ValueError, match="Received"):
        wilson_interval(*arguments)


def test_the_bootstrap_of_a_mean_has_the_width_of_the_normal_interval():
    values = np.random.default_rng(1).normal(size=500)
    low, high = bootstrap_interval(lambda counts: float(counts @ values / 500), 500, resamples=4000)
    half = norm.ppf(0.975) * values.std() / 500**0.5
    # An end of 4,000 resamples has a standard error of some 2 % of the half width; four of them.
    np.testing.assert_allclose([low, high], [values.mean() - half, values.mean() + half], atol=0.08 * half)


def test_whole_groups_are_drawn_and_the_interval_widens():
    # 20 groups of 10 equal clips: 200 clips hold what 20 independent ones hold, sqrt(10) times the width.
    values = np.repeat(np.random.default_rng(2).normal(size=20), 10)
    groups = [f"artist {index // 10}" for index in range(200)]
    seen = []

    def mean(counts):
        seen.append(counts)
        return float(counts @ values / counts.sum())

    low, high = bootstrap_interval(mean, 200, groups=groups)
    assert all((counts.reshape(20, 10) == counts.reshape(20, 10)[:, :1]).all() for counts in seen)
    alone = bootstrap_interval(lambda counts: float(counts @ values / 200), 200)
    assert 2.5 < (high - low) / (alone[1] - alone[0]) < 3.9


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    values = np.arange(30.0)
    first, again, other = (
        bootstrap_interval(lambda counts: float(counts @ values / 30), 30, resamples=50, seed=seed)
        for seed in (0, 0, 1)
    )
    assert first == again != other


def test_undefined_resamples_are_left_out_and_an_undefined_figure_has_no_interval():
    def sometimes(counts):
        return np.nan if counts[0] == 0 else 1.0

    assert bootstrap_interval(sometimes, 10, resamples=200) == (1.0, 1.0)
    assert bootstrap_interval(lambda counts: np.nan, 10, resamples=20) is None


@pytest.mark.parametrize(("n", "groups"), [(0, None), (1, None), (0, []), (3, ["a", "a", "a"])])
def test_one_clip_or_one_group_has_no_interval(n, groups):
    assert bootstrap_interval(lambda counts: 1.0, n, groups=groups) is None


def test_arguments_out_of_range_are_refused():
    with pytest.raises(ValueError, match="2 entries for n=3"):
        bootstrap_interval(lambda counts: 1.0, 3, groups=["a", "b"])
    with pytest.raises(ValueError, match="resamples=0"):
        bootstrap_interval(lambda counts: 1.0, 3, resamples=0)
    with pytest.raises(ValueError, match="confidence=95"):
        bootstrap_interval(lambda counts: 1.0, 3, confidence=95)


def test_a_clip_without_a_group_is_a_group_of_its_own():
    assert group_numbers([None, "x", None, "x", 3]).tolist() == [0, 1, 2, 1, 3]


def test_a_perfect_score_over_groups_is_judged_by_the_number_of_groups():
    resampling = Resampling(groups=["a"] * 50 + ["b"] * 50)
    entry = resampling.share(np.ones(100, dtype=bool))
    assert (entry["low"], entry["high"]) == wilson_interval(2, 2)
    assert entry["interval"] == "wilson over groups"
    assert resampling.share(np.zeros(100, dtype=bool))["high"] == wilson_interval(0, 2)[1]
