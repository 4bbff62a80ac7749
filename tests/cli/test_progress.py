import io
import sys

import pytest

from keraudio.cli.progress import FitProgress

ROW = {"loss": 0.5, "accuracy": 0.75, "val_loss": 0.25, "learning_rate": 0.1, "seconds": 3.0}
EVENTS = [
    {"event": "decode", "done": 1, "total": 2},
    {"event": "decode", "done": 2, "total": 2},
    {"event": "bad_clip", "id": "a", "reason": "a.wav: is empty (0 bytes)"},
    {"event": "start", "epoch": 1, "epochs": 3, "steps": 2},
    {"event": "step", "step": 1},
    {"event": "step", "step": 2},
    {"event": "epoch", "row": ROW | {"epoch": 1}, "best_epoch": 1},
    {"event": "step", "step": 1},
    {"event": "epoch", "row": ROW | {"epoch": 2}, "best_epoch": 1},
    {"event": "evaluate", "split": "valid"},
    {"event": "something new"},
]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def show_all() -> None:
    with FitProgress() as progress:
        for event in EVENTS:
            progress(event)


def test_without_a_terminal_each_epoch_is_a_line_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    show_all()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "left out: a.wav: is empty (0 bytes)",
        "epoch 2/3: loss 0.5000 accuracy 0.7500 val_loss 0.2500 (3 s, 0 min left) *",
        "epoch 3/3: loss 0.5000 accuracy 0.7500 val_loss 0.2500 (3 s)",
        "evaluating the valid clips",
    ]


def test_on_a_terminal_there_is_a_bar_that_goes_away_and_the_same_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    show_all()
    shown = terminal.getvalue()
    assert "epoch 2/3: loss 0.5000 accuracy 0.7500 val_loss 0.2500" in shown
    assert "left out: a.wav: is empty (0 bytes)" in shown
    # The cursor is hidden while the bar is drawn, and back at the end.
    assert shown.rfind("\x1b[?25h") > shown.rfind("\x1b[?25l") >= 0
    assert capsys.readouterr().out == ""


def test_an_error_gives_the_terminal_back(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with pytest.raises(KeyboardInterrupt), FitProgress() as progress:
        progress(EVENTS[0])
        raise KeyboardInterrupt
    assert terminal.getvalue().rstrip().endswith("\x1b[?25h") or "\x1b[?25h" in terminal.getvalue()


@pytest.mark.parametrize("text", ["[red]label[/red]", "[/]"])
def test_brackets_in_names_are_no_markup(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with FitProgress() as progress:
        progress({"event": "bad_clip", "id": "x", "reason": text})
    assert f"left out: {text}" in terminal.getvalue()
