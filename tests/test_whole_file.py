import os
import stat
from pathlib import Path

import pytest

from keraudio.whole_file import whole_file


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_takes_its_place_once_it_is_whole(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    with whole_file(path, durable=durable) as temporary:
        assert temporary.suffix == ".json" and temporary.parent == tmp_path and temporary.read_bytes() == b""
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_stood_there_stays_where_writing_fails(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    with pytest.raises(error), whole_file(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]


def test_a_writer_may_put_another_file_in_the_temporary_ones_place(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a.bin") as temporary:
        temporary.unlink()
        temporary.write_bytes(b"again")
    assert (tmp_path / "a.bin").read_bytes() == b"again"


def test_it_may_be_read_by_whom_any_new_file_may(tmp_path: Path) -> None:
    (tmp_path / "any").touch()
    with whole_file(tmp_path / "a.txt"):
        pass
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == stat.S_IMODE((tmp_path / "any").stat().st_mode)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "none" / "a.txt"):
        pytest.fail("there is nothing to write to")
    assert os.listdir(tmp_path) == []
