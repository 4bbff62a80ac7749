import json
import math
from pathlib import Path
from typing import Any

import pytest

from keraudio.errors import DatasetError, KeraudioError, RecipeError
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
from keraudio.recipes.study import _own_settings, _settings

TRAINED = [study for study in study_names() if "base" in read_study(study)]
ROWS = [(study, row["name"]) for study in TRAINED for row in read_study(study)["rows"]]


def test_the_studies_have_the_rows_of_their_tables() -> None:
    tables = {study: read_study(study)["rows"] for study in study_names() if study != "sample_cnn_transfer"}
    assert read_study("sample_cnn_transfer")["studies"] == ["sample_cnn_table4", "sample_cnn_table6"]
    published = {study: [row.get("published") for row in rows] for study, rows in tables.items()}
    one = {study: [row and row[0] for row in rows] for study, rows in published.items()}
    # Read off the paper's text.
    assert one["sample_cnn_table2"] == [
        0.9000, 0.9005, 0.9047, 0.9059, 0.9025, 0.8655, 0.8742, 0.8823, 0.8906, 0.8936, 0.9002, 0.9030, 0.9055,
    ]  # fmt: skip
    assert one["sample_cnn_table3"] == [0.8700, 0.8838, 0.9031, 0.9033, 0.9033, 0.9055, 0.9055]
    times = [row["published_time"] for row in read_study("sample_cnn_table3")["rows"]]
    assert times == [0.23, 0.41, 0.55, 0.69, 0.79, 0.86, 1.0]
    assert len(published["sample_cnn_scales"]) == 8
    assert one["mst_figure3"] == [0.53, 0.62, None, None, None, None, 0.724, 0.769]
    assert [one[f"gafx_table{number}"] for number in (3, 4, 5, 7)] == [
        [0.61, 0.645], [0.471, 0.51], [0.37, 0.4867], [0.61, 0.645, 0.725, None, None, None],
    ]  # fmt: skip
    rows = {row["name"]: row for row in tables["gafx_table6"]}
    assert (rows["gafx_r"]["published"], rows["gafx_u"]["published"]) == ([0.53], [0.725])
    assert rows["gafx_u"]["given_start"] and "published" not in rows["gafx_a"]
    assert one["sample_cnn_table4"] == [0.9046, 0.9061, 0.9061, 0.9064]
    assert [len(row["networks"]) for row in tables["sample_cnn_table4"]] == [1, 2, 4, 8]
    # GTZAN, MagnaTagATune, TAGTRAUM and the Million Song Dataset, for levels -3, -2, -1 and all.
    assert published["sample_cnn_table6"] == [
        [0.778, 0.8988, 0.760, 0.8831], [0.811, 0.8998, 0.768, 0.8838],
        [0.821, 0.8976, 0.768, 0.8842], [0.805, 0.9018, 0.768, 0.8842],
    ]  # fmt: skip
    assert [row["levels"] for row in tables["sample_cnn_table6"]] == [[-3], [-2], [-1], [-1, -2, -3]]


def test_networks_of_a_study_of_features_are_rows_of_a_trained_one() -> None:
    for study in map(read_study, ("sample_cnn_table4", "sample_cnn_table6")):
        known = {row["name"] for row in read_study(study["networks"])["rows"]}
        for row in study["rows"]:
            assert known.issuperset(row["networks"]) and len(row["published"]) == len(study["published_figures"])
    with pytest.raises(RecipeError, match="must be of a study whose rows are trained. Received: sample_cnn_table6/"):
        load_recipe("sample_cnn_table6/level_1")


