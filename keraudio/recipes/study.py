"""Studies: the rows of a paper's table, run one by one and set beside the published figures."""

import json
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from scipy import stats

from keraudio.errors import RecipeError
from keraudio.recipes.catalog import parse_assignment, read_study
from keraudio.recipes.study_runs import Progress, RowResult, StudyRuns, TransferRuns, describe_classifier
from keraudio.whole_file import write_text

BUDGETS = ("full", "small")
# Of each data set's kind, which figure of the report stands in the table.
_FIGURES = (("macro_roc_auc", "macro ROC-AUC"), ("accuracy", "accuracy"))
_VALIDATED = {"accuracy": "val_accuracy", "macro_roc_auc": "val_auc"}

Curve = tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class StudyRow:
    """A row of the table.

    Attributes:
        name: of the row.
        label: for people.
        values: the figure on the test clips, one a run: a fold, if the study has folds, and seed.
        low: lower end of its 95 % interval: over runs (Student's t) if there are several, else over groups of clips.
        high: upper end.
        n: test clips, of all folds.
        curve: after each epoch, the mean, least and greatest of the same figure over the runs, of single windows of the
            validation clips; as long as the shortest run, and empty where there were none or features were classified.
        loss_curve: the same of the training loss.
        difference: from the reference row, run by run (paired): its mean, and lower and upper end of its 95 % interval
            (Student's t); None of one run, and for the reference.
        seconds: of training an epoch, the mean over all epochs and seeds; None where features were classified.
        time_ratio: `seconds` over the reference row's, or None.
        published: the paper's figures, as many as the study has.
        published_time: the paper's ratio, or None.
        settings: `"key=value"` each, what the small budget sets in this row alone.
    """

    name: str
    label: str
    values: tuple[float, ...]
    low: float
    high: float
    n: int
    seconds: float | None = None
    time_ratio: float | None = None
    published: tuple[float | None, ...] = ()
    published_time: float | None = None
    difference: tuple[float, float, float] | None = None
    curve: Curve = ()
    loss_curve: Curve = ()
    settings: tuple[str, ...] = ()

    @property
    def mean(self) -> float:
        """Mean of the figure over the runs."""
        return statistics.fmean(self.values)

    @property
    def spread(self) -> float | None:
        """Standard deviation of the figure over the runs; None of one."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None


@dataclass(frozen=True)
class Study:
    """A study's result.

    Attributes:
        name: of the study.
        title: for people.
        source: where the published figures come from.
        figure: what is measured here.
        published_figures: what the paper measured, one a column.
        budget: `"full"` or `"small"`.
        data: the kind of data set.
        networks_data: the kind of the data set that networks were trained on whose features were classified, or `""`.
        classifier: of those features, or `""`.
        seeds: number of seeds.
        folds: those that were tested in turn, none where the data set's own split was.
        rows: those that are done.
        settings: `"key=value"` each, what the small budget and the caller's changes set in all rows.
        failures: clips that could not be decoded, over all runs.
    """

    name: str
    title: str
    source: str
    figure: str
    published_figures: tuple[str, ...]
    budget: str
    data: str
    networks_data: str
    classifier: str
    seeds: int
    folds: tuple[int, ...]
    rows: tuple[StudyRow, ...]
    settings: tuple[str, ...] = ()
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
    networks: Path | None = None,
    networks_data: str | None = None,
    more_data: Sequence[str] = (),
    only_folds: Sequence[int] = (),
    start: Path | None = None,
    cache_folder: Path | None = None,
    progress: Progress | None = None,
) -> Study:
    """Runs what of a study is not done yet, row by row and seed by seed, and gives the table of it.

    Each run has a folder of its own, `folder/ROW/seed-N`; a run with a report is done, and one that was broken off goes
    on. The rows of some studies are recipes, which are trained; those of others join features of networks, which are
    rows of another study and are trained first.

    Args:
        name: one of `study_names()` that has rows.
        data: `"KIND:PATH"`.
        folder: of the study; made if needed.
        seeds: runs of each row, with seeds 0, 1 ... Defaults to 1.
        budget: `"small"` narrows filters and epochs as the study says. Defaults to `"full"`.
        rows: names of those to run. Defaults to all.
        changes: `"section.key=value"` each, of every recipe but that of pretraining.
        networks: folder of the networks' study, where it may be done already. Defaults to `folder/networks`.
        networks_data: `"KIND:PATH"` that networks are trained on. Defaults to `data`.
        more_data: `"KIND:PATH"` each: further clips for rows whose front ends learn without labels from more than the
            data set. Without it those rows are left out.
        only_folds: test these alone, of a study over folds. Defaults to all.
        start: a front end's file, for rows that begin with one that is given. Without it those rows are left out.
        cache_folder: of decoded clips. Defaults to the platform's.
        progress: called with `{"event": ..., ...}` as things happen.

    Raises:
        KeraudioError: there is no such study, row or fold, networks are given to a study without, a recipe cannot be
            run, or the folder has other runs.
    """
    study = read_study(name)
    known = [row["name"] for row in study["rows"]]
    if unknown := [row for row in rows if row not in known]:
        raise RecipeError(f"A row must be one of {', '.join(known)}. Received: {unknown[0]!r}")
    if budget not in BUDGETS:
        raise RecipeError(f"A budget must be one of {', '.join(BUDGETS)}. Received: {budget!r}")
    of_networks = "networks" in study
    if not of_networks and (networks is not None or networks_data is not None):
        raise RecipeError(f"Networks must be given to a study of features. Received: {name}, which trains recipes")
    if more_data and not any(row.get("more_data") for row in study["rows"]):
        raise RecipeError(f"More data must be given to a study that pretrains on it. Received: {name}, which has none")
    if only_folds and not study.get("folds"):
        raise RecipeError(f"Folds must be given to a study over folds. Received: {name}, which has one split")
    if start is not None and not any(row.get("given_start") for row in study["rows"]):
        raise RecipeError(f"A start must be given to a study with rows that need one. Received: {name}, without any")
    chosen = [
        row
        for row in study["rows"]
        if (not rows or row["name"] in rows)
        and (more_data or not row.get("more_data"))
        and (start is not None or not row.get("given_start"))
    ]
    if not chosen:
        raise RecipeError(f"{name}: row {rows[0]!r} needs more data (--more-data) or a front end's file (--start)")
    tell = progress or (lambda _event: None)
    shared = (budget == "small", tuple(changes), cache_folder, tell)
    runs = StudyRuns(
        study, data, folder, *shared, more_data=tuple(more_data), only_folds=tuple(only_folds), start=start
    )
    results: dict[str, list[RowResult]] = {row["name"]: [] for row in chosen}
    networks_data = data if networks_data is None else networks_data
    for seed in range(seeds):
        run: Callable[[dict[str, Any]], list[RowResult]] = partial(runs.train, seed=seed)
        if of_networks:
            place = folder / "networks" if networks is None else networks
            sources = StudyRuns(read_study(study["networks"]), networks_data, place, *shared)
            run = TransferRuns(runs, sources, seed).classify
        for row in chosen:
            results[row["name"]] += run(row)
    folds = tuple(fold for fold in runs.folds if fold is not None)
    done, figure = _rows(study, chosen, results, seeds, small=budget == "small", changes=changes)
    return Study(
        name=study["name"],
        title=study["title"],
        source=study["source"],
        figure=figure,
        published_figures=tuple(study["published_figures"]),
        budget=budget,
        data=data.partition(":")[0],
        networks_data=networks_data.partition(":")[0] if of_networks else "",
        classifier=describe_classifier(study, small=budget == "small") if of_networks else "",
        seeds=seeds,
        folds=folds,
        rows=done,
        settings=_settings(study.get("small", {}) if budget == "small" else {}, changes),
        failures=sum(result.failures for found in results.values() for result in found),
    )


def _settings(small: dict[str, Any], changes: Sequence[str]) -> tuple[str, ...]:
    """What is set in all rows, `"key=value"` each; of a key the last."""
    return _assignments(dict(_flat(small)) | dict(map(parse_assignment, changes)))


def _own_settings(small: dict[str, Any], changes: Sequence[str]) -> tuple[str, ...]:
    """What is set in one row alone; what is changed is so in all."""
    changed = dict(map(parse_assignment, changes))
    return _assignments({key: value for key, value in _flat(small) if key not in changed})


def _assignments(values: dict[str, Any]) -> tuple[str, ...]:
    return tuple(f"{key}={json.dumps(value)}" for key, value in values.items())


def _flat(values: dict[str, Any], section: str = "") -> Iterator[tuple[str, Any]]:
    """Keys and values of nested sections; a part's name only says which part its options are of."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{section}{key}.")
        elif not (section and key == "name"):
            yield section + key, value


