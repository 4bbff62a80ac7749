import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import write_song
from odd_songs import write_odd_songs
from tones import tone_classifier

from keraudio.audio import find_audio
from keraudio.tagging import Journal, Prediction, apply_proposals, predict_files, propose, read_tags, undo_run
from keraudio.tagging.payload import payload_digest
from keraudio.tagging.song_tags import read_field


@dataclass(frozen=True)
class Collection:
    folder: Path
    reasons: dict[str, str | None]
    before: dict[Path, tuple[Any, ...]]
    predictions: dict[str, Prediction]


def state_of(path: Path) -> tuple[Any, ...]:
    """What a file is, without following links or reading from pipes."""
    status = path.lstat()
    content: Any = None
    if path.is_symlink():
        content = os.readlink(path)
    elif path.is_file() and os.access(path, os.R_OK):
        with open(path, "rb") as file:
            content = hashlib.file_digest(file, "sha256").digest()
    return content, status.st_mode, status.st_size, status.st_mtime_ns


def states_of(folder: Path) -> dict[Path, tuple[Any, ...]]:
    return {path: state_of(path) for path in sorted(folder.rglob("*"))}


@pytest.fixture(scope="module")
def model() -> Any:
    return tone_classifier()


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory, model: Any) -> Collection:
    folder = tmp_path_factory.mktemp("odd") / "songs"
    reasons = write_odd_songs(folder)
    before = states_of(folder)
    predictions = predict_files(model, find_audio([folder], follow=True), jobs=2, tags=True)
    return Collection(folder, reasons, before, {str(one.path.relative_to(folder)): one for one in predictions})


def test_every_file_is_found_once_whatever_the_links_lead_to(collection: Collection) -> None:
    assert len(collection.reasons) > 150
    assert collection.predictions.keys() == collection.reasons.keys()


def test_each_can_be_heard_or_says_why_not_in_one_line(collection: Collection) -> None:
    wrong = {}
    for name, reason in collection.reasons.items():
        found = collection.predictions[name]
        if reason is None:
            fine = found.error is None and found.probabilities is not None and np.isfinite(found.probabilities).all()
        else:
            fine = found.error is not None and re.search(reason, found.error) and found.error.isprintable()
            fine = fine and found.probabilities is None
        if not fine:
            wrong[name] = (reason, found.error)
    assert wrong == {}


def test_an_hour_of_silence_is_heard_through_as_many_windows_as_a_song(collection: Collection) -> None:
    for name in ("long/hour.wav", "long/hour.flac", "long/hour.mp3"):
        found = collection.predictions[name]
        assert found.windows == 10
        # All silence is one silence.
        np.testing.assert_array_equal(found.probabilities, collection.predictions["long/hour.wav"].probabilities)


def test_tags_are_read_whatever_the_suffix_says(collection: Collection) -> None:
    for name in collection.reasons:
        if name.startswith(("kinds/", "wrong/", "whole/")):
            found = collection.predictions[name]
            assert found.tag_error is None and found.tags is not None
            assert (found.tags.genres, found.tags.artist) == (("Old",), "Ärtist")


def test_listening_changes_nothing(collection: Collection) -> None:
    assert states_of(collection.folder) == collection.before


def test_all_that_can_be_heard_is_tagged_and_taken_back_and_nothing_else_is_touched(
    collection: Collection, tmp_path: Path
) -> None:
    folder = collection.folder
    found = list(collection.predictions.values())
    good = [one.path for one in found if one.error is None]
    fields = {path: (read_field(path), payload_digest(path)) for path in good}
    untouched = {folder / name: state_of(folder / name) for name, reason in collection.reasons.items() if reason}
    with Journal(tmp_path / "journal.sqlite3") as journal:
        proposals = (propose(one, existing="replace") for one in found)
        outcomes = list(apply_proposals(proposals, journal, command="test"))
        for outcome in outcomes:
            path, prediction = outcome.proposal.path, outcome.proposal.prediction
            assert prediction is not None
            if path not in good:
                assert outcome.error == prediction.error and not outcome.written
                continue
            if path.name == "shut.flac":
                # Only root has come this far, and its owner has shut it.
                assert outcome.error is not None and outcome.error.endswith("is read-only")
                continue
            assert outcome.error is None and outcome.written, outcome
            assert read_tags(path).genres == prediction.chosen
            assert payload_digest(path) == fields[path][1]
        assert {path: state_of(path) for path in untouched} == untouched
        assert all(one.error is None for one in undo_run(journal, 1))
    assert {path: (read_field(path), payload_digest(path)) for path in good} == fields
    assert {path: state_of(path) for path in untouched} == untouched
    now = states_of(folder)
    assert now.keys() == collection.before.keys()
    # The permissions, and the links, are those of before.
    assert {path: state[1] for path, state in now.items()} == {p: state[1] for p, state in collection.before.items()}


def test_files_that_change_under_way_cost_themselves_alone(model: Any, tmp_path: Path) -> None:
    paths = [write_song(tmp_path / f"{n}.wav", frequency=100 + 100 * n) for n in range(10)]
    predictions = predict_files(model, paths, jobs=1)
    found = [next(predictions)]
    # At most two are opened ahead.
    paths[5].unlink()
    os.truncate(paths[6], 0)
    os.truncate(paths[7], paths[7].stat().st_size // 2)
    paths[8].unlink()
    paths[8].mkdir()
    found += predictions
    expected = {5: "does not exist", 6: "is empty", 7: "truncated", 8: "is a folder"}
    for number, one in enumerate(found):
        assert (expected[number] in str(one.error)) if number in expected else one.error is None
