"""Learning curves: the best runs by name, all others behind them; and scores against cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from mhc.report.document import Column, Figure, Grid, Part, Section, file_name
from mhc.report.figures.curves import Line, learning_curves
from mhc.report.figures.runs import scores_by_cost
from mhc.report.results import Overview, RunResult
from mhc.report.tables import score
from mhc.terminal import quantity

METRICS = {
    "val/f1_macro": "macro-F1 on validation",
    "val/loss": "loss on validation",
    "train/loss_epoch": "loss on train",
}
MAX_NAMED = 5
"""Runs that have a colour and a name."""
MAX_BEHIND = 300
MAX_DATA_SETS = 6


def curves(overview: Overview) -> Section | None:
    """Return the learning curves of each data set; None if no run has any."""
    parts = [
        Part(title=f"On {data}", blocks=figures)
        for data, runs in list(overview.data_sets.items())[:MAX_DATA_SETS]
        if (figures := list(_figures(data, runs)))
    ]
    return Section(title="Learning curves", blocks=parts) if parts else None


def _figures(data: str, runs: Sequence[RunResult]) -> Iterator[Figure]:
    for metric, title in METRICS.items():
        shown = [run for run in runs if len(run.curves.get(metric, ())) > 1]
        if shown:
            yield _figure(data, shown, metric, title)


def _figure(data: str, runs: Sequence[RunResult], metric: str, title: str) -> Figure:
    named, behind = runs[:MAX_NAMED], runs[MAX_NAMED : MAX_NAMED + MAX_BEHIND]
    names = names_of(named)
    lines = [Line("", run.curves[metric]) for run in behind]
    lines += [Line(name, run.curves[metric]) for name, run in zip(names, named, strict=True)]
    others = f"; in grey: {quantity(len(behind), 'other run')}" if behind else ""
    which = "run" if len(named) == 1 else "best runs"
    return Figure(
        name=f"curves-{file_name(data)}-{file_name(metric)}",
        caption=f"{title[0].upper()}{title[1:]}{others}",
        text=f"{title} by step for the {len(named)} {which} on {data}. The numbers are in the table below",
        draw=partial(learning_curves, lines=lines, y=title),
        numbers=_numbers(names, named, metric, title),
    )


def names_of(runs: Sequence[RunResult]) -> list[str]:
    """Return short names: what tells the runs from each other, or their ids if nothing does."""
    words = [run.label.split() for run in runs]
    names = [" ".join(word for word in line if any(word not in other for other in words)) for line in words]
    return [name if names.count(name) == 1 and name else run.record.id for name, run in zip(names, runs, strict=True)]


def _numbers(names: Sequence[str], runs: Sequence[RunResult], metric: str, title: str) -> Grid:
    rows = [
        (name, f"{step:,}", score(value))
        for name, run in zip(names, runs, strict=True)
        for step, value in run.curves[metric]
    ]
    return Grid(
        caption=f"Numbers: {title}",
        columns=(Column("run"), Column("step", number=True), Column(title, number=True)),
        rows=rows,
    )


Cost = Callable[[RunResult], float | None]
COSTS: Mapping[str, Cost] = {
    "parameters": lambda run: run.record.model.parameters if run.record.model else None,
    "seconds of training": lambda run: run.record.timing.fit_s,
    "rows of train": lambda run: run.rows,
}


def costs(overview: Overview) -> Section | None:
    """Return macro-F1 against parameters, time and rows; None if no two runs differ in any of them."""
    parts = [
        Part(title=f"On {data}", blocks=figures)
        for data, runs in list(overview.data_sets.items())[:MAX_DATA_SETS]
        if (figures := list(_costs(data, runs)))
    ]
    return Section(title="Score against cost", blocks=parts) if parts else None


def _costs(data: str, runs: Sequence[RunResult]) -> Iterator[Figure]:
    for name, cost in COSTS.items():
        groups: dict[str, list[tuple[float, float]]] = {}
        for run in runs:
            x, y = cost(run), run.score("val")
            if x is not None and y is not None:
                groups.setdefault(run.record.model.name if run.record.model else "unknown", []).append((x, y))
        points = [point for group in groups.values() for point in group]
        if len({x for x, _ in points}) > 1:
            yield _cost_figure(data, name, groups, points)


def _cost_figure(
    data: str, name: str, groups: Mapping[str, Sequence[tuple[float, float]]], points: Sequence[tuple[float, float]]
) -> Figure:
    x, y = max(points, key=lambda point: point[1])
    return Figure(
        name=f"cost-{file_name(data)}-{file_name(name)}",
        caption=f"Macro-F1 on validation by {name}",
        text=f"One point for each of {len(points)} runs. {name} from {min(points)[0]:,.4g} to {max(points)[0]:,.4g}; "
        f"the best macro-F1, {y:.3f}, at {x:,.4g}. The leaderboard has the numbers",
        draw=partial(scores_by_cost, groups=dict(groups), x=name, y="macro-F1 on validation"),
    )
