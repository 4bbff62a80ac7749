import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Outcome

from keraudio.recipes import pretraining_names, recipe_names

Command = Callable[..., Outcome]


def test_the_list_has_a_line_a_recipe(command: Command) -> None:
    outcome = command("recipes")
    assert (outcome.code, outcome.err) == (0, b"")
    commands = [(name, "fit") for name in recipe_names()] + [(name, "pretrain") for name in pretraining_names()]
    assert [tuple(line.split()[:2]) for line in outcome.lines] == commands
    assert all(len(line.split(None, 2)[2]) > 10 for line in outcome.lines)
    document = json.loads(command("recipes", "--json").out)
    assert document["schema"] == 1
    assert [(recipe["name"], recipe["command"]) for recipe in document["recipes"]] == commands


@pytest.mark.parametrize("name", recipe_names() + pretraining_names())
def test_a_recipe_is_printed_with_every_default_and_can_be_read_again(
    command: Command, name: str, tmp_path: Path
) -> None:
    outcome = command("recipes", name)
    assert outcome.code == 0
    assert tomllib.loads(outcome.out.decode())["training"]["optimizer"] in ("adam", "adamw", "sgd")
    (tmp_path / "again.toml").write_bytes(outcome.out)
    assert command("recipes", tmp_path / "again.toml").out == outcome.out
    document = json.loads(command("recipes", name, "--json").out)
    assert (document["schema"], document["recipe"]["name"]) == (1, name)


def test_an_unknown_name_names_the_nearest(command: Command) -> None:
    outcome = command("recipes", "esc50_basline")
    assert (outcome.code, outcome.out) == (2, b"")
    assert outcome.message.endswith("Received: 'esc50_basline'. Did you mean 'esc50_baseline'?")


def test_a_name_of_pretraining_may_be_the_nearest(command: Command) -> None:
    outcome = command("recipes", "msst")
    assert (outcome.code, outcome.out) == (2, b"")
    assert outcome.message.endswith("Received: 'msst'. Did you mean 'mst'?")
