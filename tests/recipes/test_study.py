import json
import math
from pathlib import Path
from typing import Any

import pytest

from keraudio.errors import KeraudioError, RecipeError
from keraudio.recipes import (
    Study,
    StudyRow,
    build_classifier,
    format_study,
    load_recipe,
    read_study,
    run_study,
    save_study,
    study_names,
)
from keraudio.recipes.catalog import study_recipe
from keraudio.recipes.schema import check_recipe

ROWS = [(study, row["name"]) for study in study_names() for row in read_study(study)["rows"]]


def test_the_studies_have_the_rows_of_their_tables() -> None:
    published = {study: [row.get("published") for row in read_study(study)["rows"]] for study in study_names()}
    # Read off the paper's text.
    assert published["sample_cnn_table2"] == [
        0.9000, 0.9005, 0.9047, 0.9059, 0.9025, 0.8655, 0.8742, 0.8823, 0.8906, 0.8936, 0.9002, 0.9030, 0.9055,
    ]  # fmt: skip
    assert published["sample_cnn_table3"] == [0.8700, 0.8838, 0.9031, 0.9033, 0.9033, 0.9055, 0.9055]
    times = [row["published_time"] for row in read_study("sample_cnn_table3")["rows"]]
    assert times == [0.23, 0.41, 0.55, 0.69, 0.79, 0.86, 1.0]
    assert len(published["sample_cnn_scales"]) == 8


@pytest.mark.parametrize(("study", "row"), ROWS)
def test_every_row_is_a_recipe_that_builds_at_both_budgets(study: str, row: str) -> None:
    full = load_recipe(f"{study}/{row}")
    assert full.name == f"{study}_{row}"
    small = check_recipe(study_recipe(read_study(study), row, small=True), source=row)
    assert small.training.epochs < full.training.epochs
    sizes = [
        build_classifier(recipe, [str(label) for label in range(50)], multi_label=True).count_params()
        for recipe in (full, small)
    ]
    assert sizes[1] < sizes[0] / 8


@pytest.mark.parametrize("row", [row["name"] for row in read_study("sample_cnn_table3")["rows"]])
def test_windows_of_table_3_are_the_products_of_their_digits(row: str) -> None:
    recipe = load_recipe(f"sample_cnn_table3/{row}")
    digits = [recipe.front_end.options["strides"], *map(int, recipe.backbone.options["pools"].split("-"))]
    assert recipe.audio.window_samples == recipe.audio.hop_samples == math.prod(digits)


def test_names_that_do_not_exist_are_answered_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match="Did you mean 'sample_cnn_table2'"):
        read_study("sample_cnn_table_2")
    with pytest.raises(RecipeError, match="A row of sample_cnn_table3 must be one of .* Did you mean '8000'"):
        load_recipe("sample_cnn_table3/800")


TINY = """
schema = 1
name = "tiny_study"
title = "Two widths"
source = "Nobody"
base = "BASE"
reference = "wide"
published_figure = "accuracy"
[small]
training = { epochs = 1 }
[[rows]]
name = "narrow"
label = "narrow"
published = 0.5
[rows.set]
backbone = { filters = [2] }
[[rows]]
name = "wide"
label = "wide"
published = 0.75
published_time = 1.0
[rows.set]
backbone = { filters = [4] }
"""


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A study of two rows over tones."""
    import tomllib

    from command_line import TINY_RECIPE

    base = tmp_path / "base.toml"
    base.write_text(TINY_RECIPE)
    data = tomllib.loads(TINY.replace("BASE", str(base)))
    monkeypatch.setattr("keraudio.recipes.study.read_study", lambda _name: data)
    return "tiny_study"


def test_a_study_runs_its_rows_and_goes_on_where_it_was_broken_off(
    tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tones import write_tones

    from keraudio.recipes import study as module

    data = f"folder:{write_tones(tmp_path / 'tones')}"
    options: dict[str, Any] = {
        "folder": tmp_path / "study", "seeds": 2, "budget": "small", "cache_folder": tmp_path / "cache",
        "changes": ["training.crops_per_clip=1"],
    }  # fmt: skip
    run, begun = module.run_recipe, []

    def counted(recipe: Any, data: str, **arguments: Any) -> Any:
        begun.append((recipe.name, arguments["seed"]))
        if len(begun) == 3:
            raise KeyboardInterrupt
        return run(recipe, data, **arguments)

    monkeypatch.setattr(module, "run_recipe", counted)
    with pytest.raises(KeyboardInterrupt):
        run_study(tiny, data, **options)
    result = run_study(tiny, data, **options)
    names = ["tiny_study_narrow", "tiny_study_wide"]
    assert begun == [(names[0], 0), (names[1], 0), (names[0], 1), (names[0], 1), (names[1], 1)]
    # Everything is there by now.
    assert run_study(tiny, data, **options) == result and len(begun) == 5

    save_study(result, tmp_path / "study")
    facts = json.loads((tmp_path / "study" / "study.json").read_text())
    assert (facts["data"], facts["budget"], facts["seeds"]) == ("folder", "small", 2)
    for row in facts["rows"]:
        reports = [
            json.loads((tmp_path / "study" / row["name"] / f"seed-{seed}" / "report.json").read_text())
            for seed in (0, 1)
        ]
        values = [report["reports"]["test"]["metrics"]["accuracy"]["value"] for report in reports]
        assert row["values"] == values and row["mean"] == pytest.approx(sum(values) / 2)
        assert [report["epochs"] for report in reports] == [1, 1]
    assert facts["rows"][1]["time_ratio"] == 1.0
    assert (result.failures, facts["failures"]) == (0, 0)
    table = (tmp_path / "study" / "table.md").read_text()
    assert "**Small budget" in table and "| 0.5000 |" in table and str(tmp_path) not in table


def test_rows_and_budgets_that_do_not_exist_are_refused(tiny: str, tmp_path: Path) -> None:
    with pytest.raises(KeraudioError, match="A row must be one of narrow, wide"):
        run_study(tiny, "folder:x", folder=tmp_path / "a", rows=["broad"])
    with pytest.raises(KeraudioError, match="A budget must be one of full, small"):
        run_study(tiny, "folder:x", folder=tmp_path / "a", budget="tiny")


def test_the_table_has_means_intervals_and_the_papers_figures() -> None:
    rows = (
        StudyRow("a", "row a", (0.5, 0.7), 0.4, 0.8, 59, 2.0, 0.5, 0.90, 0.23),
        StudyRow("b", "row b", (0.8, 0.8), 0.8, 0.8, 59, 4.0, 1.0, 0.95, 1.0),
        StudyRow("c", "row c", (0.1, 0.3), 0.1, 0.3, 59, 1.0, 0.25, 0.80, None),
    )
    text = format_study(Study("s", "Title", "Source", "accuracy", "ROC-AUC", "full", "openmusic", 2, rows))
    assert "| row a | 0.600 | [0.400, 0.800] | 0.141 | 2.0 | 0.50 | 0.9000 | 0.23 |" in text
    assert "(Spearman): +1.00, n = 3 rows" in text and "Small budget" not in text and "(n = 59)" in text
