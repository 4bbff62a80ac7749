import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import Outcome, write_song
from tones import LABELS, WINDOW

Command = Callable[..., Outcome]
pytestmark = pytest.mark.usefixtures("fast_load")


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds that change, so that its windows differ: eleven of them, at the model's hop of half a window."""
    path = tmp_path_factory.mktemp("song") / "song.wav"
    time = np.arange(3 * 4000) / 4000
    soundfile.write(path, 0.6 * np.sin(2 * np.pi * 200 * time * (1 + time)) * np.linspace(0.1, 1, len(time)), 4000)
    return path


@pytest.fixture(scope="module")
def window_probabilities(song: Path, model_file: Path) -> np.ndarray:
    """What the model says of each window, cut out by hand and predicted by Keras alone."""
    import keras

    sound = soundfile.read(song, dtype="float32")[0]
    starts = range(0, len(sound) - WINDOW + 1, WINDOW // 2)
    windows = np.stack([sound[start : start + WINDOW] for start in starts])
    assert len(windows) == 11
    return np.asarray(keras.saving.load_model(model_file).predict(windows, verbose=0), dtype="float64")


def top(outcome: Outcome) -> dict[str, float]:
    (record,) = json.loads(outcome.out)["files"]
    return {entry["label"]: entry["probability"] for entry in record["top"]}


@pytest.mark.parametrize("how", [None, "mean", "majority", "max"])
def test_the_probabilities_are_the_votes_of_the_windows(
    command: Command, song: Path, model_file: Path, window_probabilities: np.ndarray, how: str | None
) -> None:
    outcome = command(
        "predict", model_file, song, "--json", "--windows", 11, *([] if how is None else ["--aggregate", how])
    )
    expected = {
        "majority": np.bincount(window_probabilities.argmax(axis=1), minlength=2) / 11,
        "max": window_probabilities.max(axis=0) / window_probabilities.max(axis=0).sum(),
    }.get(how or "mean", window_probabilities.mean(axis=0))
    # Float32, summed in another order, and rounded to six digits.
    assert top(outcome) == pytest.approx(dict(zip(LABELS, expected, strict=True)), abs=3e-6)
    assert json.loads(outcome.out)["files"][0]["windows"] == 11


def test_fewer_windows_are_spread_evenly_over_the_file(
    command: Command, song: Path, model_file: Path, window_probabilities: np.ndarray
) -> None:
    outcome = command("predict", model_file, song, "--json", "--windows", 3)
    expected = window_probabilities[[0, 5, 10]].mean(axis=0)
    assert top(outcome) == pytest.approx(dict(zip(LABELS, expected, strict=True)), abs=3e-6)


def test_a_file_predicts_the_same_alone_and_among_others(
    command: Command, song: Path, model_file: Path, tmp_path: Path
) -> None:
    loud = tmp_path / "loud.wav"
    soundfile.write(loud, np.sign(np.sin(np.arange(9000))), 4000)
    (tmp_path / "bad.wav").touch()
    alone = json.loads(command("predict", model_file, song, "--jsonl").lines[0])
    for jobs in (1, 5):
        among = command("predict", model_file, loud, tmp_path / "bad.wav", song, loud, "--jsonl", "--jobs", jobs)
        assert json.loads(among.lines[2]) == alone


def test_files_come_in_the_order_given_even_twice(command: Command, tmp_path: Path, model_file: Path) -> None:
    files = [write_song(tmp_path / f"{name}.wav", frequency=hz) for name, hz in (("z", 300), ("a", 900), ("m", 500))]
    outcome = command("predict", model_file, *files, files[0], "--jsonl")
    assert [json.loads(line)["path"] for line in outcome.lines] == list(map(str, [*files, files[0]]))


def test_top_k_is_how_many_labels_are_shown(command: Command, song: Path, model_file: Path) -> None:
    assert len(top(command("predict", model_file, song, "--json", "--top-k", 1))) == 1
    assert len(top(command("predict", model_file, song, "--json", "--top-k", 9))) == 2


def test_a_file_of_any_suffix_is_tried(command: Command, song: Path, model_file: Path, tmp_path: Path) -> None:
    renamed = tmp_path / "song.bin"
    renamed.write_bytes(song.read_bytes())
    assert command("predict", model_file, renamed).code == 0


def test_other_rates_and_channels_are_converted(command: Command, model_file: Path, tmp_path: Path) -> None:
    time = np.arange(44_100) / 44_100
    stereo = np.stack([np.sin(2 * np.pi * 250 * time), np.zeros(44_100)], axis=1)
    soundfile.write(tmp_path / "stereo.flac", stereo, 44_100)
    soundfile.write(tmp_path / "mono.wav", 0.5 * np.sin(2 * np.pi * 250 * np.arange(4000) / 4000), 4000)
    outcome = command("predict", model_file, tmp_path / "stereo.flac", tmp_path / "mono.wav", "--jsonl")
    first, second = (json.loads(line)["top"][0] for line in outcome.lines)
    # 250 Hz lies far below both Nyquist rates; what differs is the resampler's start and end.
    assert first["label"] == second["label"]
    assert first["probability"] == pytest.approx(second["probability"], abs=0.02)


def test_missing_files_and_folders_are_failures_of_their_own(
    command: Command, song: Path, model_file: Path, tmp_path: Path
) -> None:
    outcome = command("predict", model_file, tmp_path / "missing.wav", tmp_path, song)
    assert outcome.code == 3 and len(outcome.lines) == 1
    assert outcome.message.splitlines() == [
        f"{tmp_path / 'missing.wav'}: does not exist",
        f"{tmp_path}: is a folder",
        "2 of 3 files could not be read",
    ]


@pytest.mark.parametrize("verb", ["predict", "models", "evaluate"])
@pytest.mark.parametrize(
    ("name", "content", "phrase"),
    [
        ("missing.keras", None, "no such file"),
        ("empty.keras", b"", "not a whole .keras archive"),
        ("garbage.keras", b"garbage" * 100, "not a whole .keras archive"),
        ("weights.h5", b"\x89HDF\r\n\x1a\n", "a model file must end in .keras"),
        ("pickle.pkl", b"\x80\x04.", "a model file must end in .keras"),
    ],
)
def test_a_damaged_model_is_one_line(
    command: Command, song: Path, tmp_path: Path, verb: str, name: str, content: bytes | None, phrase: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    rest = {"predict": [song], "models": [], "evaluate": ["--data", "folder:x"]}[verb]
    outcome = command(verb, tmp_path / name, *rest)
    assert (outcome.code, outcome.out) == (1, b"")
    assert outcome.message.startswith(f"keraudio: {tmp_path / name}: ") and phrase in outcome.message
    assert "\n" not in outcome.message


def test_a_model_cut_short_is_refused(command: Command, song: Path, model_file: Path, tmp_path: Path) -> None:
    whole = model_file.read_bytes()
    for part in (0.2, 0.6, 0.99):
        (tmp_path / "cut.keras").write_bytes(whole[: int(len(whole) * part)])
        outcome = command("predict", tmp_path / "cut.keras", song)
        assert outcome.code == 1 and "not a whole .keras archive" in outcome.message


def test_an_unknown_model_names_the_nearest(command: Command, song: Path) -> None:
    outcome = command("predict", "openmusic_basline", song)
    assert outcome.code == 1
    assert outcome.message.endswith("Received: 'openmusic_basline'. Did you mean 'openmusic_baseline'?")


def test_a_folder_that_is_no_run_is_refused(command: Command, song: Path, tmp_path: Path) -> None:
    outcome = command("predict", tmp_path, song)
    assert (outcome.code, outcome.message) == (
        1,
        f"keraudio: A run folder must hold model.keras. Received: {tmp_path}",
    )
