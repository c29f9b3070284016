"""The state of the runs: counts by status, category, model and data; failures; what was archived and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mhc.report.document import Cells, Column, Grid, Paragraph, Section
from mhc.report.formatting import format_duration, format_time
from mhc.report.results import Overview, RunResult
from mhc.report.tables import MISSING, Cell

PURPOSE = (
    "Research software: no model and no probability in this report may be used to diagnose, screen, triage or treat a "
    "person."
)
SYNTHETIC = "Models that were trained on synthetic data have learned nothing about people."
MAX_VALUES = 12
"""Values of a fact that are counted one by one."""
MAX_LISTED = 100
"""Runs listed one by one, newest first."""
STATUS_STYLES = {"completed": "green", "failed": "red", "lost": "red", "interrupted": "yellow"}


def state(overview: Overview) -> Section:
    """Return how many runs there are of each status, category, model and data set."""
    return Section(title="State of the runs", blocks=[_counts(overview.runs)])


def notices(overview: Overview) -> list[str]:
    """Return what a reader must know first: what the models are not for, and what could not be read."""
    synthetic = any(run.record.data is not None and run.record.data.synthetic for run in overview.runs)
    return [PURPOSE, *([SYNTHETIC] if synthetic else []), *overview.remarks]


def _counts(runs: Sequence[RunResult]) -> Grid:
    facts = {
        "status": [run.record.status.value for run in runs],
        "category": [run.record.category.value if run.record.category else "not classified" for run in runs],
        "judgement": ["candidate" if run.record.promotion.candidate else "no candidate" for run in runs],
        "model": [run.record.model.name if run.record.model else "not recorded" for run in runs],
        "data": [run.record.data.name if run.record.data else "not recorded" for run in runs],
        "place": [run.location.replace("_", " ") for run in runs],
    }
    rows = [(fact, _enumerated(Counter(values))) for fact, values in facts.items()]
    return Grid(caption="Runs by what is recorded of them", columns=(Column("fact"), Column("runs")), rows=rows)


def _enumerated(counts: Counter[str]) -> str:
    """Return `59 completed, 11 failed`, most frequent first."""
    shown = ", ".join(f"{count:,} {value}" for value, count in counts.most_common(MAX_VALUES))
    return f"{shown}, and {len(counts) - MAX_VALUES} more" if len(counts) > MAX_VALUES else shown


def problems(overview: Overview) -> Section | None:
    """Return the runs that have not completed, with the reason; None if there are none."""
    runs = [run for run in overview.runs if run.record.status not in ("completed", "running")]
    if not runs:
        return None
    rows: list[Cells] = [
        (run.record.id, status_cell(run), _reason(run), format_duration(run.seconds)) for run in runs[:MAX_LISTED]
    ]
    grid = Grid(
        caption=f"{len(runs):,} runs that have not completed, newest first",
        columns=(Column("run"), Column("status"), Column("reason"), Column("took", number=True)),
        rows=rows,
    )
    return Section(title="Runs that have not completed", blocks=[grid, *rest(len(runs), MAX_LISTED)])


def _reason(run: RunResult) -> str:
    failure = run.record.failure
    return f"{failure.type}: {failure.sentence}" if failure else run.record.status_reason or MISSING


def status_cell(run: RunResult) -> Cell:
    """Return the status in its colour."""
    status = run.record.status.value
    return Cell(status, STATUS_STYLES.get(status, ""))


def archive(overview: Overview) -> Section | None:
    """Return what was archived and why; None if nothing was."""
    runs = [run for run in overview.runs if run.location not in ("active", "production")]
    if not runs:
        return None
    rows = [(run.record.id, run.location.replace("_", " "), run.archived or MISSING) for run in runs[:MAX_LISTED]]
    columns = (Column("run"), Column("place"), Column("why"))
    grid = Grid(caption=f"{len(runs):,} archived runs, newest first", columns=columns, rows=rows)
    return Section(title="What was archived, and why", blocks=[grid, *rest(len(runs), MAX_LISTED)])


def rest(total: int, shown: int) -> list[Paragraph]:
    """Return the sentence about what is left out; empty if nothing is."""
    left = total - shown
    return [Paragraph(text=f"{left:,} more are left out. See all with: mhc list --limit 0")] if left > 0 else []


def facts_of(run: RunResult) -> Grid:
    """Return what is recorded about one run."""
    record = run.record
    data, model, timing = record.data, record.model, record.timing
    facts = {
        "status": f"{record.status.value}: {_reason(run)}" if _reason(run) != MISSING else record.status.value,
        "category": f"{record.category.value}: {record.category_reason}" if record.category else "",
        "description": record.description,
        "tags": ", ".join(record.tags),
        "made": format_time(record.created_at),
        "took": format_duration(run.seconds),
        "model": f"{model.name}: {model.architecture}, {model.parameters:,} parameters" if model else "",
        "from": model.pretrained or "" if model else "",
        "data": data.name if data else "",
        "rows": ", ".join(f"{name} {split.rows:,}" for name, split in data.splits.items()) if data else "",
        "high-risk classes": (", ".join(data.high_risk) or "none is marked") if data else "",
        "seed": "" if record.seed is None else str(record.seed),
        "set by the user": " ".join(record.lineage.overrides),
        "epochs": "" if timing.epochs is None else str(timing.epochs),
        "code": _code(run),
        "candidate": _candidate(run),
    }
    rows = [(name, value) for name, value in facts.items() if value and value != MISSING]
    return Grid(caption="Facts", columns=(Column("fact"), Column("value")), rows=rows)


def _code(run: RunResult) -> str:
    lineage = run.record.lineage
    changes = " with uncommitted changes" if lineage.git_dirty else ""
    return f"{lineage.git_commit[:12]}{changes}" if lineage.git_commit else ""


def _candidate(run: RunResult) -> str:
    promotion = run.record.promotion
    if promotion.candidate is None:
        return ""
    return f"{'yes' if promotion.candidate else 'no'}: {promotion.reason}"