@pytest.mark.parametrize(("study", "row"), ROWS)
def test_every_row_is_a_recipe_that_builds_at_both_budgets(study: str, row: str) -> None:
    # A front end that is learned beforehand is not there yet.
    full = load_recipe(f"{study}/{row}")
    full = full.model_copy(update={"front_end": full.front_end.model_copy(update={"start": None})})
    assert full.name == f"{study}_{row}"
    small = check_recipe(study_recipe(read_study(study), row, small=True), source=row)
    small = small.model_copy(update={"front_end": small.front_end.model_copy(update={"start": None})})
    assert small.training.epochs < full.training.epochs
    sizes = [
        build_classifier(recipe, [str(label) for label in range(50)], multi_label=True).count_params()
        for recipe in (full, small)
    ]
    # Elsewhere a front end that stays as it is has many of the weights.
    assert sizes[1] < sizes[0] / (8 if study.startswith("sample_cnn") else 1)


def test_a_row_may_be_small_in_its_own_way() -> None:
    study = {
        "name": "s", "title": "Title", "base": "piczak", "small": {"training": {"epochs": 3, "batch_size": 7}},
        "rows": [
            {"name": "a", "label": "a", "set": {"training": {"epochs": 90}}},
            {"name": "b", "label": "b", "set": {"training": {"epochs": 90}}, "small": {"training": {"epochs": 5}}},
        ],
    }  # fmt: skip
    found = {(row, small): study_recipe(study, row, small=small)["training"] for row in "ab" for small in (False, True)}
    assert {key: training["epochs"] for key, training in found.items()} == {
        ("a", False): 90, ("a", True): 3, ("b", False): 90, ("b", True): 5,
    }  # fmt: skip
    assert {training["batch_size"] for (_row, small), training in found.items() if small} == {7}


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
published_figures = ["accuracy"]
[small]
training = { epochs = 1 }
[[rows]]
name = "narrow"
label = "narrow"
published = [0.5]
[rows.set]
backbone = { filters = [2] }
[[rows]]
name = "wide"
label = "wide"
published = [0.75]
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

    from keraudio.recipes import study_runs as module

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
    assert (
        "**Small budget, not the published one. In all rows: `" in table
        and "| 0.5000 |" in table
        and str(tmp_path) not in table
    )


FEATURES = """
schema = 1
name = "tiny_features"
title = "Features of two widths"
source = "Nobody"
networks = "tiny_study"
classifier = "logistic"
units = 4096
published_figures = ["accuracy", "AUC"]
[small]
units = 8
[[rows]]
name = "one"
label = "narrow"
networks = ["narrow"]
levels = [-1]
published = [0.5, 0.6]
[[rows]]
name = "both"
label = "narrow and wide"
networks = ["narrow", "wide"]
levels = [-1, -2]
published = [0.7, 0.8]
"""


