"""`mhc candidates`: the runs that could be promoted, best first, with the evidence."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from mhc.cli.context import Context
from mhc.cli.formatting import format_age
from mhc.cli.output import Column, TableRow, remark, show_json, show_table, title
from mhc.cli.run_options import json_option, open_index, warn_unreadable
from mhc.report.tables import MISSING, score
from mhc.timestamps import now

if TYPE_CHECKING:
    from mhc.index.index import Index
    from mhc.index.rows import Row

CANDIDATE_COLUMNS = (
    Column("id", min_width=22, cut_middle=True),
    Column("F1", right=True),
    Column("acc", right=True),
    Column("worst class", min_width=14),
    Column("ECE", right=True),
    Column("gates", right=True),
    Column("age", right=True),
    Column("bundle", min_width=8, drop_rank=1),
    Column("data", min_width=8, drop_rank=2),
)


@click.command("candidates")
@click.option("--all", "show_all", is_flag=True, help="Show why the other completed runs are not candidates, too.")
@click.option("--limit", type=click.IntRange(min=0), default=20, help="Maximum number; 0: all. [20]")
@json_option
@click.pass_obj
def candidates_command(context: Context, *, show_all: bool, limit: int, as_json: bool) -> None:
    """List runs that could be promoted, best macro-F1 on test first, with the evidence.

    Example: mhc candidates --all
    """
    from mhc.index.selection import record_dicts

    index = open_index(context)
    candidates = index.candidates(limit)
    others = index.non_candidates(limit) if show_all else []
    if as_json:
        show_json(record_dicts(index, [*candidates, *others]))
        return
    show_candidates(index, candidates)
    if show_all:
        show_others(index, others)
    warn_unreadable(index)


def show_candidates(index: Index, rows: list[Row]) -> None:
    """Print the candidates with their scores and gates."""
    from mhc.index.selection import record_dicts

    if not rows:
        remark(f"No candidate in {index.outputs}. See why with: mhc candidates --all")
        return
    records, time = record_dicts(index, rows), now()
    show_table(CANDIDATE_COLUMNS, [candidate_cells(*pair, time) for pair in zip(rows, records, strict=True)])
    total = index.counts().candidates
    remark(f"{len(rows):,} of {total:,} candidates. Promote one with: mhc promote ID --by WHO --reason WHY")


def candidate_cells(row: Row, record: dict[str, object], now: datetime) -> TableRow:
    """Return the cells of CANDIDATE_COLUMNS."""
    from mhc.index.fields import value_at

    ece = value_at(record, ("metrics", "test", "ece"))
    verdicts = value_at(record, ("promotion", "gates", "verdict"))
    gates = verdicts if isinstance(verdicts, list) else []
    bundles = value_at(record, ("promotion", "bundles"))
    return (
        row.id,
        score(row.f1_macro),
        score(row.accuracy),
        worst_class(record),
        score(ece if isinstance(ece, float) else None),
        f"{gates.count('passed')}/{len(gates)}" if gates else MISSING,
        format_age(row.created, now),
        ", ".join(map(str, bundles)) if isinstance(bundles, list) and bundles else MISSING,
        str(value_at(record, ("data", "name")) or MISSING),
    )


def worst_class(record: dict[str, object]) -> str:
    """Return the lowest recall on test, and its class."""
    from mhc.index.fields import value_at

    recall = value_at(record, ("metrics", "test", "recall"))
    if not isinstance(recall, dict) or not recall:
        return MISSING
    label, value = min(recall.items(), key=lambda pair: pair[1])
    return f"{score(value)} {label}"


def show_others(index: Index, rows: list[Row]) -> None:
    """Print the completed runs that are not candidates, with the reason."""
    from mhc.index.selection import record_dicts

    title("Completed runs that are not candidates")
    columns = (Column("id", min_width=22, cut_middle=True), Column("F1", right=True), Column("why", wrap=True))
    records = record_dicts(index, rows)
    lines = [(row.id, score(row.f1_macro), reason_of(record)) for row, record in zip(rows, records, strict=True)]
    show_table(columns, lines)


def reason_of(record: dict[str, object]) -> str:
    """Return every gate that did not pass, with its reason; without such a gate, the reason of the decision."""
    from mhc.index.fields import value_at

    gates = value_at(record, ("promotion", "gates"))
    missed = [gate for gate in gates if gate.get("verdict") != "passed"] if isinstance(gates, list) else []
    if missed:
        return "; ".join(f"{gate.get('name')} ({gate.get('verdict')}): {gate.get('reason')}" for gate in missed)
    return str(value_at(record, ("promotion", "reason")) or "not judged")
