import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Outcome

Command = Callable[..., Outcome]


def test_filters_of_a_run_are_drawn(command: Command, trained_run: Path, tmp_path: Path) -> None:
    # A mel spectrogram's front end has no filter of its own, and its backbone no frames of single filters.
    outcome = command("visualize", "filters", trained_run, "--out", tmp_path / "pictures")
    assert outcome.code == 1 and "no layer" in outcome.message and "\n" not in outcome.message


def test_clips_are_drawn_by_levels(command: Command, trained_run: Path, tones: Path, tmp_path: Path) -> None:
    options = ["--data", f"folder:{tones}", "--out", tmp_path / "pictures"]
    outcome = command("visualize", "tsne", trained_run, *options, "--layers", "-1,-2")
    assert outcome.code == 0
    assert outcome.lines == [str(tmp_path / "pictures" / "tsne.png")]
    assert (tmp_path / "pictures" / "tsne.png").stat().st_size > 5_000
    outcome = command("visualize", "tsne", trained_run, *options, "--labels", "middle")
    assert (
        outcome.code in (1, 2) and outcome.message == "keraudio: A label must be one of high, low. Received: 'middle'"
    )


def test_learned_windows_of_a_run_are_drawn(command: Command, tmp_path: Path, trained_run: Path) -> None:
    import keraudio
    from keraudio.backbones import residual_cnn
    from keraudio.frontends import adaptive_stft

    front_end = adaptive_stft(4000, n_fft=64, hop_length=32, n_mels=8)
    backbone = residual_cnn(front_end.output_shape[1:], filters=(2, 2))
    description = {"labels": ["a", "b"], "sample_rate": 4000, "window": 800, "hop": 400, "multi_label": False}
    model = keraudio.AudioClassifier(front_end, backbone, description)
    (tmp_path / "run").mkdir()
    keraudio.save(model, tmp_path / "run" / "model.keras")
    (tmp_path / "run" / "metrics.csv").write_text("epoch,loss,stft_window_change,stft_kernel_change\n0,1,0.1,3\n")
    outcome = command("visualize", "windows", tmp_path / "run", "--out", tmp_path)
    assert outcome.code == 0, outcome.err
    assert outcome.lines == [str(tmp_path / name) for name in ("windows.png", "changes.png")]
    # A file has no curves beside it.
    outcome = command("visualize", "windows", tmp_path / "run" / "model.keras", "--out", tmp_path)
    assert outcome.lines == [str(tmp_path / "windows.png")]
    outcome = command("visualize", "windows", trained_run, "--out", tmp_path)
    assert outcome.code == 1 and "A model must have a layer AdaptiveSTFT" in outcome.message


@pytest.mark.parametrize("verb", ["filters", "tsne", "windows"])
def test_help_says_how(command: Command, verb: str) -> None:
    outcome = command("visualize", verb, "--help")
    assert outcome.code == 0 and f"keraudio visualize {verb}" in outcome.out.decode()


def test_clips_that_cannot_be_heard_are_named_and_the_rest_is_drawn(
    command: Command, trained_run: Path, tones: Path, tmp_path: Path
) -> None:
    shutil.copytree(tones, tmp_path / "tones")
    (tmp_path / "tones" / "high" / "bad.wav").write_bytes(b"no sound")
    options = ["--data", f"folder:{tmp_path / 'tones'}", "--out", tmp_path]
    outcome = command("visualize", "tsne", trained_run, *options, "--layers", "-1")
    assert outcome.code == 3 and outcome.message.startswith("left out: ") and "bad.wav" in outcome.message
    assert (tmp_path / "tsne.png").is_file()


def test_two_models_are_one_too_many(command: Command, trained_run: Path) -> None:
    both = f"{trained_run},{trained_run}"
    for arguments in (["filters", both], ["tsne", both, "--data", "folder:x"]):
        outcome = command("visualize", *arguments)
        assert outcome.code == 2 and "Give one model" in outcome.message and "\n" not in outcome.message
