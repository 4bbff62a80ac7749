import json
from pathlib import Path

import numpy as np
import pytest
from tones import tone_classifier


def test_features_of_files_are_what_the_networks_layers_give(command, model_file: Path, tones: Path, tmp_path) -> None:
    from keraudio.audio import read_windows
    from keraudio.classifier import load

    out = tmp_path / "features.npz"
    outcome = command("embed", model_file, tones, "-o", out, "--layers", "mel,-1", "--over-windows", "max")
    assert outcome.code == 0 and outcome.lines[0].startswith(f"{out}: 16 files, 24 features of ")
    with np.load(out, allow_pickle=False) as data:
        features, paths, about = data["features"], data["paths"], json.loads(str(data["about"]))
    assert features.shape == (16, 24) and features.dtype == "float32"
    assert about["columns"][0] == {"model": "tones", "layer": "mel", "first": 0, "size": 16}
    assert (about["layers"], about["time"], about["over_windows"]) == (["mel", "-1"], "max", "max")
    model = load(model_file)
    for row in (0, 15):
        windows = read_windows(paths[row], sample_rate=4000, window=2000, hop=1000)
        mel = np.asarray(model.front_end.get_layer("mel")(windows))
        np.testing.assert_allclose(features[row, :16], mel.max(axis=(0, 1)), rtol=1e-5)


def test_parquet_holds_a_list_a_layer(command, model_file: Path, tones: Path, tmp_path: Path) -> None:
    from pyarrow import parquet

    for suffix in (".npz", ".parquet"):
        assert command("embed", model_file, tones, "-o", tmp_path / f"f{suffix}", "--layers", "mel,-1").code == 0
    table = parquet.read_table(tmp_path / "f.parquet")
    with np.load(tmp_path / "f.npz") as data:
        assert table["path"].to_pylist() == data["paths"].tolist()
        np.testing.assert_array_equal(np.array(table["tones/mel"].to_pylist(), "float32"), data["features"][:, :16])
        assert json.loads(table.schema.metadata[b"about"]) == json.loads(str(data["about"]))


def test_several_models_stand_side_by_side(command, model_file: Path, tones: Path, tmp_path: Path) -> None:
    import keraudio

    keraudio.save(tone_classifier(), tmp_path / "other.keras")
    both = f"{model_file},{tmp_path / 'other.keras'}"
    outcome = command("embed", both, tones / "low", "-o", tmp_path / "both.npz", "--layers", "mel", "--windows", 1)
    assert outcome.code == 0
    with np.load(tmp_path / "both.npz") as data:
        assert data["features"].shape == (8, 32)
        assert [column["model"] for column in json.loads(str(data["about"]))["columns"]] == ["tones", "other"]
        np.testing.assert_array_equal(data["features"][:, :16], data["features"][:, 16:])
    outcome = command("embed", f"{model_file},{model_file}", tones, "-o", tmp_path / "twice.npz")
    assert outcome.code == 1 and "Models must have different names. Received: tones, tones" in outcome.message


def test_files_that_cannot_be_read_are_left_out_and_named(command, model_file: Path, tmp_path: Path) -> None:
    from command_line import write_broken_songs, write_song

    (tmp_path / "songs").mkdir()
    reasons = write_broken_songs(tmp_path / "songs")
    write_song(tmp_path / "songs" / "good.wav")
    outcome = command("embed", model_file, tmp_path / "songs", "-o", tmp_path / "f.npz", "--layers", "mel")
    assert outcome.code == 3
    assert len(outcome.message.splitlines()) == len(reasons)
    with np.load(tmp_path / "f.npz") as data:
        assert [Path(path).name for path in data["paths"]] == ["good.wav"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-o", "f.csv"], 1, "A file of features must end in .npz or .parquet. Received: f.csv"),
        (["-o", "f.npz", "--layers", ","], 2, "must be names or levels with commas between. Received: ','"),
        (["-o", "f.npz", "--layers", "mell"], 1, "Received: 'mell'. Did you mean 'mel'?"),
        (["-o", "/dev/null/f.npz"], 1, "cannot be written"),
        ([], 2, "--out"),
    ],
)
def test_what_is_wrong_with_embed_is_one_line(
    command, model_file: Path, tones: Path, arguments: list[str], code: int, message: str
) -> None:
    outcome = command("embed", model_file, tones / "low", *arguments)
    assert outcome.code == code and message in outcome.message and "Traceback" not in outcome.message


def test_a_folder_without_audio_is_code_4(command, model_file: Path, tmp_path: Path) -> None:
    outcome = command("embed", model_file, tmp_path, "-o", tmp_path / "f.npz")
    assert outcome.code == 4 and "no audio found" in outcome.message and not (tmp_path / "f.npz").exists()


def test_what_was_finished_before_an_interruption_is_kept(
    command, model_file: Path, tones: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keraudio.tagging.embed as module

    whole = module.embed_files

    def interrupted(*arguments, **options):
        for count, embedding in enumerate(whole(*arguments, **options)):
            if count == 3:
                raise KeyboardInterrupt
            yield embedding

    monkeypatch.setattr(module, "embed_files", interrupted)
    outcome = command("embed", model_file, tones, "-o", tmp_path / "f.npz")
    assert outcome.code == 130
    with np.load(tmp_path / "f.npz") as data:
        assert data["features"].shape == (3, 8) and len(data["paths"]) == 3
