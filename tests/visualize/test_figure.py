import os
import subprocess
import sys

import pytest

from keraudio.errors import KeraudioError
from keraudio.visualize.figure import new_figure, save_figure


def test_without_matplotlib_the_command_that_installs_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    with pytest.raises(KeraudioError, match=r"pip install 'keraudio\[plots\]'"):
        new_figure(3, 2)


@pytest.mark.parametrize(
    ("suffix", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF"), ("PNG", b"\x89PNG")]
)
def test_the_suffix_chooses_the_format(tmp_path, suffix, magic):
    out = tmp_path / f"plot.{suffix}"
    save_figure(new_figure(2, 2), out)
    assert out.read_bytes().startswith(magic)


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(KeraudioError, match=r"\.png, \.svg, \.pdf"):
        save_figure(new_figure(2, 2), tmp_path / "plot.doc")


def test_missing_folders_are_made_and_nothing_else_is_left(tmp_path):
    out = tmp_path / "plots" / "new" / "plot.png"
    save_figure(new_figure(2, 2), out)
    assert os.listdir(out.parent) == ["plot.png"]


def test_a_failure_keeps_the_old_picture_and_leaves_no_part_behind(tmp_path, monkeypatch):
    out = tmp_path / "plot.png"
    out.write_bytes(b"old")
    figure = new_figure(2, 2)

    def full_disk(part, **_):
        part.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(figure, "savefig", full_disk)
    with pytest.raises(KeraudioError, match=r"plot\.png: No space left on device"):
        save_figure(figure, out)
    assert out.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["plot.png"]


def test_a_folder_that_is_a_file_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KeraudioError, match="cannot be written") as caught:
        save_figure(new_figure(2, 2), tmp_path / "file" / "plot.png")
    assert "\n" not in str(caught.value)


def test_importing_and_drawing_touch_neither_pyplot_nor_import_matplotlib_early():
    code = (
        "import sys, keraudio.visualize\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from keraudio.visualize.figure import new_figure\n"
        "new_figure(2, 2).add_subplot()\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
