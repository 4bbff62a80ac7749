import io
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from keraudio.cli import outcomes
from keraudio.cli.outcomes import print_outcomes
from keraudio.cli.progress import SongProgress
from keraudio.tagging import Outcome, Prediction, Proposal

LABELS = ("Rock", "Jazz", "Progressive Rock")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def song(
    name: str = "a.mp3",
    state: str = "change",
    *,
    current: tuple[str, ...] | None = (),
    new: tuple[str, ...] = ("Rock",),
    chosen: tuple[str, ...] = ("Rock",),
    move_to: Path | None = None,
    error: str | None = None,
) -> Outcome:
    probabilities = np.array([0.9, 0.25, 0.125], dtype="float32")
    prediction = Prediction(Path(name), LABELS, probabilities, 4, chosen, None)
    return Outcome(Proposal(Path(name), state, current, new, move_to, prediction), error=error)


def shown(
    monkeypatch: pytest.MonkeyPatch, found: list[Outcome], *, columns: int | None = None, colour: bool = True
) -> str:
    """Standard output, on a terminal of so many columns or on none."""
    out, err = (Terminal(), Terminal()) if columns else (io.StringIO(), io.StringIO())
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        patch.setenv("COLUMNS", str(columns or 80))
        patch.delenv("NO_COLOR", raising=False)
        if not colour:
            patch.setenv("NO_COLOR", "1")
        # The bar of a terminal has tests of its own.
        patch.setattr("keraudio.cli.progress._bar", lambda: None)
        print_outcomes(found, total=len(found), model="m", form=None, top_k=3, root=Path(), writes=False)
    return out.getvalue()


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        (song(), "a.mp3: no genre -> Rock 90%  (Jazz 25%, Progressive Rock 12%)"),
        (song(current=None), "a.mp3: Rock 90%  (Jazz 25%, Progressive Rock 12%)"),
        (song(current=("Pop",), new=("Pop", "Rock")), "a.mp3: Pop -> Pop, Rock 90%  (Jazz 25%, Progressive Rock 12%)"),
        (song(state="keep", current=("Pop",)), "a.mp3: Pop, kept  (Rock 90%, Jazz 25%, Progressive Rock 12%)"),
        (song(state="same", current=("Rock",)), "a.mp3: Rock, right already  (Jazz 25%, Progressive Rock 12%)"),
        (
            song(state="unsure", chosen=(), new=()),
            "a.mp3: no genre, unsure  (Rock 90%, Jazz 25%, Progressive Rock 12%)",
        ),
        (song(state="untaggable", current=None), "a.mp3: Rock 90%, cannot be tagged  (Jazz 25%, Progressive Rock 12%)"),
        (
            song(move_to=Path("Rock/a.mp3").absolute()),
            "a.mp3: no genre -> Rock 90%  (Jazz 25%, Progressive Rock 12%)\n    to Rock/a.mp3",
        ),
        (song("b\x1b[31m\n.mp3", current=("x\ty",)), "b?[31m?.mp3: x?y -> Rock 90%  (Jazz 25%, Progressive Rock 12%)"),
    ],
)
def test_each_state_is_a_line(monkeypatch: pytest.MonkeyPatch, outcome: Outcome, line: str) -> None:
    assert shown(monkeypatch, [outcome]) == f"{line}\n"
    assert "\x1b[" not in shown(monkeypatch, [outcome], columns=200, colour=False)
    assert "\x1b[" in shown(monkeypatch, [outcome], columns=200)


@pytest.mark.parametrize("columns", [80, 120])
@settings(max_examples=50, deadline=None)
@given(name=st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=200))
def test_lines_fit_the_terminal_whatever_the_name(columns: int, name: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        text = shown(patch, [song(f"x{name}.mp3", move_to=Path(f"y{name}.mp3"))], columns=columns, colour=False)
    assert all(cell_len(line) <= columns for line in text.splitlines())
    assert len(text.splitlines()) == 2


def test_the_middle_of_a_long_name_goes_and_its_ends_stay() -> None:
    assert outcomes._shortened("abcdefghijklmnop.mp3", 11) == "abcd....mp3"
    assert outcomes._shortened("short.mp3", 11) == "short.mp3"


def test_the_bar_steps_aside_for_lines_and_is_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with SongProgress(3, "Tagging") as progress:
        for number in range(3):
            progress.print(f"song {number} [not markup]")
            progress.advance()
    text = terminal.getvalue()
    assert [line for line in text.split("\n") if "song" in line and "not markup" in line]
    assert "Tagging" in text and text.count("[not markup]") == 3
    # The last thing that is drawn is an empty line where the bar was.
    assert text.rstrip().endswith(("\x1b[2K", "\x1b[?25h")) or "\x1b[2K" in text[-40:]


def test_without_a_terminal_there_is_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with SongProgress(2, "Tagging") as progress:
        progress.print("one")
        progress.print("two", error=True)
        progress.advance()
    assert capsys.readouterr() == ("one\n", "two\n")
