import logging
import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from command_line import run_child

from keraudio.tagging.results import Results, results_file, settings_digest

VALUES = np.float32([0.1, 0.7, 0.2])
# Takes from a child process, whoever runs it, the right to pass over permissions.
POWERLESS = """
import ctypes
ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)())
"""
# What a run does with results; it prints what it finds.
USE = """
import sys, logging, numpy as np
from pathlib import Path
from keraudio.tagging.results import Results
logging.basicConfig(format="%(message)s")
results = Results(Path(sys.argv[1]), "settings")
for n in range(int(sys.argv[2])):
    results.put(f"sound {n}", np.full(1000, n, "float32"), n + 1)
    print(n, results.get(f"sound {n}") is not None)
results.close()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "results.sqlite3"


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_result_comes_back_as_it_was(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    results = Results(file, "settings")
    assert results.get("sound") is None
    results.put("sound", VALUES, 7)
    results.put("other", VALUES[::-1].astype("float64"), 1)
    for again in (results, Results(file, "settings")):
        found = again.get("sound")
        assert found is not None and found[1] == 7 and found[0].dtype == np.float32
        np.testing.assert_array_equal(found[0], VALUES)
        np.testing.assert_array_equal((again.get("other") or [None])[0], VALUES[::-1])
        again.close()
    assert warnings(caplog) == []


def test_a_later_result_takes_the_place_of_an_earlier_one(file: Path) -> None:
    results = Results(file, "settings")
    results.put("sound", VALUES, 7)
    results.put("sound", VALUES * 2, 8)
    found = results.get("sound")
    assert found is not None and found[1] == 8
    np.testing.assert_array_equal(found[0], VALUES * 2)


def test_other_settings_and_other_sounds_find_nothing(file: Path) -> None:
    results = Results(file, "settings")
    results.put("sound", VALUES, 7)
    assert results.get("Sound") is None and Results(file, "setting").get("sound") is None
    # Where one ends and the other begins is no matter of chance.
    assert Results(file, "settings sound").get("") is None and Results(file, "").get("settings sound") is None
    other = Results(file, "other")
    other.put("sound", VALUES + 1, 3)
    found = results.get("sound")
    assert found is not None and found[1] == 7


def test_settings_are_told_apart_by_all_that_they_say() -> None:
    settings = {"windows": 10, "how": "mean", "length": 3.0}
    digest = settings_digest("model", settings)
    assert digest == settings_digest("model", dict(reversed(settings.items())))
    others = [settings | {"windows": 11}, settings | {"how": "vote"}, settings | {"more": None}, {}]
    assert len({digest, settings_digest("Model", settings), *(settings_digest("model", one) for one in others)}) == 6


def test_to_refresh_is_to_find_nothing_and_to_keep_what_is_new(file: Path) -> None:
    Results(file, "settings").put("sound", VALUES, 7)
    fresh = Results(file, "settings", refresh=True)
    assert fresh.get("sound") is None
    fresh.put("sound", VALUES + 1, 9)
    assert fresh.get("sound") is None
    found = Results(file, "settings").get("sound")
    assert found is not None and found[1] == 9


def test_the_file_is_where_the_user_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAUDIO_CACHE", str(tmp_path))
    assert results_file() == tmp_path / "results.sqlite3"
    monkeypatch.delenv("KERAUDIO_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert results_file() == tmp_path / "xdg" / "keraudio" / "results.sqlite3"


def test_folders_are_made_whatever_their_names(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "ünï" / "\udcff ?%41#" / "r.sqlite3"
    Results(file, "settings").put("sound", VALUES, 7)
    assert Results(file, "settings").get("sound") is not None
    assert file.is_file() and warnings(caplog) == []


def test_two_connections_at_once_see_what_the_other_keeps(file: Path) -> None:
    one, two = Results(file, "settings"), Results(file, "settings")
    for n in range(50):
        (one if n % 2 else two).put(f"sound {n}", VALUES + n, n)
        found = (two if n % 2 else one).get(f"sound {n}")
        assert found is not None and found[1] == n
    one.close()
    assert two.get("sound 1") is not None


def test_two_processes_at_once_lose_nothing(file: Path) -> None:
    own = Results(file, "settings")
    own.put("mine", VALUES, 1)
    child = run_child(USE, file, 40)
    assert (child.code, child.err) == (0, b"")
    assert child.lines == [f"{n} True" for n in range(40)]
    assert own.get("mine") is not None
    found = own.get("sound 39")
    assert found is not None and found[1] == 40 and found[0].shape == (1000,)


def unusable(folder: Path) -> dict[str, Path]:
    """Places at which no results can be kept, by a part of the reason."""
    (folder / "text").write_text("this is no database at all, however long one reads on\n" * 50)
    (folder / "folder").mkdir()
    with sqlite3.connect(folder / "other") as other:
        other.execute("CREATE TABLE results (something TEXT)")
    other.close()
    return {
        "file is not a database": folder / "text",
        "unable to open database file": folder / "folder",
        "file exists": folder / "text" / "below",
        "has no column|no such column": folder / "other",
    }


def test_a_place_that_will_not_do_is_one_warning_and_no_results(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for reason, file in unusable(tmp_path).items():
        caplog.clear()
        results = Results(file, "settings")
        for n in range(3):
            assert results.get(f"sound {n}") is None
            results.put(f"sound {n}", VALUES, 7)
        results.close()
        [warning] = warnings(caplog)
        assert warning.startswith(f"{file}: results are not kept: ") and "\n" not in warning
        assert any(part in warning for part in reason.split("|"))
    assert (tmp_path / "text").read_text().startswith("this is no database")


@pytest.mark.parametrize("damaged", [b"\0\0\0", None, "text", 7])
def test_a_damaged_result_is_one_warning(file: Path, caplog: pytest.LogCaptureFixture, damaged: object) -> None:
    results = Results(file, "settings")
    results.put("sound", VALUES, 7)
    results.put("other", VALUES, 7)
    with sqlite3.connect(file) as other:
        other.execute("UPDATE results SET probabilities = ?", (damaged,))
    other.close()
    assert results.get("sound") is None and results.get("other") is None
    assert len(warnings(caplog)) == 1


def test_a_file_damaged_within_is_one_warning(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    results = Results(file, "settings")
    for n in range(200):
        results.put(f"sound {n}", VALUES, n)
    results.close()
    content = bytearray(file.read_bytes())
    content[200:] = b"\xa5" * (len(content) - 200)
    file.write_bytes(content)
    damaged = Results(file, "settings")
    for n in range(200):
        assert damaged.get(f"sound {n}") is None
        damaged.put(f"sound {n}", VALUES, n)
    assert len(warnings(caplog)) == 1


def test_a_folder_that_is_read_only_is_one_warning(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    kept, new = tmp_path / "cache" / "results.sqlite3", tmp_path / "cache" / "below" / "results.sqlite3"
    Results(kept, "settings").put("sound 0", VALUES, 7)
    before = kept.read_bytes()
    kept.chmod(0o444)
    (tmp_path / "cache").chmod(0o555)
    try:
        for file in (kept, new):
            child = run_child(POWERLESS + USE, file, 3)
            assert child.code == 0 and len(child.lines) == 3
            assert child.message.startswith(f"{file}: results are not kept: ") and "\n" not in child.message
    finally:
        (tmp_path / "cache").chmod(0o755)
    assert kept.read_bytes() == before


def test_a_full_disk_is_one_warning(file: Path) -> None:
    # No file may grow beyond what a few results need.
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, 120_000))"
    child = run_child(limit + USE, file, 100)
    assert child.code == 0 and len(child.lines) == 100
    assert child.lines[0] == "0 True" and child.lines[-1] == "99 False"
    assert child.message.startswith(f"{file}: results are not kept: ") and "\n" not in child.message
    # What was kept before is still there.
    assert os.path.getsize(file) <= 120_000
    assert Results(file, "settings").get("sound 0") is not None
