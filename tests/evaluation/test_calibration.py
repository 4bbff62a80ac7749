import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keraudio.evaluation import Calibration, fit_calibration, fit_thresholds, reliability


def drawn(slope: float, offset: float, *, clips: int = 4000, windows: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels that hold as often as a calibration says."""
    random = np.random.default_rng(0)
    logits = random.normal(-1, 2, (clips, windows, 3))
    holds = random.uniform(size=(clips, 3)) < Calibration(slope, offset).probabilities(logits)
    return logits, holds.astype("float64")


def test_probabilities_are_the_mean_of_a_clips_windows() -> None:
    logits = np.array([[[0.0, 2.0], [1.0, np.nan]], [[-800.0, 800.0], [np.nan, np.nan]]])
    found = Calibration(2.0, 1.0).probabilities(logits)
    sigmoid = 1 / (1 + np.exp(-np.array([1.0, 3.0, 5.0])))
    np.testing.assert_allclose(found, [[(sigmoid[0] + sigmoid[1]) / 2, sigmoid[2]], [0, 1]])


@pytest.mark.parametrize("windows", [1, 4])
@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (0.4, -1.0), (2.5, 2.0)])
def test_slope_and_offset_are_found_again(slope: float, offset: float, windows: int) -> None:
    logits, truth = drawn(slope, offset, windows=windows)
    found = fit_calibration(logits, truth)
    assert found.slope == pytest.approx(slope, rel=0.15)
    assert found.offset == pytest.approx(offset, abs=0.2)


def test_one_window_is_scikit_learns_logistic_regression() -> None:
    from sklearn.linear_model import LogisticRegression

    logits, truth = drawn(0.7, -0.5, clips=500)
    expected = LogisticRegression(C=np.inf, tol=1e-8).fit(logits.reshape(-1, 1), truth.reshape(-1))
    found = fit_calibration(logits, truth)
    assert found.slope == pytest.approx(expected.coef_[0, 0], rel=1e-3)
    assert found.offset == pytest.approx(expected.intercept_[0], abs=1e-3)


def test_what_nobody_knows_changes_nothing() -> None:
    logits, truth = drawn(0.7, -0.5, clips=500)
    expected = fit_calibration(logits, truth)
    more = np.concatenate([truth, np.full((50, 3), np.nan)])
    assert fit_calibration(np.concatenate([logits, np.full((50, 1, 3), 9.0)]), more) == expected


@pytest.mark.parametrize(
    ("logits", "truth", "rule"),
    [
        (np.zeros((4, 2)), np.zeros((4, 2)), r"`logits` must be .* Received: \(4, 2\) and \(4, 2\)"),
        (np.zeros((4, 1, 2)), np.zeros((4, 3)), r"Received: \(4, 1, 2\) and \(4, 3\)"),
        (np.zeros((4, 1, 2)), np.zeros((4, 2)), "`truth` must have labels that hold and labels that do not"),
    ],
)
def test_what_does_not_fit_is_named(logits, truth, rule) -> None:
    with pytest.raises(ValueError, match=rule):
        fit_calibration(logits, truth)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.floats(0, 0.9375, width=32), min_size=1, max_size=60),
    st.floats(0, 0.5),
)
def test_no_more_than_the_share_of_false_alarms_reach_a_threshold(scores: list[float], share: float) -> None:
    probabilities = np.float32(scores)[:, None]
    threshold = fit_thresholds(probabilities, np.zeros((len(scores), 1)), false_alarms=share, least=0.3)[0]
    assert threshold >= 0.3
    reached = (probabilities[:, 0] >= np.float32(threshold)).sum()
    assert reached <= share * len(scores)
    # And no threshold is higher than it must be.
    if threshold > 0.3:
        lower = np.nextafter(np.float32(threshold), np.float32(0))
        assert (probabilities[:, 0] >= lower).sum() > share * len(scores) - 1


def test_a_label_that_no_clip_is_without_gets_the_least() -> None:
    truth = np.array([[1.0, np.nan], [1.0, np.nan]])
    np.testing.assert_array_equal(fit_thresholds(np.full((2, 2), 0.9), truth, least=0.4), [0.4, 0.4])


def test_reliability_counts_what_holds_in_each_bin() -> None:
    probabilities = np.array([[0.05, 0.15], [0.95, 1.0], [0.12, 0.5]])
    truth = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, np.nan]])
    found = reliability(probabilities, truth)
    assert found.counts.tolist() == [1, 2, 0, 0, 0, 0, 0, 0, 0, 2]
    np.testing.assert_allclose(found.shares[[0, 1, 9]], [0, 0.5, 0.5])
    np.testing.assert_allclose(found.confidences[[0, 1, 9]], [0.05, 0.135, 0.975])
    assert np.isnan(found.shares[2])
    assert found.error == pytest.approx((0.05 + 2 * 0.365 + 2 * 0.475) / 5)


def test_a_calibrated_model_has_nearly_no_error() -> None:
    logits, truth = drawn(1.0, 0.0, clips=20000)
    assert reliability(Calibration().probabilities(logits), truth).error < 0.01
    assert reliability(Calibration(4.0).probabilities(logits), truth).error > 0.05
