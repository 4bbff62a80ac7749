"""What became of songs as rows of a table: on standard output, and as a CSV file."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keraudio.audio.sound import readable
from keraudio.errors import TagError
from keraudio.whole_file import whole_file

if TYPE_CHECKING:
    from keraudio.tagging.predict import Prediction
    from keraudio.tagging.write import Outcome

_WRITING = ("state", "current", "new", "written", "move_to")


def prediction_columns(top_k: int) -> list[str]:
    """Names of the columns of `prediction_cells`."""
    ranked = [f"{name}_{rank}" for rank in range(1, top_k + 1) for name in ("label", "probability")]
    return ["path", "label", "probability", "error", *ranked]


def prediction_cells(prediction: "Prediction", top_k: int) -> list[Any]:
    """A prediction: path, label, probability, error, and the likeliest labels."""
    top = prediction.top(top_k)
    ranked = [item for label, value in top for item in (label, f"{value:.6f}")]
    # A model may have fewer labels than columns were asked for.
    ranked += [""] * (2 * top_k - len(ranked))
    confidence = "" if prediction.confidence is None else f"{prediction.confidence:.6f}"
    return [str(prediction.path), "|".join(prediction.chosen), confidence, prediction.error or "", *ranked]


def outcome_columns(top_k: int) -> list[str]:
    """Names of the columns of `outcome_cells`."""
    return [*prediction_columns(top_k), *_WRITING]


def outcome_cells(outcome: "Outcome", top_k: int) -> list[Any]:
    """What was heard in a song, what its genre was and is to be, and whether that was written."""
    prediction = outcome.proposal.prediction
    cells = [str(outcome.proposal.path), "", "", ""] if prediction is None else prediction_cells(prediction, top_k)
    cells[3] = outcome.error or ""
    cells += [""] * (4 + 2 * top_k - len(cells))
    for value in writing_values(outcome).values():
        if isinstance(value, list):
            cells.append("|".join(value))
        elif isinstance(value, bool):
            cells.append(str(value).lower())
        else:
            cells.append("" if value is None else str(value))
    return cells


def writing_values(outcome: "Outcome") -> dict[str, Any]:
    """State, genres before and after, and what was done, by name."""
    proposal = outcome.proposal
    return {
        "state": "failed" if outcome.error else proposal.state,
        "current": None if proposal.current is None else list(proposal.current),
        "new": list(proposal.new),
        "written": outcome.written,
        "move_to": None if proposal.move_to is None else str(proposal.move_to),
    }


def write_results(file: Path, outcomes: Iterable["Outcome"], *, top_k: int = 3) -> None:
    """Writes what became of songs as CSV in UTF-8, a row a song, whole or not at all.

    Args:
        file: made anew; names that are not UTF-8 stand in it as the file system has them.
        outcomes: of the songs.
        top_k: likeliest labels a song. Defaults to 3.

    Raises:
        TagError: it cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(outcome_columns(top_k))
    writer.writerows(outcome_cells(one, top_k) for one in outcomes)
    try:
        with whole_file(file) as temporary:
            # A mark of UTF-8, without which spreadsheets take it for something older.
            temporary.write_bytes(b"\xef\xbb\xbf" + text.getvalue().encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise TagError(f"{readable(file)}: cannot be written: {(error.strerror or str(error)).lower()}") from error
