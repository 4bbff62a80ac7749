from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Outcome

Command = Callable[..., Outcome]


def test_studies_are_listed(command: Command) -> None:
    outcome = command("study")
    assert outcome.code == 0
    assert [line.split()[0] for line in outcome.lines] == [
        "adaptive_stft",
        "adaptive_stft_options",
        "gafx_table3",
        "gafx_table4",
        "gafx_table5",
        "gafx_table6",
        "gafx_table7",
        "mst_figure3",
        "sample_cnn_scales",
        "sample_cnn_table2",
        "sample_cnn_table3",
        "sample_cnn_table4",
        "sample_cnn_table6",
        "sample_cnn_transfer",
    ]
    assert outcome.lines[0].endswith("(7 rows)") and outcome.lines[-1].endswith("(2 tables)")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sample_cnn_table"], "A study must be one of"),
        (["sample_cnn_table3"], "Missing option '--data'"),
        (["sample_cnn_transfer", "--data", "openmusic:x", "--row", "3_9"], "'--row' needs a study of one table"),
        (["sample_cnn_table3", "--data", "openmusic:x", "--networks", "runs"], "Networks must be given to a study of"),
        (["sample_cnn_table3", "--data", "openmusic:x", "--row", "9000"], "A row must be one of 2000, 4000"),
    ],
)
def test_what_does_not_exist_is_one_line(command: Command, tmp_path: Path, arguments: list[str], said: str) -> None:
    outcome = command("study", *arguments, *(["--out", tmp_path / "out"] if "--data" in arguments else []))
    assert outcome.code in (1, 2) and outcome.out == b""
    assert said in outcome.message and "\n" not in outcome.message
    assert not (tmp_path / "out").exists()


def test_a_study_leaves_its_table_and_picture(command: Command, tones: Path, tmp_path: Path) -> None:
    changes = ["training.epochs=1", "training.crops_per_clip=1", "training.batch_size=4", "data.split=random"]
    sizes = ["backbone.narrowing=32", "front_end.filters=2"]
    options = [part for change in (*changes, *sizes) for part in ("--set", change)]
    # Windows of the study are longer than the tones: silence follows them.
    outcome = command(
        "study", "sample_cnn_table3", "--data", f"folder:{tones}", "--row", "2000", "--row", "4000",
        "--budget", "small", "--out", tmp_path / "study", *options,
    )  # fmt: skip
    assert outcome.code == 0
    text = (tmp_path / "study" / "table.md").read_text()
    assert text in outcome.out.decode() and "2,000 Hz" in text and "0.8838" in text
    picture = (tmp_path / "study" / "table.png").read_bytes()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n" and len(picture) > 5000
    assert (tmp_path / "study" / "curves.png").stat().st_size > 5000
    for row in ("2000", "4000"):
        assert (tmp_path / "study" / row / "seed-0" / "confusion_matrix.png").stat().st_size > 5000
