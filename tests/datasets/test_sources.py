from pathlib import Path

import pytest

from keraudio.datasets import DATASET_KINDS, absolute_spec, describe_kinds, load_manifest
from keraudio.errors import DatasetError


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "a.wav").touch()
    (tmp_path / "clips.csv").write_text("path,label\na.wav,dog\n")
    return tmp_path / "clips.csv"


def test_kind_and_path_find_the_loader(table: Path) -> None:
    assert load_manifest(f"csv:{table}").labels == ("dog",)


def test_options_reach_the_loader(table: Path) -> None:
    assert load_manifest(f"csv:{table}", labels=["hen", "dog"]).labels == ("hen", "dog")


def test_a_tilde_is_the_home_folder(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(table.parent))
    assert load_manifest("csv:~/clips.csv").clips[0].path == table.parent / "a.wav"


def test_a_path_may_hold_colons(tmp_path: Path, table: Path) -> None:
    table.rename(tmp_path / "a:b.csv")
    assert load_manifest(f"csv:{tmp_path}/a:b.csv").name == "a:b"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("clips.csv", "KIND:PATH. Received: 'clips.csv'"),
        ("csv:", "KIND:PATH"),
        ("esc-50:/data", "'esc-50'.*'esc50'"),
        (":/data", "must be one of"),
        ("csv:/no/such/file.csv", "must exist. Received: /no/such/file.csv"),
        (f"csv:/{'a' * 5000}", "cannot be read: File name too long"),
    ],
)
def test_wrong_specs_are_refused(spec: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        load_manifest(spec)


def test_an_unknown_option_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"subst.*'subset'"):
        load_manifest(f"esc50:{tmp_path}", subst="esc10")


def test_an_option_of_a_kind_without_options_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"'openmusic'.*Valid names: none"):
        load_manifest(f"openmusic:{tmp_path}", seed=1)


def test_every_kind_is_described_with_one_line_and_its_options() -> None:
    described = {kind.name: kind for kind in describe_kinds()}
    assert list(described) == list(DATASET_KINDS)
    assert all(kind.summary and "\n" not in kind.summary for kind in described.values())
    assert described["esc50"].options == {"subset": "esc50"}
    assert described["gtzan"].options == {"split": "filtered", "valid_fraction": 0.1, "folds": 10, "seed": 0}


def test_a_data_set_is_written_out_so_that_it_holds_in_any_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert absolute_spec("folder:a/../sounds") == f"folder:{tmp_path}/sounds"
    assert absolute_spec("csv:~/clips.csv") == "csv:/home/somebody/clips.csv"
    assert absolute_spec("folder:/sounds") == "folder:/sounds"
    assert absolute_spec("folder:") == "folder:" and absolute_spec("folder") == "folder"
