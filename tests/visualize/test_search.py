"""A search's pictures: each point where its value says, each choice where the recipe's order says."""

import pytest

from keraudio.visualize import save_importances, save_parallel_coordinates, save_search_history


@pytest.fixture
def drawn(monkeypatch):
    """Figures in place of the files that they would be written to."""
    caught = []
    monkeypatch.setattr("keraudio.visualize.search.save_figure", lambda figure, out: caught.append(figure))
    return caught


@pytest.mark.parametrize(("maximized", "best"), [(True, [0.2, 0.5, 0.5]), (False, [0.2, 0.2, 0.1])])
def test_the_best_so_far_is_of_complete_trials_alone(drawn, maximized, best):
    trials = [(0, 0.2, True), (1, 0.9, False), (2, 0.5, True), (4, 0.1, True), (5, 0.0, False)]
    save_search_history(trials, "unused.png", title="A search", metric="val_accuracy", maximized=maximized)
    lines = {line.get_label(): line for line in drawn[0].axes[0].lines}
    assert list(lines["pruned"].get_xdata()) == [1, 5]
    assert list(lines["best so far"].get_xdata()) == [0, 2, 4]
    assert list(lines["best so far"].get_ydata()) == best


def test_the_greatest_importance_is_on_top(drawn):
    save_importances({"rate": 0.1, "decay": 0.7, "parts": 0.2}, "unused.png", title="A search", metric="val_loss")
    axes = drawn[0].axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["rate", "parts", "decay"]
    assert [bar.get_width() for bar in axes.patches] == [0.1, 0.2, 0.7]


def parallel(drawn, trials, **options):
    save_parallel_coordinates(trials, "unused.png", title="A search", metric="val_loss", maximized=False, **options)
    axes = drawn[-1].axes[0]
    lines = [list(line.get_ydata()) for line in axes.lines if len(line.get_xdata()) > 2]
    written = {(text.xy[0], text.get_text()): text.xy[1] for text in axes.texts}
    return lines, written


def test_choices_stand_in_their_order_tried_or_not_and_numbers_where_they_lie(drawn):
    trials = [
        ({"parts": "12", "rate": 0.001, "size": 64}, 0.3),
        ({"parts": "3", "rate": 0.1, "size": 16}, 0.2),
        ({"parts": "1", "rate": 0.01, "size": 16}, 0.1),
    ]
    choices = {"parts": ("1", "3", "6", "12"), "size": (16, 32, 64)}
    lines, written = parallel(drawn, trials, logarithmic=["rate"], choices=choices)
    # The best is drawn last, so that it lies on top.
    assert lines == [
        pytest.approx([1, 0, 1]),
        pytest.approx([1 / 3, 1, 0]),
        pytest.approx([0, 0.5, 0]),
    ]
    assert [written[0, name] for name in choices["parts"]] == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert (written[1, "0.001"], written[1, "0.1"]) == (0, 1)
    assert [written[2, name] for name in ("16", "32", "64")] == [0, 0.5, 1]


def test_what_never_varied_stands_in_the_middle(drawn):
    trials = [({"optimizer": "sgd", "rate": 0.1, "noise": "no"}, 0.5)]
    lines, _ = parallel(drawn, trials, choices={"optimizer": ("sgd",), "noise": ("yes", "no")})
    assert lines == [[0.5, 0.5, 1]]
