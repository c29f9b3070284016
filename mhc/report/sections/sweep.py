"""A sweep: the table of what was varied, and parallel coordinates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from mhc.report.document import Block, Cells, Column, Figure, Grid, Paragraph, Part, Section, file_name
from mhc.report.figures.runs import axis_of, parallel_coordinates
from mhc.report.formatting import format_duration, format_value
from mhc.report.results import Overview, RunResult, SweepResult
from mhc.report.sections.state import rest, status_cell
from mhc.report.tables import score

MAX_SWEEPS = 12
MAX_ROWS = 300
BEST = 10
"""The best tenth of the runs is drawn in front."""


def sweeps(overview: Overview) -> Section | None:
    """Return one part per sweep; None if nothing was varied in any."""
    shown = [sweep for sweep in overview.sweeps if sweep.names][:MAX_SWEEPS]
    if not shown:
        return None
    parts: list[Block] = [Part(title=f"Sweep {sweep.id}", blocks=list(_blocks(sweep))) for sweep in shown]
    left = len(overview.sweeps) - len(shown)
    more = [Paragraph(text=f"{left:,} more sweeps are left out. See one with: mhc compare SWEEP")] if left else []
    return Section(title="Sweeps", blocks=[*parts, *more])


def _blocks(sweep: SweepResult) -> Iterator[Paragraph | Grid | Figure]:
    values = dict(zip((run.record.id for run in sweep.runs), sweep.values, strict=True))
    runs = sorted(sweep.runs, key=lambda run: -_score(run))
    scored = [run for run in runs if run.score("val") is not None]
    grid = Grid(
        caption=f"{len(runs):,} runs by what was varied, best macro-F1 on validation first",
        columns=(
            *(Column(name, number=True) for name in sweep.names),
            Column("val macro-F1", number=True), Column("test macro-F1", number=True), Column("status"),
            Column("took", number=True), Column("run"),
        ),
        rows=[_cells(run, values[run.record.id]) for run in runs[:MAX_ROWS]],
        main=True,
    )  # fmt: skip
    if len(scored) > 2 and list(sweep.names) != ["seed"]:
        yield _coordinates(sweep, scored, values)
    yield grid
    yield from rest(len(runs), MAX_ROWS)


def _score(run: RunResult) -> float:
    value = run.score("val")
    return -1.0 if value is None else value


def _cells(run: RunResult, values: Sequence[object]) -> Cells:
    return (
        *map(format_value, values),
        score(run.score("val")),
        score(run.score("test")),
        status_cell(run),
        format_duration(run.seconds),
        run.record.id,
    )


def _coordinates(sweep: SweepResult, runs: list[RunResult], values: Mapping[str, Sequence[object]]) -> Figure:
    """Return the figure of the scored runs, best first."""
    columns = list(zip(*(values[run.record.id] for run in runs), strict=True))
    axes = [
        axis_of(name, column, [format_value(value) for value in column])
        for name, column in zip(sweep.names, columns, strict=True)
    ]
    scores = [_score(run) for run in runs]
    axes.append(axis_of("val macro-F1", scores, [score(value) for value in scores]))
    number = max(1, round(len(runs) / BEST))
    best = [place < number for place in range(len(runs))]
    winner = ", ".join(
        f"{name} {format_value(value)}" for name, value in zip(sweep.names, values[runs[0].record.id], strict=True)
    )
    return Figure(
        name=f"sweep-{file_name(sweep.id)}",
        caption=f"One line per run; the best {f'{number} are' if number > 1 else 'one is'} in colour",
        text=f"Parallel coordinates of {len(runs)} runs. The best one, macro-F1 {scores[0]:.3f} on validation, has "
        f"{winner}. The values of all runs are in the table below",
        draw=partial(parallel_coordinates, axes_shown=axes, best=best),
        wide=True,
    )
