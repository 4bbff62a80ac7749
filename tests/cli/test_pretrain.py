from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Outcome

Command = Callable[..., Outcome]
SMALL = [
    "audio.sample_rate=4000", "audio.window=0.512", "audio.hop=0.256", "front_end.filters=[6,4,8]",
    "front_end.kernel_sizes=[256,3,3]", "front_end.strides=128", "target.n_fft=256", "target.hop_length=128",
    "target.n_mels=8", "training.epochs=1", "training.batch_size=4",
]  # fmt: skip
CHANGES = [part for change in SMALL for part in ("--set", change)]


def test_recipes_for_pretraining_are_listed(command: Command) -> None:
    outcome = command("pretrain")
    assert outcome.code == 0
    assert [line.split()[0] for line in outcome.lines] == ["gafx", "mst"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["mts"], 2, "A recipe must be a known name or a TOML file. Received: 'mts'. Did you mean 'mst'"),
        (["mst"], 2, "Missing option '--data'"),
        (["mst", "--data", "audio:x", "--resume"], 2, "--resume needs --out"),
        (["mst", "--data", "audio:no-such-folder"], 2, "The path of a data set must exist"),
    ],
)
def test_what_cannot_be_done_is_one_line(command: Command, arguments: list[str], code: int, said: str) -> None:
    outcome = command("pretrain", *arguments)
    assert outcome.code == code and outcome.out == b""
    assert said in outcome.message and "\n" not in outcome.message


def test_a_front_end_its_report_and_pictures_are_left(command: Command, tones: Path, tmp_path: Path) -> None:
    outcome = command("pretrain", "mst", "--data", f"audio:{tones}", "--out", tmp_path / "run", *CHANGES)
    assert outcome.code == 0
    text = outcome.out.decode()
    assert "valid: mean squared error" in text and "test: mean squared error" in text and "Best epoch 1 of 1" in text
    for name in ("learning_curves", "comparison", "filters"):
        picture = (tmp_path / "run" / f"{name}.png").read_bytes()
        assert picture[:8] == b"\x89PNG\r\n\x1a\n" and len(picture) > 5000
    assert (tmp_path / "run" / "front_end.keras").exists() and (tmp_path / "run" / "report.json").exists()