@pytest.fixture
def features(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Options of a study that classifies features of the tiny one's networks."""
    import tomllib

    from command_line import TINY_RECIPE

    base = tmp_path / "base.toml"
    base.write_text(TINY_RECIPE.replace("filters = [4]", "filters = [4, 4]"))
    trained = TINY.replace("BASE", str(base)).replace("[2]", "[2, 3]").replace("[4]", "[4, 5]")
    studies = {"tiny_study": tomllib.loads(trained), "tiny_features": tomllib.loads(FEATURES)}
    monkeypatch.setattr("keraudio.recipes.study.read_study", studies.__getitem__)
    return {
        "folder": tmp_path / "study", "budget": "small", "cache_folder": tmp_path / "cache",
        "changes": ["training.crops_per_clip=1"],
    }  # fmt: skip


def test_features_of_networks_are_classified_on_the_split_that_trained_them(
    features: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tones import write_tones

    from keraudio.datasets import load_manifest
    from keraudio.pipeline import cache_clips
    from keraudio.recipes import prepare_manifest, study_runs
    from keraudio.recipes.transfer import measure_head
    from keraudio.training import build_extractor, clip_features, clip_samples, load_sources

    data = f"folder:{write_tones(tmp_path / 'tones')}"
    told: list[dict[str, Any]] = []
    result = run_study("tiny_features", data, progress=told.append, **features)
    assert [event["row"] for event in told if event["event"] == "study_row"] == [
        "narrow", "narrow", "wide", "narrow and wide",
    ]  # fmt: skip
    # The same by hand, both networks in one extractor.
    folders = [tmp_path / "study" / "networks" / row / "seed-0" for row in ("narrow", "wide")]
    sources = load_sources([folder / "model.keras" for folder in folders])
    for source, name in zip(sources, ("narrow", "wide"), strict=True):
        source.name = name
    recipe = load_recipe(folders[0] / "recipe.toml")
    clips = cache_clips(
        prepare_manifest(recipe, data, seed=0), sample_rate=recipe.audio.sample_rate, folder=tmp_path / "cache"
    )
    extractor = build_extractor(sources, ["-1", "-2"], samples=clip_samples(sources, clips, 30.0))
    found = clip_features(extractor, clips)
    for row, columns in zip(result.rows, ("narrow -1", "all"), strict=True):
        figures, _ = measure_head("logistic", found[:, extractor.rows[columns]], [clips.manifest], units=8)
        assert row.values == (figures["accuracy"]["value"],) and row.n == figures["n"] == len(clips.split("test"))
        report = json.loads((tmp_path / "study" / row.name / "seed-0" / "report.json").read_text())
        assert report["columns"] == len(extractor.rows[columns]) and report["units"] == 8
    assert [clip.id for clip in clips.manifest.clips] == [clip.id for clip in load_manifest(data).clips]

    def fails(*_arguments: Any, **_options: Any) -> None:
        raise AssertionError("what is done is done again")

    monkeypatch.setattr(study_runs, "measure_head", fails)
    monkeypatch.setattr(study_runs, "run_recipe", fails)
    assert run_study("tiny_features", data, **features) == result
    save_study(result, tmp_path / "study")
    table = (tmp_path / "study" / "table.md").read_text()
    assert "| narrow | " in table and "| 0.7000 | 0.8000 |" in table and "s an epoch" not in table
    assert "Networks trained on the training clips of folder, classifier: logistic." in table

    # Another network in its place is no silent mixture.
    (folders[0] / "model.keras").write_bytes((folders[1] / "model.keras").read_bytes())
    with pytest.raises(KeraudioError, match="A row goes on only with its own networks, data and budget"):
        run_study("tiny_features", data, **features)


def test_features_on_another_data_set_are_tested_on_each_of_its_folds(features: dict[str, Any], tmp_path: Path) -> None:
    from tones import LABELS, write_tones

    source = f"folder:{write_tones(tmp_path / 'tones')}"
    other = write_tones(tmp_path / "other")
    sounds = sorted(other.rglob("*.wav"))
    lines = [f"{sound},{LABELS[n % 2]},{n // 2 % 4 + 1}" for n, sound in enumerate(sounds)]
    (tmp_path / "other.csv").write_text("path,label,fold\n" + "\n".join(lines) + "\n")
    result = run_study("tiny_features", f"csv:{tmp_path / 'other.csv'}", networks_data=source, rows=["one"], **features)
    assert [row.n for row in result.rows] == [len(sounds)]
    assert (result.data, result.networks_data) == ("csv", "folder")
    # The networks stand for themselves, and can be used again.
    again = run_study(
        "tiny_features",
        source,
        networks=tmp_path / "study" / "networks",
        rows=["one"],
        **features | {"folder": tmp_path / "again"},
    )
    assert again.networks_data == "folder" and not (tmp_path / "again" / "networks").exists()
    with pytest.raises(KeraudioError, match="A run goes on only with its own recipe, data and seed"):
        run_study(
            "tiny_features",
            f"csv:{tmp_path / 'other.csv'}",
            networks=tmp_path / "study" / "networks",
            **features | {"folder": tmp_path / "third"},
        )


def test_a_finished_run_of_another_budget_is_not_taken_for_this_one(tiny: str, tmp_path: Path) -> None:
    from tones import write_tones

    data = f"folder:{write_tones(tmp_path / 'tones')}"
    options: dict[str, Any] = {"folder": tmp_path / "study", "rows": ["wide"], "cache_folder": tmp_path / "cache"}
    run_study(tiny, data, budget="small", **options)
    with pytest.raises(KeraudioError, match="A run goes on only with its own recipe, data and seed"):
        run_study(tiny, data, changes=["training.epochs=3"], **options)


def test_networks_are_for_studies_of_features(tiny: str, tmp_path: Path) -> None:
    with pytest.raises(KeraudioError, match="Networks must be given to a study of features"):
        run_study(tiny, "folder:x", folder=tmp_path / "a", networks_data="folder:y")


def test_rows_and_budgets_that_do_not_exist_are_refused(tiny: str, tmp_path: Path) -> None:
    with pytest.raises(KeraudioError, match="A row must be one of narrow, wide"):
        run_study(tiny, "folder:x", folder=tmp_path / "a", rows=["broad"])
    with pytest.raises(KeraudioError, match="A budget must be one of full, small"):
        run_study(tiny, "folder:x", folder=tmp_path / "a", budget="tiny")


def test_the_table_has_means_intervals_and_the_papers_figures() -> None:
    rows = (
        StudyRow("a", "row a", (0.5, 0.7), 0.4, 0.8, 59, 2.0, 0.5, (0.90,), 0.23),
        StudyRow("b", "row b", (0.8, 0.8), 0.8, 0.8, 59, 4.0, 1.0, (0.95,), 1.0),
        StudyRow("c", "row c", (0.1, 0.3), 0.1, 0.3, 59, 1.0, 0.25, (0.80,), None),
    )
    text = format_study(
        Study("s", "Title", "Source", "accuracy", ("ROC-AUC",), "full", "openmusic", "", "", 2, (), rows)
    )
    assert "| row a | 0.600 | [0.400, 0.800] | 0.141 | 2.0 | 0.50 | 0.9000 | 0.23 |" in text
    assert "paper's ROC-AUC (Spearman): +1.00, n = 3 rows" in text and "In all rows" not in text and "(n = 59)" in text


@pytest.mark.parametrize(("budget", "face"), [("small", "Small budget, not the"), ("full", "Not as the study has it")])
def test_the_tables_face_says_what_was_set(budget: str, face: str) -> None:
    small = {"backbone": {"name": "resnet", "filters": [8, 4]}, "training": {"epochs": 4, "copies": {"count": 1}}}
    settings = _settings(small if budget == "small" else {}, ["training.epochs=9", "data.split=folds"])
    kept = ("backbone.filters=[8, 4]", "training.epochs=9", "training.copies.count=1") if budget == "small" else ()
    assert settings == (*(kept or ("training.epochs=9",)), 'data.split="folds"')
    own = _own_settings(
        {"training": {"epochs": 2}, "backbone": {"name": "resnet", "filters": [2]}}, ["training.epochs=9"]
    )
    assert own == ("backbone.filters=[2]",)
    rows = (StudyRow("a", "row a", (0.5,), 0.4, 0.6, 59), StudyRow("b", "row b", (0.5,), 0.4, 0.6, 59, settings=own))
    study = Study("s", "Title", "Source", "accuracy", (), budget, "openmusic", "", "", 1, (), rows, settings)
    assert "\n\nBesides, or instead, in a row: row b: `backbone.filters=[2]`.\n\n" in format_study(study)
    listed = ", ".join(f"`{one}`" for one in settings)
    said = next(line for line in format_study(study).splitlines() if line.startswith("**"))
    assert said.startswith(f"**{face}") and said.endswith(f"In all rows: {listed}.**")


FOLDS = """
schema = 1
name = "tiny_folds"
title = "Starts"
source = "Nobody"
base = "BASE"
reference = "plain"
published_figures = ["accuracy"]
folds = true
pretraining = "PRETRAINING"
[small]
training = { epochs = 1 }
[small_pretraining]
training = { epochs = 1 }
[[rows]]
name = "plain"
label = "plain"
published = [0.5]
[rows.set]
[[rows]]
name = "learned"
label = "learned"
pretrained = true
[rows.set]
front_end = { start = "runs/mst", frozen = true }
[[rows]]
name = "unfrozen"
label = "unfrozen"
start_row = "learned"
[rows.set]
[[rows]]
name = "given"
label = "given"
given_start = true
[rows.set]
[[rows]]
name = "every"
label = "every"
every_fold = true
[rows.set]
training = { keep = "last" }
[[rows]]
name = "more"
label = "more"
pretrained = true
more_data = true
[rows.set]
front_end = { start = "runs/mst", frozen = true }
"""


@pytest.fixture
def over_folds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A study over three folds of tones, with front ends that learn beforehand; gives the data set."""
    import tomllib

    import tomli_w
    from small_pretraining import TINY as PRETRAINING
    from small_pretraining import fit_recipe
    from tones import LABELS, write_tones

    from keraudio.recipes.load import dump_recipe

    (tmp_path / "base.toml").write_text(dump_recipe(fit_recipe(None)))
    (tmp_path / "pretraining.toml").write_text(tomli_w.dumps(PRETRAINING))
    text = FOLDS.replace("BASE", str(tmp_path / "base.toml")).replace("PRETRAINING", str(tmp_path / "pretraining.toml"))
    monkeypatch.setattr("keraudio.recipes.study.read_study", lambda _name: tomllib.loads(text))
    sounds = sorted(write_tones(tmp_path / "tones").rglob("*.wav"))
    lines = [f"{sound},{LABELS[n // 8]},{n % 3 + 1}" for n, sound in enumerate(sounds)]
    (tmp_path / "tones.csv").write_text("path,label,fold\n" + "\n".join(lines) + "\n")
    return f"csv:{tmp_path / 'tones.csv'}"


def test_each_fold_is_tested_once_and_no_front_end_has_heard_it(over_folds: str, tmp_path: Path) -> None:
    import tomllib

    import keraudio
    from keraudio.visualize import read_metrics

    options: dict[str, Any] = {"folder": tmp_path / "study", "budget": "small", "cache_folder": tmp_path / "cache"}
    result = run_study("tiny_folds", over_folds, **options)
    assert [row.name for row in result.rows] == ["plain", "learned", "unfrozen", "every"] and result.folds == (1, 2, 3)
    assert {row.n for row in result.rows} == {16} and {len(row.values) for row in result.rows} == {3}
    for fold, before, other in ((1, 3, 2), (2, 1, 3), (3, 2, 1)):
        wanted = {"train_folds": [other], "valid_folds": [before], "test_folds": [fold]}
        for row in ("plain", "learned", "unfrozen", "pretraining"):
            folder = tmp_path / "study" / row / f"fold-{fold}" / "seed-0"
            data = tomllib.loads((folder / "recipe.toml").read_text())["data"]
            assert {name: data[name] for name in wanted} == wanted
    # Nothing is selected where the last fold but the tested one is trained on, too.
    folder = tmp_path / "study" / "every" / "fold-2" / "seed-0"
    data = tomllib.loads((folder / "recipe.toml").read_text())["data"]
    assert (data["train_folds"], data.get("valid_folds", []), data["test_folds"]) == ([1, 3], [], [2])
    assert not any(name.startswith("val_") for name in read_metrics(folder / "metrics.csv")[1])
    assert result.rows[3].curve == () and len(result.rows[3].loss_curve) == 1

    # What was learned beforehand is kept to the bit, and what then was unfrozen began there.
    runs = {row: tmp_path / "study" / row / "fold-2" / "seed-0" for row in ("pretraining", "learned", "unfrozen")}
    from keraudio.learned_front_end import load_front_end

    learned = load_front_end(runs["pretraining"] / "front_end.keras").front_end.get_weights()
    frozen, unfrozen = (keraudio.load(runs[row] / "model.keras").front_end for row in ("learned", "unfrozen"))
    for one, other in zip(learned, frozen.get_weights(), strict=True):
        assert (one == other).all()
    moved = [abs(one - other).max() for one, other in zip(learned, unfrozen.get_weights(), strict=True)]
    assert 0 < max(moved) < 0.2

    differences = {row.name: row.difference for row in result.rows}
    values = {row.name: row.values for row in result.rows}
    assert differences["plain"] is None and differences["learned"] is not None
    paired = [one - other for one, other in zip(values["learned"], values["plain"], strict=True)]
    assert differences["learned"][0] == pytest.approx(sum(paired) / 3)
    text = format_study(result)
    assert "95 % interval of 3 folds (tested: 1, 2, 3)" in text and "| difference from the reference, paired |" in text
    assert run_study("tiny_folds", over_folds, **options) == result

    histories = [
        read_metrics(tmp_path / "study" / "plain" / f"fold-{fold}" / "seed-0" / "metrics.csv")[1] for fold in (1, 2, 3)
    ]
    accuracies = [history["val_accuracy"][0] for history in histories]
    losses = [history["loss"][0] for history in histories]
    assert result.rows[0].loss_curve == ((pytest.approx(sum(losses) / 3), min(losses), max(losses)),)
    assert result.rows[0].curve == ((pytest.approx(sum(accuracies) / 3), min(accuracies), max(accuracies)),)

    # Of one fold there are no pairs, and what is done is not done again.
    one = run_study("tiny_folds", over_folds, only_folds=[2], **options)
    assert one.folds == (2,) and [row.values for row in one.rows] == [values[row.name][1:2] for row in one.rows]
    assert all(row.difference is None and row.n in (5, 6) for row in one.rows)
    with pytest.raises(DatasetError, match=r"A fold must be one of \[1, 2, 3\]. Received: 4"):
        run_study("tiny_folds", over_folds, only_folds=[4], **options)

    # A front end that is given is where its row begins.
    given = tmp_path / "study" / "pretraining" / "fold-1" / "seed-0"
    last = run_study("tiny_folds", over_folds, rows=["given"], only_folds=[2], start=given, **options)
    assert [row.name for row in last.rows] == ["given"]
    recipe = tomllib.loads((tmp_path / "study" / "given" / "fold-2" / "seed-0" / "recipe.toml").read_text())
    assert recipe["front_end"]["start"] == str(given)

    # With more data there is a row more, whose front end has a pretraining of its own.
    again = run_study("tiny_folds", over_folds, rows=["more"], more_data=[f"audio:{tmp_path / 'tones'}"], **options)
    assert [row.name for row in again.rows] == ["more"]
    assert (tmp_path / "study" / "pretraining_more" / "fold-1" / "seed-0" / "front_end.keras").exists()


def test_rows_of_more_data_need_it(over_folds: str, tiny: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"folder": tmp_path / "study", "more_data": ["audio:x"]}
    with pytest.raises(KeraudioError, match="More data must be given to a study that pretrains on it"):
        run_study(tiny, "folder:x", **options)


def test_rows_that_begin_with_a_given_front_end_need_it(tiny: str, tmp_path: Path) -> None:
    with pytest.raises(KeraudioError, match="A start must be given to a study with rows that need one"):
        run_study(tiny, "folder:x", folder=tmp_path / "study", start=tmp_path / "front_end.keras")


def test_folds_are_only_chosen_of_a_study_over_folds(tiny: str, tmp_path: Path) -> None:
    with pytest.raises(KeraudioError, match="Folds must be given to a study over folds"):
        run_study(tiny, "folder:x", folder=tmp_path / "study", only_folds=[1])


def test_folds_are_needed_where_a_study_has_them(over_folds: str, tmp_path: Path) -> None:
    for row in ("more", "given"):
        with pytest.raises(KeraudioError, match=f"row '{row}' needs more data .* or a front end's file"):
            run_study("tiny_folds", over_folds, folder=tmp_path / "study", rows=[row])
    with pytest.raises(DatasetError, match="needs a data set with at least 3 folds. Received: 0"):
        run_study("tiny_folds", f"folder:{tmp_path / 'tones'}", folder=tmp_path / "study")
