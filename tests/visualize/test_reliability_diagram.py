import warnings

import numpy as np
import pytest
from PIL import Image

from keraudio.evaluation import reliability
from keraudio.visualize import save_reliability_diagram


def curve(seed: int):
    random = np.random.default_rng(seed)
    probabilities = random.uniform(0, 0.8, (200, 3))
    return reliability(probabilities, random.uniform(size=(200, 3)) < probabilities)


def test_one_or_two_curves_are_drawn_without_warnings(tmp_path) -> None:
    for curves in ({"after": curve(0)}, {"before": curve(0), "after": curve(1)}):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            save_reliability_diagram(curves, tmp_path / "plot.png", title="genres")
        with Image.open(tmp_path / "plot.png") as picture:
            assert 400 < picture.width < 1000 and 400 < picture.height < 1000


def test_points_are_shares_over_confidences_of_bins_that_are_not_empty(monkeypatch) -> None:
    caught = []
    monkeypatch.setattr("keraudio.visualize.reliability_diagram.save_figure", lambda figure, out: caught.append(figure))
    one = curve(0)
    save_reliability_diagram({"after": one}, "unused.png")
    above, below = caught[0].axes
    points = above.lines[1].get_xydata()
    np.testing.assert_allclose(points, np.stack([one.confidences, one.shares], axis=1)[:8])
    assert f"after (error {one.error:.3f})" in [text.get_text() for text in above.get_legend().get_texts()]
    assert [bar.get_height() for bar in below.patches] == one.counts.tolist()


@pytest.mark.parametrize("count", [0, 3])
def test_other_numbers_of_curves_are_refused(count) -> None:
    with pytest.raises(ValueError, match=f"`curves` must be one or two. Received: {count}"):
        save_reliability_diagram({str(i): curve(i) for i in range(count)}, "unused.png")
