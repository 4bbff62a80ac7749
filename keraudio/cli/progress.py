"""The progress displays: a bar with its ETA on a terminal, on standard error; elsewhere plain lines."""

import sys
import time
from typing import Any, Self

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

_SHOWN = ("loss", "accuracy", "auc", "val_loss", "val_accuracy", "val_auc")


def _bar() -> Progress | None:
    """A bar on standard error where that is a terminal."""
    if not sys.stderr.isatty():
        return None
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


class _Display:
    """What has a bar on a terminal for as long as it is entered."""

    def __init__(self) -> None:
        self._bar = _bar()

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._bar is not None:
            self._bar.stop()


class SongProgress(_Display):
    """How many songs are done, and when the rest will be, beside lines for people or programs.

    Args:
        total: number of songs.
        stage: what is done with them.
    """

    def __init__(self, total: int, stage: str) -> None:
        super().__init__()
        if self._bar is not None:
            self._task = self._bar.add_task(stage, total=total)

    def advance(self) -> None:
        """One more song is done."""
        if self._bar is not None:
            self._bar.advance(self._task)

    def print(self, line: str, *, error: bool = False) -> None:
        """Prints a line above the bar: to standard output, or where it is an `error`, to standard error."""
        stream = sys.stderr if error else sys.stdout
        if self._bar is not None and stream.isatty():
            # Both are one terminal, where the bar has to step aside.
            self._bar.console.print(Text.from_ansi(line), soft_wrap=True)
        else:
            click.echo(line, err=error)


class FitProgress(_Display):
    """Takes the events of `keraudio.recipes.run_recipe`, of transfer and of embedding, and shows them."""

    def __init__(self) -> None:
        super().__init__()
        self._task: Any = None
        self._stage = ""
        self._epochs = 0
        self._steps = 0
        self._epoch = 0
        self._began = time.perf_counter()

    def __call__(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "decode":
                self._show("Decoding", event["done"], event["total"])
            case "bad_clip":
                self._say(f"left out: {event['reason']}")
            case "start":
                self._epochs, self._steps, self._epoch = event["epochs"], event["steps"], event["epoch"]
                self._began = time.perf_counter()
                self._first = event["epoch"]
                self._show("Training", self._epoch * self._steps, self._epochs * self._steps)
            case "step":
                self._show("Training", self._epoch * self._steps + event["step"], self._epochs * self._steps)
            case "epoch":
                self._epoch = int(event["row"]["epoch"]) + 1
                self._say(self._epoch_line(event))
            case "study_row":
                fold = "" if event.get("fold") is None else f", fold {event['fold']}"
                self._say(f"{event['row']}{fold}, seed {event['seed']}")
            case "copies":
                self._show("Copies", event["done"], event["total"])
            case "range":
                self._show("Range", event["done"], event["total"])
            case "features":
                self._show("Features", event["done"], event["total"])
            case "row":
                row = event["row"]
                figure = row.get("accuracy", row.get("macro_roc_auc"))
                self._say(f"{row['classifier']}, {row['features']}: {figure['value']:.3f}")
            case "trial":
                values = ", ".join(f"{name} {_short(value)}" for name, value in event["parameters"].items())
                self._say(f"trial {event['number']}: {values}")
            case "trial_end":
                trial = event["trial"]
                value = "" if trial.value is None else f", {trial.value:.4f} after {trial.epochs} epochs"
                reason = f": {trial.reason}" if trial.reason else ""
                self._say(f"trial {trial.number} {trial.state}{value}{reason}")
            case "evaluate":
                self._say(f"evaluating the {event['split']} clips")

    def _show(self, stage: str, done: int, total: int) -> None:
        if self._bar is None:
            return
        if stage != self._stage:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._stage, self._task = stage, self._bar.add_task(stage, total=total, completed=done)
        self._bar.update(self._task, completed=done)

    def _epoch_line(self, event: dict[str, Any]) -> str:
        row = event["row"]
        figures = " ".join(f"{name} {row[name]:.4f}" for name in _SHOWN if name in row)
        star = " *" if event["best_epoch"] == row["epoch"] else ""
        remaining = (self._epochs - self._epoch) * (time.perf_counter() - self._began) / (self._epoch - self._first)
        left = f", {remaining / 60:.0f} min left" if self._epoch < self._epochs else ""
        return f"epoch {self._epoch}/{self._epochs}: {figures} ({row['seconds']:.0f} s{left}){star}"

    def _say(self, line: str) -> None:
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False)
        else:
            click.echo(line, err=True)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
