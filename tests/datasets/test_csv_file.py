from pathlib import Path

import pytest

from keraudio.datasets import load_csv
from keraudio.errors import DatasetError


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    for name in ("a.wav", "b.wav", "sub/c.wav"):
        (tmp_path / name).touch()
    return tmp_path / "clips.csv"


def test_paths_are_relative_to_the_table(table: Path) -> None:
    table.write_text("path,label\na.wav,dog\nsub/c.wav,cat\n")
    manifest = load_csv(table)
    assert [clip.path for clip in manifest] == [table.parent / "a.wav", table.parent / "sub/c.wav"]
    assert [clip.id for clip in manifest] == ["a.wav", "sub/c.wav"]
    assert (manifest.name, manifest.labels, manifest.multi_label) == ("clips", ("cat", "dog"), False)


def test_absolute_paths_stay(table: Path) -> None:
    table.write_text(f"path,label\n{table.parent / 'a.wav'},dog\n")
    assert load_csv(table).clips[0].path == table.parent / "a.wav"


def test_all_optional_columns_are_read(table: Path) -> None:
    table.write_text("id,group,fold,split,label,path\nx,album,3,valid,dog,a.wav\ny,,,,cat,b.wav\n")
    first, second = load_csv(table)
    assert (first.id, first.group, first.fold, first.split, first.labels) == ("x", "album", 3, "valid", ("dog",))
    assert (second.group, second.fold, second.split) == (None, None, None)


def test_several_labels_are_separated_by_bar_or_semicolon(table: Path) -> None:
    table.write_text("path,labels\na.wav,dog|cat\nb.wav,cat ; hen\nsub/c.wav,\n")
    manifest = load_csv(table)
    assert [clip.labels for clip in manifest] == [("dog", "cat"), ("cat", "hen"), ()]
    assert manifest.multi_label
    assert manifest.labels == ("cat", "dog", "hen")


def test_a_byte_order_mark_is_tolerated(table: Path) -> None:
    table.write_text("path,label\na.wav,dog\n", encoding="utf-8-sig")
    assert load_csv(table).labels == ("dog",)


def test_the_vocabulary_can_be_given_in_its_order(table: Path) -> None:
    table.write_text("path,label\na.wav,dog\n")
    assert load_csv(table, labels=["hen", "dog"]).labels == ("hen", "dog")


def test_a_label_outside_the_given_vocabulary_is_refused(table: Path) -> None:
    table.write_text("path,label\na.wav,dgo\n")
    with pytest.raises(DatasetError, match=r"line 2: .*'dgo'.*'dog'"):
        load_csv(table, labels=["hen", "dog"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path,lable\na.wav,dog\n", "unknown column. Received: 'lable'. Did you mean 'label'"),
        ("paht,label\na.wav,dog\n", "unknown column. Received: 'paht'. Did you mean 'path'"),
        ("label\ndog\n", "column 'path' must be there"),
        ("path\na.wav\n", "exactly one of the columns 'label' and 'labels'"),
        ("path,label,labels\na.wav,dog,dog\n", "exactly one of the columns"),
        ("path,label\na.wav,dog\nb.wav,\n", "line 3: column 'label' must not be blank"),
        ("path,label\na.wav,dog\nnone.wav,dog\n", "line 3: column 'path' must name a file"),
        ("path,label\na.wav,dog\na.wav,cat\n", "line 3: .*'a.wav', also on line 2"),
        ("path,label,split\na.wav,dog,trian\n", "line 2: .*'trian'.*'train'"),
        ("path,label,fold\na.wav,dog,x\n", "line 2: column 'fold'"),
        ("path,labels\na.wav,dog|dog\n", "line 2: a clip must carry a label once"),
        ("path,label,split,group\na.wav,dog,train,g\nb.wav,dog,test,g\n", "group='g'"),
    ],
)
def test_bad_tables_are_refused_with_the_place(table: Path, content: str, message: str) -> None:
    table.write_text(content)
    with pytest.raises(DatasetError, match=message) as caught:
        load_csv(table)
    assert "\n" not in str(caught.value)
