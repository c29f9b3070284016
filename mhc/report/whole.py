"""The whole report: the sections in their order. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mhc.report.document import Document, Section
from mhc.report.results import Overview
from mhc.report.sections import curves, details, leaderboard, production, state, sweep

SECTIONS = (
    state.state,
    leaderboard.leaderboard,
    sweep.sweeps,
    curves.curves,
    details.details,
    curves.costs,
    production.candidates,
    production.production,
    state.problems,
    state.archive,
)
SECTIONS_OF_RUN = (details.details, curves.curves, production.candidates, production.production, state.archive)


def document(overview: Overview) -> Document:
    """Return the report on the runs; a section that has nothing to show is left out."""
    return _document(overview, SECTIONS)


def of_run(overview: Overview) -> Document:
    """Return the report on a single run."""
    return _document(overview, SECTIONS_OF_RUN)


def _document(overview: Overview, makers: Sequence[Callable[[Overview], Section | None]]) -> Document:
    return Document(
        title=overview.title,
        summary=_summary(overview),
        made=overview.made,
        notices=state.notices(overview),
        sections=[section for make in makers if (section := make(overview)) is not None],
    )


def _summary(overview: Overview) -> str:
    number = len(overview.runs)
    if number == 1:
        return f"A run of mhc: {overview.runs[0].record.status.value}."
    return f"{number:,} runs, {sum(run.record.status == 'completed' for run in overview.runs):,} completed."