def _rows(
    study: dict[str, Any],
    rows: Sequence[dict[str, Any]],
    results: dict[str, list[RowResult]],
    seeds: int,
    *,
    small: bool,
    changes: Sequence[str],
) -> tuple[tuple[StudyRow, ...], str]:
    """The table's rows, and the name of what they measure."""
    metrics = results[rows[0]["name"]][0].metrics
    key, figure = next(pair for pair in _FIGURES if pair[0] in metrics)
    seconds = {name: _seconds(found) for name, found in results.items()}
    name_of_reference = study.get("reference", "")
    reference = seconds.get(name_of_reference)
    against = [result.metrics[key]["value"] for result in results.get(name_of_reference, ())]
    done = []
    for row in rows:
        found = [result.metrics[key] for result in results[row["name"]]]
        values = tuple(one["value"] for one in found)
        low, high = (found[0]["low"], found[0]["high"]) if len(values) == 1 else _student(values)
        own = seconds[row["name"]]
        difference = None
        if len(values) > 1 and len(against) == len(values) and row["name"] != name_of_reference:
            differences = [one - other for one, other in zip(values, against, strict=True)]
            difference = (statistics.fmean(differences), *_student(differences))
        done.append(
            StudyRow(
                name=row["name"],
                label=row["label"],
                values=values,
                low=low,
                high=high,
                n=sum(one["n"] for one in found) // seeds,
                seconds=own,
                time_ratio=None if own is None or reference is None else own / reference,
                published=tuple(row.get("published", (None,) * len(study["published_figures"]))),
                published_time=row.get("published_time"),
                difference=difference,
                curve=_curve(results[row["name"]], _VALIDATED[key]),
                loss_curve=_curve(results[row["name"]], "loss"),
                settings=_own_settings(row.get("small", {}) if small else {}, changes),
            )
        )
    return tuple(done), figure


