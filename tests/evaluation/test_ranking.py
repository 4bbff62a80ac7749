import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from keraudio.evaluation.ranking import average_precision, rank, roc_auc

# Sums of whole numbers are exact in float64; what remains are the divisions and their sum.
TOLERANCE = 1e-12


def draw(seed, clips, labels, levels):
    rng = np.random.default_rng(seed)
    targets = rng.random((clips, labels)) < 0.4
    scores = rng.integers(0, levels, (clips, labels)) / levels
    counts = np.bincount(rng.integers(0, clips, clips), minlength=clips).astype(float)
    return targets, scores, counts


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 25), st.integers(1, 4), st.sampled_from([1, 2, 5, 10_000]))
def test_each_label_agrees_with_scikit_learn_under_weights_and_ties(seed, clips, labels, levels):
    targets, scores, counts = draw(seed, clips, labels, levels)
    ranking = rank(targets, scores)
    aucs, precisions = roc_auc(ranking, counts), average_precision(ranking, counts)
    for label in range(labels):
        drawn = np.repeat(np.arange(clips), counts.astype(int))
        actual, score = targets[drawn, label], scores[drawn, label]
        if actual.all() or not actual.any():
            assert np.isnan([aucs[label], precisions[label]]).all()
            continue
        assert aucs[label] == pytest.approx(roc_auc_score(actual, score), abs=TOLERANCE)
        assert precisions[label] == pytest.approx(average_precision_score(actual, score), abs=TOLERANCE)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([2, 5, 10_000]))
def test_all_pairs_together_agree_with_scikit_learns_micro_average(seed, levels):
    targets, scores, counts = draw(seed, 12, 3, levels)
    targets[0], counts[0] = [True, False, True], 1
    ranking = rank(targets, scores, pooled=True)
    drawn = np.repeat(np.arange(12), counts.astype(int))
    expected = roc_auc_score(targets[drawn].ravel(), scores[drawn].ravel())
    assert roc_auc(ranking, counts) == pytest.approx([expected], abs=TOLERANCE)
    expected = average_precision_score(targets[drawn].ravel(), scores[drawn].ravel())
    assert average_precision(ranking, counts) == pytest.approx([expected], abs=TOLERANCE)


def test_figures_worked_by_hand():
    # Ranks: positive, negative, positive, negative: three of four pairs in order; precision 1/1 and 2/3.
    ranking = rank(np.array([[1], [0], [1], [0]], dtype=bool), np.array([[0.9], [0.8], [0.7], [0.1]]))
    assert roc_auc(ranking, np.ones(4)) == pytest.approx([3 / 4])
    assert average_precision(ranking, np.ones(4)) == pytest.approx([(1 + 2 / 3) / 2])
