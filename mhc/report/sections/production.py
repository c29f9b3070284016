"""Candidates gate by gate, and what was done in production."""

from __future__ import annotations

from mhc.report.document import Block, Cells, Column, Grid, Paragraph, Part, Section
from mhc.report.results import Overview, RunResult
from mhc.report.tables import score, verdict_cell, with_remedy

MAX_CANDIDATES = 20
"""Candidates whose gates are listed one by one."""
GATE_COLUMNS = (
    Column("gate"),
    Column("verdict"),
    Column("measured", number=True),
    Column("threshold", number=True),
    Column("reason"),
)


def candidates(overview: Overview) -> Section | None:
    """Return each candidate, and each detailed run that was judged, gate by gate; None without one."""
    ranked = [run for runs in overview.data_sets.values() for run in runs]
    flagged = [run for run in ranked if run.record.promotion.candidate]
    judged = [run for run in overview.detailed if run.record.promotion.gates and run not in flagged]
    shown = [*flagged[:MAX_CANDIDATES], *judged]
    if not shown:
        return None
    blocks: list[Block] = [Paragraph(text=_sentence(len(flagged), len(overview.runs)))]
    blocks += [Part(title=_title(run), blocks=gates_of(run)) for run in shown]
    if len(flagged) > MAX_CANDIDATES:
        blocks.append(
            Paragraph(text=f"{len(flagged) - MAX_CANDIDATES:,} more are left out. See all with: mhc candidates")
        )
    return Section(title="Candidates, gate by gate", blocks=blocks)


def _sentence(candidates: int, runs: int) -> str:
    number = "None" if not candidates else f"{candidates:,}"
    return (
        f"{number} of {runs:,} runs passed every gate of the policy when they were trained. A candidate goes to "
        "production only if a person promotes it."
    )


def _title(run: RunResult) -> str:
    passed = sum(gate.verdict == "passed" for gate in run.record.promotion.gates)
    return f"{run.record.id}: {passed} of {len(run.record.promotion.gates)} gates passed"


def gates_of(run: RunResult) -> list[Paragraph | Grid]:
    """Return the verdict of every gate on a run, and why it would not be promoted now."""
    gates = run.record.promotion.gates
    rows: list[Cells] = [
        (gate.name, verdict_cell(gate.verdict), score(gate.measured), score(gate.threshold),
         with_remedy(gate.reason, gate.remedy))
        for gate in gates
    ]  # fmt: skip
    notes = [Paragraph(text=f"It would not be promoted now: {run.objection}.", important=True)] if run.objection else []
    return [*notes, Grid(caption=f"Gates of {run.record.id}", columns=GATE_COLUMNS, rows=rows)]


def production(overview: Overview) -> Section | None:
    """Return the champions and the history of production; None if nothing was ever done."""
    if not overview.history:
        return None
    champions = ", ".join(overview.champions) or "none"
    rows = [(entry[:20], entry[20:].strip()) for entry in overview.history]
    columns = (Column("at"), Column("what"))
    return Section(
        title="The champion's history",
        blocks=[
            Paragraph(text=f"Champion now: {champions}."),
            Grid(caption="What was done in production, oldest first", columns=columns, rows=rows),
        ],
    )
