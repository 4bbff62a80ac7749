import json
import re

import pytest
from command_line import ENTRY, run_child

from keraudio.audio import find_audio, probe
from keraudio.tagging import demo_folder

CLIPS = find_audio([demo_folder()])


def test_there_are_one_to_five_clips_and_nothing_else_but_their_credits() -> None:
    assert 1 <= len(CLIPS) <= 5
    assert {path.name for path in demo_folder().iterdir()} == {"CREDITS.md", *(clip.name for clip in CLIPS)}


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.stem)
def test_each_clip_is_short_and_small(clip) -> None:
    # Half a sample of slack for the encoder.
    assert 1 <= probe(clip).duration <= 10.01
    assert clip.stat().st_size < 100_000


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.stem)
def test_each_clip_is_credited_with_artist_title_source_and_licence(clip) -> None:
    rows = [line.split("|") for line in (demo_folder() / "CREDITS.md").read_text().splitlines() if clip.name in line]
    assert len(rows) == 1
    cells = [cell.strip() for cell in rows[0][1:-1]]
    assert len(cells) == 5 and all(cells)
    assert re.match(r"CC0|CC BY|BSD|Public domain", cells[4])


def test_the_credits_name_no_clip_that_is_not_there() -> None:
    named = re.findall(r"`([^`]+\.\w+)`", (demo_folder() / "CREDITS.md").read_text())
    assert sorted(named) == sorted(clip.name for clip in CLIPS)


def test_the_demo_gives_each_clip_a_line_and_is_silent_beside_that(tmp_path) -> None:
    # A process of its own, because Keras starts in it: TensorFlow's talk would be on standard error.
    child = run_child(ENTRY, "tag", "--demo", folder=tmp_path, KERAS_BACKEND="tensorflow")
    assert (child.code, child.message) == (0, f"{len(CLIPS)} songs: {len(CLIPS)} named.")
    assert [line.split(": ")[0] for line in child.lines] == [clip.name for clip in CLIPS]
    assert all(re.search(r" -> \S.* \d+%", line) or ", unsure" in line for line in child.lines)
    assert list(tmp_path.iterdir()) == []


def test_the_demo_as_json(capfd: pytest.CaptureFixture[str]) -> None:
    from keraudio.cli.main import run

    assert run(["tag", "--demo", "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert [record["path"] for record in document["files"]] == list(map(str, CLIPS))
    assert all(record["error"] is None and record["windows"] >= 1 for record in document["files"])
