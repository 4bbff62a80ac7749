import warnings

import numpy as np
import pytest
from PIL import Image

from keraudio.errors import KeraudioError
from keraudio.visualize.confusion_matrix import save_confusion_matrix


def saved_figure(monkeypatch, matrix, labels, **options):
    """The figure that would be written, to look at its parts."""
    caught = []
    monkeypatch.setattr("keraudio.visualize.confusion_matrix.save_figure", lambda figure, out: caught.append(figure))
    save_confusion_matrix(matrix, labels, "unused.png", **options)
    return caught[0]


@pytest.mark.parametrize("size", [1, 2, 10, 50])
def test_a_picture_of_any_size_is_drawn_without_warnings(tmp_path, size):
    matrix = np.random.default_rng(0).integers(0, 2000, (size, size))
    labels = [f"a label with a very long name, number {index}" for index in range(size)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_confusion_matrix(matrix, labels, tmp_path / "plot.png")
    with Image.open(tmp_path / "plot.png") as picture:
        assert picture.info["dpi"] == pytest.approx((120, 120), abs=0.03)  # PNG stores whole dots per metre
        assert 300 < picture.width < 2300
        assert 300 < picture.height < 2300


def test_cells_hold_counts_and_colours_the_share_of_the_row(monkeypatch):
    axes = saved_figure(monkeypatch, [[3, 1], [0, 2]], ["dog", "cat"]).axes[0]
    assert [text.get_text() for text in axes.texts] == ["3", "1", "0", "2"]
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.75, 0.25], [0, 1]])


def test_rows_are_actual_with_their_n_and_columns_predicted(monkeypatch):
    axes = saved_figure(monkeypatch, [[3, 1], [0, 2]], ["dog", "cat"], title="fold 1").axes[0]
    assert axes.get_title() == "fold 1\naccuracy 0.833 (n = 6)"
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["dog  (4)", "cat  (2)"]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["dog", "cat"]
    assert axes.get_ylabel().startswith("actual")
    assert axes.get_xlabel() == "predicted"


def test_a_label_without_clips_has_no_colour_and_no_division_by_zero(monkeypatch):
    axes = saved_figure(monkeypatch, [[0, 0], [1, 1]], ["dog", "cat"]).axes[0]
    assert axes.images[0].get_array().mask.tolist() == [[True, True], [False, False]]


def test_a_matrix_without_clips_says_so(monkeypatch):
    assert saved_figure(monkeypatch, [[0]], ["dog"]).axes[0].get_title() == "no clips"


def test_dollars_in_names_are_no_formulas(tmp_path):
    save_confusion_matrix([[1, 0], [0, 1]], [r"$\broken{", "A$AP $"], tmp_path / "plot.png", title="$x_{")
    assert (tmp_path / "plot.png").stat().st_size > 0


@pytest.mark.parametrize("matrix", [[[1, 2]], [[1]], [[1, 2], [3, -1]], [[1, 2], [3, 0.5]], [[1, 2], [3, np.nan]]])
def test_what_is_no_confusion_matrix_is_refused(tmp_path, matrix):
    with pytest.raises(ValueError, match="`matrix`"):
        save_confusion_matrix(matrix, ["a", "b"], tmp_path / "plot.png")


def test_no_labels_are_refused(tmp_path):
    with pytest.raises(KeraudioError, match="at least one label"):
        save_confusion_matrix(np.zeros((0, 0)), [], tmp_path / "plot.png")
