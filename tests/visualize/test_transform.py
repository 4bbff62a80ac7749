from pathlib import Path

import numpy as np
import pytest

from keraudio.errors import KeraudioError
from keraudio.frontends import log_mel, mst, strided_conv
from keraudio.visualize import save_front_end_figure, save_transform_figure
from keraudio.visualize.transform import first_kernels


def test_target_and_prediction_are_drawn_side_by_side(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pairs = [(name, *random.uniform(-1, 1, (2, 20, 8))) for name in ("a clip", "a tone")]
    save_transform_figure(pairs, tmp_path / "pairs.png", title="Title")
    assert (tmp_path / "pairs.png").stat().st_size > 10_000


def test_filters_are_those_of_the_convolution_of_the_waveform(tmp_path: Path) -> None:
    front_end = mst(8000, filters=(20, 4, 4), kernel_sizes=(64, 3, 3), strides=32)
    kernels = first_kernels(front_end)
    assert kernels.shape == (20, 64)
    np.testing.assert_array_equal(kernels[3], np.asarray(front_end.get_layer("conv_1").get_weights()[0])[:, 0, 3])
    save_front_end_figure(front_end, 8000, tmp_path / "filters.png")
    assert (tmp_path / "filters.png").stat().st_size > 10_000
    # Fewer filters than places.
    save_front_end_figure(strided_conv(8000, filters=3, kernel_size=8, strides=4), 8000, tmp_path / "few.png")
    assert (tmp_path / "few.png").exists()


def test_other_front_ends_have_no_such_filters() -> None:
    with pytest.raises(KeraudioError, match="can only be drawn of a convolution of it"):
        first_kernels(log_mel(8000, learnable=True))
