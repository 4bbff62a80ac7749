import hashlib
from collections.abc import Callable
from pathlib import Path

from command_line import Outcome

Command = Callable[..., Outcome]


def test_another_wheel_is_refused_and_nothing_is_written(tmp_path: Path, command: Command) -> None:
    wheel = tmp_path / "musicnn-0.1.0-py3-none-any.whl"
    wheel.write_bytes(b"another wheel")
    outcome = command("convert", "musicnn", "--out", tmp_path / "out", "--wheel", wheel)
    assert outcome.code == 1
    assert outcome.lines == []
    assert hashlib.sha256(b"another wheel").hexdigest() in outcome.err.decode()
    assert len(outcome.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_wheel_that_is_not_there_is_named(tmp_path: Path, command: Command) -> None:
    outcome = command("convert", "musicnn", "--out", tmp_path / "out", "--wheel", tmp_path / "none.whl")
    assert (outcome.code, outcome.err.decode()) == (1, f"keraudio: {tmp_path}/none.whl: no such file\n")


def test_sample_cnn_weights_become_a_model(command: Command, tmp_path: Path) -> None:
    import h5py
    import numpy as np

    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        file.attrs["layer_names"] = [b"dense_1"]
        file.create_group("dense_1").attrs["weight_names"] = [b"dense_1_W"]
        file["dense_1/dense_1_W"] = np.zeros((4, 50))
    outcome = command("convert", "sample_cnn", tmp_path / "w.hdf5", "--labels", "mtat", "--out", tmp_path / "m.keras")
    assert outcome.code == 1 and "must hold strided convolution" in outcome.message
    outcome = command("convert", "sample_cnn", tmp_path / "w.hdf5", "--labels", tmp_path / "no", "--out", "m.keras")
    assert outcome.code == 1 and "no such file" in outcome.message
    (tmp_path / "latin").write_bytes(b"\xe9t\xe9\n")
    outcome = command("convert", "sample_cnn", tmp_path / "w.hdf5", "--labels", tmp_path / "latin", "--out", "m.keras")
    assert outcome.code == 1 and outcome.message.endswith("latin: labels must be UTF-8 text, one a line")
    outcome = command("convert", "sample_cnn", tmp_path / "w.hdf5", "--labels", "mtat", "--out", tmp_path / "m.h5")
    assert outcome.code == 1 and "A model file must end in .keras" in outcome.message


def test_an_ast_becomes_a_model_and_what_is_wrong_is_one_line(command: Command, tmp_path: Path) -> None:
    (tmp_path / "ast").mkdir()
    outcome = command("convert", "ast", tmp_path / "ast", "--out", tmp_path / "m.keras")
    assert outcome.code == 1 and outcome.message.endswith("must have it: no such file")
    outcome = command("convert", "ast", tmp_path / "ast", "--out", tmp_path / "m.h5", "--multi-label")
    assert outcome.code == 1 and "A model file must end in .keras" in outcome.message
