"""Studies: the rows of a paper's table, each a recipe, run one by one and set beside the published figures."""

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy import stats

from keraudio.errors import KeraudioError
from keraudio.recipes.catalog import read_study, study_recipe
from keraudio.recipes.load import apply_changes
from keraudio.recipes.run import RECIPE_FILE, REPORT_FILE, run_recipe
from keraudio.recipes.schema import check_recipe
from keraudio.whole_file import whole_file

BUDGETS = ("full", "small")
# Of each data set's kind, which figure of the report stands in the table.
_FIGURES = (("macro_roc_auc", "macro ROC-AUC"), ("accuracy", "accuracy"))

Progress = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class StudyRow:
    """A row of the table.

    Attributes:
        name: of the row.
        label: for people.
        values: the figure on the test clips, one a seed.
        low: lower end of its 95 % interval: over seeds (Student's t) if there are several, else over groups of clips.
        high: upper end.
        n: test clips.
        seconds: of training an epoch, the mean over all epochs and seeds.
        time_ratio: `seconds` over the reference row's, or None.
        published: the paper's figure, or None.
        published_time: the paper's ratio, or None.
    """

    name: str
    label: str
    values: tuple[float, ...]
    low: float
    high: float
    n: int
    seconds: float
    time_ratio: float | None = None
    published: float | None = None
    published_time: float | None = None

    @property
    def mean(self) -> float:
        """Mean of the figure over the seeds."""
        return statistics.fmean(self.values)

    @property
    def spread(self) -> float | None:
        """Standard deviation of the figure over the seeds; None of one seed."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None


@dataclass(frozen=True)
class Study:
    """A study's result.

    Attributes:
        name: of the study.
        title: for people.
        source: where the published figures come from.
        figure: what is measured here.
        published_figure: what the paper measured.
        budget: `"full"` or `"small"`.
        data: the kind of data set.
        seeds: number of seeds.
        rows: those that are done.
        failures: clips that could not be decoded, over all runs.
    """

    name: str
    title: str
    source: str
    figure: str
    published_figure: str
    budget: str
    data: str
    seeds: int
    rows: tuple[StudyRow, ...]
    failures: int = 0


def run_study(
    name: str,
    data: str,
    *,
    folder: Path,
    seeds: int = 1,
    budget: str = "full",
    rows: Sequence[str] = (),
    changes: Sequence[str] = (),
    cache_folder: Path | None = None,
    progress: Progress | None = None,
) -> Study:
    """Runs what of a study is not done yet, row by row and seed by seed, and gives the table of it.

    Each run has a folder of its own, `folder/ROW/seed-N`, as `run_recipe` makes it; a run with a report is done, and
    one that was broken off goes on.

    Args:
        name: one of `study_names()`.
        data: `"KIND:PATH"`.
        folder: of the study; made if needed.
        seeds: runs of each row, with seeds 0, 1 ... Defaults to 1.
        budget: `"small"` narrows filters and epochs as the study says. Defaults to `"full"`.
        rows: names of those to run. Defaults to all.
        changes: `"section.key=value"` each, of every row's recipe.
        cache_folder: of decoded clips. Defaults to the platform's.
        progress: called with `{"event": ..., ...}` as things happen.

    Raises:
        KeraudioError: there is no such study or row, a recipe cannot be run, or the folder has another study's runs.
    """
    study = read_study(name)
    known = [row["name"] for row in study["rows"]]
    if unknown := [row for row in rows if row not in known]:
        raise KeraudioError(f"A row must be one of {', '.join(known)}. Received: {unknown[0]!r}")
    if budget not in BUDGETS:
        raise KeraudioError(f"A budget must be one of {', '.join(BUDGETS)}. Received: {budget!r}")
    chosen = [row for row in study["rows"] if not rows or row["name"] in rows]
    tell = progress or (lambda _event: None)
    reports: dict[str, list[dict[str, Any]]] = {row["name"]: [] for row in chosen}
    for seed in range(seeds):
        for row in chosen:
            recipe_data = study_recipe(study, row["name"], small=budget == "small")
            apply_changes(recipe_data, changes)
            recipe = check_recipe(recipe_data, source=f"{name}/{row['name']}")
            run_folder = folder / row["name"] / f"seed-{seed}"
            if not (run_folder / REPORT_FILE).exists():
                tell({"event": "study_row", "row": row["label"], "seed": seed})
                run_recipe(
                    recipe,
                    data,
                    folder=run_folder,
                    seed=seed,
                    resume=(run_folder / RECIPE_FILE).exists(),
                    cache_folder=cache_folder,
                    progress=tell,
                )
            reports[row["name"]].append(json.loads((run_folder / REPORT_FILE).read_text(encoding="utf-8")))
    return _table(study, chosen, reports, budget=budget, data=data.partition(":")[0], seeds=seeds)


def _table(
    study: dict[str, Any],
    rows: Sequence[dict[str, Any]],
    reports: dict[str, list[dict[str, Any]]],
    *,
    budget: str,
    data: str,
    seeds: int,
) -> Study:
    metrics = reports[rows[0]["name"]][0]["reports"]["test"]["metrics"]
    key, figure = next(pair for pair in _FIGURES if pair[0] in metrics)
    seconds = {
        name: sum(report["seconds_training"] for report in found) / sum(report["epochs"] for report in found)
        for name, found in reports.items()
    }
    reference = seconds.get(study["reference"])
    done = []
    for row in rows:
        found = [report["reports"]["test"]["metrics"][key] for report in reports[row["name"]]]
        values = tuple(one["value"] for one in found)
        low, high = (found[0]["low"], found[0]["high"]) if len(values) == 1 else _student(values)
        done.append(
            StudyRow(
                row["name"],
                row["label"],
                values,
                low,
                high,
                found[0]["n"],
                seconds[row["name"]],
                None if reference is None else seconds[row["name"]] / reference,
                row.get("published"),
                row.get("published_time"),
            )
        )
    about = (study["name"], study["title"], study["source"], figure, study["published_figure"])
    failures = sum(len(report["failures"]) for found in reports.values() for report in found)
    return Study(*about, budget, data, seeds, tuple(done), failures)


def _student(values: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the mean over seeds."""
    half = float(stats.t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / len(values) ** 0.5
    middle = statistics.fmean(values)
    return middle - half, middle + half


def format_study(study: Study) -> str:
    """The table as Markdown, with what was run and how small it was."""
    over = f"{study.seeds} seeds" if study.seeds > 1 else "one seed, over groups of clips"
    lines = [f"# {study.title}", "", f"{study.source}.", ""]
    if study.budget == "small":
        lines += [
            "**Small budget: narrower filters and fewer epochs than published, as the study's `[small]` says.**",
            "",
        ]
    n = study.rows[0].n
    lines += [f"Ours: {study.figure} on the test clips of {study.data} (n = {n}), 95 % interval of {over}.", ""]
    names = ["model", f"{study.figure}", "95 % interval", "spread", "s an epoch", "time ratio"]
    names += [f"paper's {study.published_figure}", "paper's time ratio"] if study.published_figure else []
    lines += [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for row in study.rows:
        cells = [
            row.label,
            f"{row.mean:.3f}",
            f"[{row.low:.3f}, {row.high:.3f}]",
            "" if row.spread is None else f"{row.spread:.3f}",
            f"{row.seconds:.1f}",
            "" if row.time_ratio is None else f"{row.time_ratio:.2f}",
        ]
        if study.published_figure:
            cells.append("" if row.published is None else f"{row.published:.4f}")
            cells.append("" if row.published_time is None else f"{row.published_time:.2f}")
        lines.append(f"| {' | '.join(cells)} |")
    pairs = [(row.mean, row.published) for row in study.rows if row.published is not None]
    if len(pairs) > 2 and len({value for value, _ in pairs}) > 1:
        rank = stats.spearmanr(*zip(*pairs, strict=True))
        lines += [
            "",
            f"Rank correlation with the paper's order (Spearman): {rank.statistic:+.2f}, n = {len(pairs)} rows.",
        ]
    return "\n".join(lines) + "\n"


def save_study(study: Study, folder: Path) -> None:
    """Writes `table.md` and `study.json` into the study's folder, each whole or not at all."""
    facts = {"schema": 1, **{key: value for key, value in vars(study).items() if key != "rows"}}
    facts["rows"] = [{**vars(row), "mean": row.mean, "spread": row.spread} for row in study.rows]
    for name, text in (("table.md", format_study(study)), ("study.json", json.dumps(facts, indent=1) + "\n")):
        with whole_file(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
