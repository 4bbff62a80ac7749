from pathlib import Path

import keras
import numpy as np
import pytest

from keraudio.errors import KeraudioError
from keraudio.frontends import adaptive_stft, log_mel
from keraudio.visualize import learned_transforms, save_changes_figure, save_windows_figure


def learned(**options) -> keras.Model:
    """A front end whose second transform has another window, and whose kernels of the fifth bin have moved by one."""
    front_end = adaptive_stft(8000, n_fft=64, hop_length=32, n_mels=8, transforms=2, **options)
    layer = front_end.get_layer("stft")
    windows = keras.ops.convert_to_numpy(layer.windows).copy()
    windows[1] = 1.0
    layer.windows.assign(windows)
    if layer.kernels == "free":
        kernels = keras.ops.convert_to_numpy(layer.real_kernels).copy()
        kernels[0, :, 4] += 1 / 8
        layer.real_kernels.assign(kernels)
    return front_end


def test_windows_and_kernels_stand_beside_their_start() -> None:
    one, two = learned_transforms(learned())
    assert (one.name, two.name, one.n_fft) == ("stft 1", "stft 2", 64)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(64) / 64)
    for transform, window in ((one, hann), (two, np.ones(64))):
        np.testing.assert_allclose(transform.start, hann, atol=1e-7)
        np.testing.assert_allclose(transform.window, window, atol=1e-7)
    # 64 coefficients moved by an eighth.
    np.testing.assert_allclose(one.kernel_changes, np.eye(33)[4], atol=1e-5)
    np.testing.assert_allclose(two.kernel_changes, 0, atol=1e-5)
    assert not any(one.kernel_changes.any() for one in learned_transforms(learned(kernels="fixed")))


def test_a_model_without_learned_transforms_is_refused() -> None:
    with pytest.raises(
        KeraudioError, match="A model must have a layer AdaptiveSTFT. Received: log_mel, which has none"
    ):
        learned_transforms(log_mel(8000, n_fft=64, hop_length=32, n_mels=8))


def test_pictures_are_drawn(tmp_path: Path) -> None:
    save_windows_figure(learned_transforms(learned()), 8000, tmp_path / "free.png", title="Title")
    save_windows_figure(learned_transforms(learned(kernels="fixed")), 8000, tmp_path / "fixed.png", title="Title")
    columns = {"loss": [1.0, 0.5], "stft_window_change_1": [0.0, 0.1], "stft_window_change_2": [0.0, 0.2]}
    assert save_changes_figure(columns | {"stft_kernel_change_1": [0.0, 9.0]}, tmp_path / "changes.png", title="Title")
    for name in ("free", "fixed", "changes"):
        assert (tmp_path / f"{name}.png").stat().st_size > 5_000
    assert not save_changes_figure({"loss": [1.0]}, tmp_path / "none.png", title="Title")
    assert not (tmp_path / "none.png").exists()


@pytest.mark.parametrize(
    ("columns", "panels"),
    [
        # What was not learned has no panel; of one transform no name need be said.
        ({"stft_window_change": [0.0, 0.0], "stft_kernel_change": [1.0, 2.0]}, [("Frobenius norm", ["stft"], False)]),
        (
            {"stft_window_change_1": [0.0, 0.1], "stft_window_change_2": [0.0, 0.2], "my_stft_kernel_change": [3.0]},
            [("mean squared", ["stft 1", "stft 2"], True), ("Frobenius norm", ["my stft"], False)],
        ),
    ],
)
def test_only_what_changed_is_drawn(monkeypatch, columns, panels) -> None:
    caught = []
    monkeypatch.setattr("keraudio.visualize.windows.save_figure", lambda figure, out: caught.append(figure))
    assert save_changes_figure({"loss": [1.0, 0.5]} | columns, Path("unused.png"), title="Title")
    for axes, (text, names, named) in zip(caught[0].axes, panels, strict=True):
        assert axes.get_ylabel().startswith(text)
        assert [line.get_label() for line in axes.lines] == names
        assert (axes.get_legend() is not None) == named
    assert not save_changes_figure({"stft_window_change": [0.0, 0.0]}, Path("unused.png"), title="Title")
