from pathlib import Path

import numpy as np
import pytest

from keraudio.errors import TagError
from keraudio.tagging import Aliases, Prediction, apply_aliases, read_aliases

LABELS = ("Rock", "Metal", "Hip-Hop", "R&B")


def prediction(*chosen: str, values: tuple[float, ...] = (0.3, 0.9, 0.6, 0.7)) -> Prediction:
    return Prediction(Path("song.mp3"), LABELS, np.float32(values), 3, chosen)


def top(found: Prediction) -> dict[str, float]:
    return {label: round(value, 3) for label, value in found.top(9)}


def test_without_aliases_nothing_changes() -> None:
    found = apply_aliases(prediction("Metal"), Aliases())
    assert (found.labels, found.chosen, found.windows) == (LABELS, ("Metal",), 3)
    np.testing.assert_array_equal(found.probabilities, np.float32([0.3, 0.9, 0.6, 0.7]))


def test_labels_that_become_one_keep_the_greatest_probability() -> None:
    aliases = Aliases(rename={"Hip-Hop": "Urban", "R&B": "Urban", "Metal": "Heavy"})
    found = apply_aliases(prediction("Metal", "R&B", "Hip-Hop"), aliases)
    assert found.labels == ("Rock", "Heavy", "Urban")
    assert found.chosen == ("Heavy", "Urban")
    assert top(found) == {"Heavy": 0.9, "Urban": 0.7, "Rock": 0.3}


@pytest.mark.parametrize("name", ["Hip-Hop", "Rap"])
def test_a_dropped_label_is_no_answer_by_either_name(name: str) -> None:
    aliases = Aliases(rename={"Hip-Hop": "Rap"}, drop=frozenset([name]))
    found = apply_aliases(prediction("Hip-Hop", "R&B"), aliases)
    assert found.labels == ("Rock", "Metal", "R&B") and found.chosen == ("R&B",)
    assert apply_aliases(prediction("Hip-Hop"), aliases).confidence is None


def test_a_parent_follows_its_child_and_is_as_sure() -> None:
    aliases = Aliases(parent={"Metal": "Rock", "Rock": "Guitar Music", "Hip-Hop": "Rap"})
    found = apply_aliases(prediction("Metal", "Hip-Hop"), aliases)
    assert found.chosen == ("Metal", "Rock", "Guitar Music", "Hip-Hop", "Rap")
    assert top(found)["Rock"] == top(found)["Guitar Music"] == 0.9 and top(found)["Rap"] == 0.6


def test_a_parent_is_given_only_with_a_child_and_once() -> None:
    aliases = Aliases(parent={"Metal": "Rock", "R&B": "Rock"})
    assert apply_aliases(prediction("Hip-Hop"), aliases).chosen == ("Hip-Hop",)
    assert apply_aliases(prediction("Metal", "Rock", "R&B"), aliases).chosen == ("Metal", "Rock", "R&B")


def test_a_dropped_parent_lets_its_own_parent_through() -> None:
    aliases = Aliases(parent={"Metal": "Rock", "Rock": "Band"}, drop=frozenset(["Rock"]))
    assert apply_aliases(prediction("Metal"), aliases).chosen == ("Metal", "Band")


def test_a_file_that_cannot_be_read_stays_as_it_is() -> None:
    failed = Prediction(Path("bad.mp3"), LABELS, error="is empty")
    assert apply_aliases(failed, Aliases(rename={"Rock": "R"})) is failed


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text('drop = ["Rock"]\n[rename]\n"R&B" = "Soul"\n[parent]\n"Soul" = "Black Music"\n')
    aliases = read_aliases(path)
    assert aliases == Aliases({"R&B": "Soul"}, frozenset(["Rock"]), {"Soul": "Black Music"})
    assert aliases.names() == {"R&B", "Rock"}
    path.write_text("")
    assert read_aliases(path) == Aliases()


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("drop = [", "aliases must be TOML"),
        (b"\xff\xfe", "aliases must be TOML"),
        ("renme = {}", "aliases must be among drop, parent, rename. Received: 'renme'"),
        ("drop = 'Rock'", "`drop` must be a list of labels. Received: 'Rock'"),
        ("drop = [1]", "`drop` must be a list of labels"),
        ("rename = ['Rock']", "`rename` must be a table from label to name"),
        ("[parent]\nRock = ' '", "`parent` must be a table from label to name"),
        ("[parent]\nRock = 'Rock'", "no label may be its own ancestor. Received: 'Rock'"),
        ("[parent]\nA = 'B'\nB = 'C'\nC = 'A'", "no label may be its own ancestor. Received: 'A'"),
        ("[parent]\nX = 'A'\nA = 'B'\nB = 'A'", "no label may be its own ancestor"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(tmp_path: Path, text: str | bytes, rule: str) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(TagError) as caught:
        read_aliases(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and rule in message and "\n" not in message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TagError, match="none.toml: cannot be read: No such file"):
        read_aliases(tmp_path / "none.toml")
