import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pytest
from musicnn_numpy import random_tensors

import keraudio.convert.musicnn as converter
from keraudio.classifier import load
from keraudio.convert import convert_musicnn
from keraudio.errors import KeraudioError, ModelFileError
from keraudio.pipeline import read_checkpoint


def write_checkpoint(folder: Path, tensors: dict[str, np.ndarray]) -> None:
    """The files of a checkpoint without a name, as the wheel has them."""
    import tensorflow as tf

    folder.mkdir(parents=True)
    values = [tf.constant(value) for value in tensors.values()]
    tf.raw_ops.SaveV2(
        prefix=f"{folder}/", tensor_names=list(tensors), shape_and_slices=[""] * len(values), tensors=values
    )


def write_wheel(path: Path, tensors: dict[str, dict[str, np.ndarray]], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel with these checkpoints, which the converter takes for the published one."""
    for name, of_one in tensors.items():
        write_checkpoint(path.parent / "files" / name, of_one)
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted((path.parent / "files").rglob(".*")):
            archive.write(file, f"musicnn/{file.parent.name}/{file.name}")
    monkeypatch.setattr(converter, "WHEEL_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    return path


def test_each_checkpoint_becomes_a_model_with_its_tags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = {name: random_tensors(name, seed) for seed, name in enumerate(converter.TAGS)}
    wheel = write_wheel(tmp_path / "musicnn.whl", tensors, monkeypatch)
    reported: list[Path] = []
    convert_musicnn(tmp_path / "deep" / "out", wheel, report=reported.append)
    assert [path.name for path in reported] == [
        "msd_musicnn.keras", "mtt_musicnn.keras", "msd_vgg.keras", "mtt_vgg.keras",
    ]  # fmt: skip
    for path, name in zip(reported, tensors, strict=True):
        model = load(path)
        expected = converter.build(name)
        converter.assign(expected, name, tensors[name])
        assert model.description.labels == converter.TAGS[name]
        assert model.description.multi_label
        noise = np.random.default_rng(0).uniform(-1, 1, (1, model.description.window)).astype("float32")
        np.testing.assert_array_equal(model.predict(noise, verbose=0), expected.predict(noise, verbose=0))


def test_tags_are_the_labels_of_the_two_data_sets() -> None:
    assert len(set(converter.MSD_TAGS)) == len(set(converter.MTT_TAGS)) == 50
    # Positions in the authors' configuration.
    assert (converter.MSD_TAGS[0], converter.MSD_TAGS[33], converter.MSD_TAGS[49]) == ("rock", "Hip-Hop", "happy")
    assert (converter.MTT_TAGS[0], converter.MTT_TAGS[17], converter.MTT_TAGS[49]) == ("guitar", "opera", "choral")


@pytest.mark.parametrize("damage", ["missing", "shape"])
def test_a_checkpoint_that_does_not_fit_is_named(damage) -> None:
    tensors = random_tensors("MTT_musicnn", 0)
    key = "conv2d_5/kernel"
    tensors[key] = tensors[key][:5]
    if damage == "missing":
        del tensors[key]
    with pytest.raises(ModelFileError, match=f"MTT_musicnn must hold {key}.*Received: (none|\\(5, 561, 1, 64\\))"):
        converter.assign(converter.build("MTT_musicnn"), "MTT_musicnn", tensors)


def test_a_damaged_checkpoint_is_an_error_of_one_line(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "MTT_vgg", {"a": np.zeros(3, "float32")})
    (tmp_path / "MTT_vgg" / ".index").write_bytes(b"no index")
    with pytest.raises(ModelFileError, match="MTT_vgg: not a whole checkpoint: [^\n]+$"):
        read_checkpoint(tmp_path / "MTT_vgg")


def test_a_wheel_that_pip_cannot_fetch_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(
        KeraudioError, match=r"^pip must be able to fetch musicnn==0\.1\.0; .* Received: ERROR: [^\n]+$"
    ):
        convert_musicnn(tmp_path / "out")
    assert not (tmp_path / "out").exists()
