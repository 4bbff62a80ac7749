from pathlib import Path

import pytest

from keraudio.datasets import load_openmusic
from keraudio.errors import DatasetError

HEADER = "id,file,label,artist,title,group,split,evidence"


def write_openmusic(root: Path, rows: list[str]) -> Path:
    for row in rows:
        file = root / row.split(",")[1]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (root / "manifest.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    return root


ROWS = [
    'm-0,audio/metal/m-0.ogg,metal,Björn,Song,pkg/björn,train,"tag, weak"',
    "a-0,audio/ambient/a-0.ogg,ambient,Ann,Air,pkg/ann,test,none",
]


def test_labels_groups_and_splits_come_from_the_table(tmp_path: Path) -> None:
    manifest = load_openmusic(write_openmusic(tmp_path, ROWS))
    assert manifest.labels == ("ambient", "metal")
    assert [(clip.id, clip.group, clip.split) for clip in manifest] == [
        ("m-0", "pkg/björn", "train"),
        ("a-0", "pkg/ann", "test"),
    ]
    assert manifest.clips[0].path == tmp_path / "audio/metal/m-0.ogg"


def test_an_unknown_split_is_named_with_its_line(tmp_path: Path) -> None:
    rows = [ROWS[0], ROWS[1].replace(",test,", ",tset,")]
    with pytest.raises(DatasetError, match=r"line 3: .*'tset'.*'test'"):
        load_openmusic(write_openmusic(tmp_path, rows))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    root = write_openmusic(tmp_path, ROWS)
    (root / "audio/metal/m-0.ogg").unlink()
    with pytest.raises(DatasetError, match="line 2: column 'file' must name a file"):
        load_openmusic(root)


def test_an_artist_in_two_splits_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="'pkg/ann'"):
        load_openmusic(write_openmusic(tmp_path, [*ROWS, "a-1,audio/a-1.ogg,ambient,Ann,B,pkg/ann,train,none"]))
