import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from keraudio.errors import KeraudioError
from keraudio.evaluation.votes import VOTES, at_least, vote, vote_clips

PROBABILITIES = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6),
    elements=st.floats(0, 1, width=32),
)


def test_mean_averages_the_windows():
    assert vote([[0.75, 0.25], [0.25, 0.75], [0.5, 0.5], [1.0, 0.0]], how="mean").tolist() == [0.625, 0.375]


def test_majority_is_the_share_of_windows_that_choose_a_label_whatever_their_certainty():
    windows = [[0.51, 0.49], [0.51, 0.49], [0.0, 1.0]]
    np.testing.assert_allclose(vote(windows, how="majority"), [2 / 3, 1 / 3], rtol=1e-6)  # float32
    assert vote(windows, how="mean").argmax() == 1


def test_majority_gives_a_window_that_hesitates_to_the_lowest_index():
    assert vote([[0.2, 0.4, 0.4]], how="majority").tolist() == [0, 1, 0]


def test_majority_leaves_a_tie_of_clips_to_the_lowest_index_under_argmax():
    score = vote([[0.0, 0.9, 0.1], [0.0, 0.0, 1.0]], how="majority")
    assert score[1] == score[2]
    assert score.argmax() == 1


def test_max_of_one_label_a_clip_sums_to_one_and_keeps_the_order():
    score = vote([[0.8, 0.1, 0.1], [0.3, 0.6, 0.1]], how="max")
    np.testing.assert_allclose(score, np.array([0.8, 0.6, 0.1]) / 1.5, rtol=1e-6)  # float32


def test_max_of_several_labels_a_clip_stays_as_it_is():
    assert vote([[0.75, 0.5], [0.25, 1.0]], how="max", multi_label=True).tolist() == [0.75, 1.0]


def test_max_of_all_zero_probabilities_is_zero_not_nan():
    assert vote([[0.0, 0.0]], how="max").tolist() == [0.0, 0.0]


def test_multi_label_majority_counts_windows_that_reach_the_threshold_of_each_label():
    windows = [[0.5, 0.5], [0.6, 0.6], [0.1, 0.9], [0.4, 0.2]]
    assert vote(windows, how="majority", multi_label=True).tolist() == [0.5, 0.75]
    assert vote(windows, how="majority", multi_label=True, threshold=[0.1, 0.9]).tolist() == [1.0, 0.25]


@pytest.mark.parametrize("number", [0.1, 0.7])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_output_reaches_a_threshold_typed_as_the_same_number(number, dtype):
    # float32(0.1) lies above 0.1 and float32(0.7) below 0.7.
    output = np.array([[number]], dtype=dtype)
    assert vote(output, how="majority", multi_label=True, threshold=number).tolist() == [1.0]
    assert at_least(output, number).all()


@given(PROBABILITIES, st.sampled_from(VOTES), st.booleans())
def test_a_single_window_decides_as_it_does_without_a_vote(probabilities, how, multi_label):
    window = probabilities[:1]
    score = vote(window, how=how, multi_label=multi_label)
    assert score.dtype == np.float32
    assert score.shape == window.shape[1:]
    assert ((score >= 0) & (score <= 1)).all()
    if how == "mean" or (how == "max" and multi_label):
        np.testing.assert_array_equal(score, window[0])
    if not multi_label:
        assert window[0, score.argmax()] == pytest.approx(window[0].max(), rel=1e-6)


@given(PROBABILITIES, st.sampled_from(VOTES), st.booleans(), st.randoms(use_true_random=False))
def test_a_clip_gets_the_same_bits_alone_and_among_others_in_any_order(probabilities, how, multi_label, random):
    total = len(probabilities)
    clips = random.randint(1, total)
    owner = [*range(clips), *(random.randrange(clips) for _ in range(total - clips))]
    random.shuffle(owner)
    together = vote_clips(probabilities, owner, how=how, multi_label=multi_label)
    for clip in range(clips):
        alone = vote(probabilities[np.array(owner) == clip], how=how, multi_label=multi_label)
        np.testing.assert_array_equal(together[clip], alone)


def test_the_majority_of_twelve_windows_matches_a_count_by_hand():
    chosen = [0, 2, 2, 1, 2, 0, 1, 2, 2, 0, 1, 0]
    score = vote(np.eye(3)[chosen], how="majority")
    np.testing.assert_allclose(score, [4 / 12, 3 / 12, 5 / 12], rtol=1e-6)  # float32


def test_no_clips_give_no_rows():
    assert vote_clips(np.zeros((0, 3)), []).shape == (0, 3)


def test_a_clip_without_a_window_is_refused_by_its_number():
    with pytest.raises(ValueError, match=r"clip=1$"):
        vote_clips([[1.0], [1.0]], [0, 2])
    with pytest.raises(ValueError, match=r"clip=1$"):
        vote_clips([[1.0]], [0], clips=2)


@pytest.mark.parametrize("owner", [[0], [0, -1], [0, 5], [0.0, 1.0], [[0], [1]]])
def test_clip_numbers_that_do_not_fit_the_windows_are_refused(owner):
    with pytest.raises(ValueError, match="clip_of_window"):
        vote_clips([[1.0], [1.0]], owner, clips=2)


def test_an_unknown_vote_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"mean, majority, max\. Received: how='median'"):
        vote([[1.0]], how="median")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_diverged_model_is_named_instead_of_voting_for_label_0(bad):
    with pytest.raises(KeraudioError, match="1 of 2 windows"):
        vote([[0.5, 0.5], [bad, 0.5]])


def test_logits_are_refused():
    with pytest.raises(KeraudioError, match="logits"):
        vote([[-3.0, 4.0]])


@pytest.mark.parametrize("shape", [(0, 2), (2,), (2, 0), (1, 2, 3)])
def test_a_wrong_shape_is_refused(shape):
    with pytest.raises(ValueError, match="Received"):
        vote(np.zeros(shape))


@pytest.mark.parametrize("threshold", [1.5, -0.1, np.nan, [0.5, 0.5, 0.5]])
def test_a_threshold_that_no_probability_can_mean_is_refused(threshold):
    with pytest.raises(ValueError, match="threshold"):
        vote([[0.5, 0.5]], how="majority", multi_label=True, threshold=threshold)