def _curve(results: Sequence[RowResult], column: str) -> Curve:
    """Mean, least and greatest of a metric over the runs, after each epoch that all of them had, if measured."""
    # Runs that stopped early are shorter.
    epochs = zip(*(result.history for result in results), strict=False)
    values = [[row[column] for row in rows] for rows in epochs if all(column in row for row in rows)]
    return tuple((statistics.fmean(one), min(one), max(one)) for one in values)


def _seconds(results: Sequence[RowResult]) -> float | None:
    """Of training an epoch."""
    if any(result.seconds is None for result in results):
        return None
    return sum(result.seconds or 0.0 for result in results) / sum(result.epochs for result in results)


def _student(values: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the mean over runs."""
    half = float(stats.t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / len(values) ** 0.5
    middle = statistics.fmean(values)
    return middle - half, middle + half


def _listed(settings: Sequence[str]) -> str:
    return ", ".join(f"`{one}`" for one in settings)


def format_study(study: Study) -> str:
    """The table as Markdown, with what was run and how small it was."""
    counts = [(len(study.folds), "folds"), (study.seeds, "seeds")]
    over = " and ".join(f"{count} {name}" for count, name in counts if count > 1) or "one seed, over groups of clips"
    if study.folds:
        over += f" (tested: {', '.join(map(str, study.folds))})"
    lines = [f"# {study.title}", "", f"{study.source}.", ""]
    if study.budget == "small" or study.settings:
        face = "Small budget, not the published one" if study.budget == "small" else "Not as the study has it"
        lines += [f"**{face}. In all rows: {_listed(study.settings)}.**", ""]
    if own := [f"{row.label}: {_listed(row.settings)}" for row in study.rows if row.settings]:
        lines += [f"Besides, or instead, in a row: {'; '.join(own)}.", ""]
    n = study.rows[0].n
    ours = f"Ours: {study.figure} on the test clips of {study.data} (n = {n}), 95 % interval of {over}."
    if study.networks_data:
        ours += f" Networks trained on the training clips of {study.networks_data}, classifier: {study.classifier}."
    lines += [ours, ""]
    timed = any(row.seconds is not None for row in study.rows)
    paper_timed = any(row.published_time is not None for row in study.rows)
    paired = any(row.difference is not None for row in study.rows)
    names = ["model", study.figure, "95 % interval", "spread"]
    names += ["difference from the reference, paired"] if paired else []
    names += ["s an epoch", "time ratio"] if timed else []
    names += [f"paper's {figure}" for figure in study.published_figures]
    names += ["paper's time ratio"] if paper_timed else []
    lines += [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for row in study.rows:
        cells = [row.label, f"{row.mean:.3f}", f"[{row.low:.3f}, {row.high:.3f}]", _cell(row.spread, 3)]
        if paired:
            cells.append("" if row.difference is None else "{:+.3f} [{:+.3f}, {:+.3f}]".format(*row.difference))
        cells += [_cell(row.seconds, 1), _cell(row.time_ratio, 2)] if timed else []
        cells += [_cell(value, 4) for value in row.published]
        cells += [_cell(row.published_time, 2)] if paper_timed else []
        lines.append(f"| {' | '.join(cells)} |")
    lines += _ranks(study)
    return "\n".join(lines) + "\n"


def _cell(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _ranks(study: Study) -> list[str]:
    """How far our order of the rows is the paper's, for each figure of the paper that orders them."""
    lines = []
    for place, figure in enumerate(study.published_figures):
        pairs = [(row.mean, value) for row in study.rows if (value := row.published[place]) is not None]
        if len(pairs) > 2 and all(len(set(side)) > 1 for side in zip(*pairs, strict=True)):
            rank = stats.spearmanr(*zip(*pairs, strict=True)).statistic
            lines += ["", f"Rank correlation with the paper's {figure} (Spearman): {rank:+.2f}, n = {len(pairs)} rows."]
    return lines


def save_study(study: Study, folder: Path) -> None:
    """Writes `table.md` and `study.json` into the study's folder, each whole or not at all."""
    facts = {"schema": 1, **{key: value for key, value in vars(study).items() if key != "rows"}}
    facts["rows"] = [{**vars(row), "mean": row.mean, "spread": row.spread} for row in study.rows]
    for name, text in (("table.md", format_study(study)), ("study.json", json.dumps(facts, indent=1) + "\n")):
        write_text(folder / name, text)
