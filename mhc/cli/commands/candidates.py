"""`mhc candidates`: the runs that could be promoted, best on validation first, with the evidence on test."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click
import msgspec

from mhc.cli.context import Context
from mhc.cli.output import Column, TableRow, remark, show_json, show_table, title, warn
from mhc.cli.run_options import json_option, open_index, warn_repeated, warn_unreadable
from mhc.errors import Unreadable
from mhc.report.formatting import format_age
from mhc.report.tables import MISSING, score, with_remedy
from mhc.timestamps import now

if TYPE_CHECKING:
    from mhc.index.index import Index
    from mhc.index.rows import Row

CANDIDATE_COLUMNS = (
    Column("id", min_width=22, cut_middle=True),
    Column("val F1", right=True),
    Column("test F1", right=True),
    Column("acc", right=True, drop_rank=3),
    Column("worst class", min_width=14),
    Column("ECE raw", right=True),
    Column("tempered", right=True),
    Column("gates", right=True),
    Column("age", right=True),
    Column("bundle", min_width=8, drop_rank=1),
    Column("data", min_width=8, drop_rank=2),
)

OTHER_COLUMNS = (Column("id", min_width=22, cut_middle=True), Column("val F1", right=True), Column("why", wrap=True))


@click.command("candidates")
@click.option("--all", "show_all", is_flag=True, help="Show why the other completed runs are not candidates, too.")
@click.option("--limit", type=click.IntRange(min=0), default=20, help="Maximum number for each data set; 0: all. [20]")
@json_option
@click.pass_obj
def candidates_command(context: Context, *, show_all: bool, limit: int, as_json: bool) -> None:
    """List runs that could be promoted, by data, best macro-F1 on validation first, with the evidence on test.

    Example: mhc candidates --all
    """
    from mhc.index.records import record_dicts

    index = open_index(context)
    flagged = index.candidates(limit)
    objections = objections_to(context, index, flagged)
    candidates = [row for row in flagged if row.path not in objections]
    others = index.non_candidates(limit) if show_all else []
    if as_json:
        show_json(record_dicts(index, [*(flagged if show_all else candidates), *others]))
        return
    show_candidates(index, candidates)
    if objections:
        show_objections([row for row in flagged if row.path in objections], objections, show_all=show_all)
    if show_all:
        show_others(index, others)
    warn_unreadable(index)
    warn_repeated(index)


def objections_to(context: Context, index: Index, rows: list[Row]) -> dict[str, str]:
    """Return why candidates would not be promoted now, by path; without those that nothing is known against."""
    from mhc.index.records import with_record
    from mhc.record import RunRecord

    if not rows:
        return {}
    runs = {row.path: msgspec.convert(record, RunRecord) for row, record in with_record(index, rows)}
    try:
        folders = [(index.folder(path), record) for path, record in runs.items()]
        reasons = list(context.registry().objections(folders))
    except (
        Unreadable
    ) as problem:  # nothing is promoted as long as the ledger is damaged; the runs are shown all the same
        warn(str(problem))
        return dict.fromkeys(runs, "the ledger cannot be read")
    return {path: reason for path, reason in zip(runs, reasons, strict=True) if reason}


def show_objections(rows: list[Row], objections: dict[str, str], *, show_all: bool) -> None:
    """Print the candidates that would not be promoted now, with the reason, or only their number."""
    if not show_all:
        remark(f"{len(rows):,} more would not be promoted now. See why with: mhc candidates --all")
        return
    title("Candidates when they were trained, not now")
    show_table(OTHER_COLUMNS, [(row.id, score(row.val_f1_macro), objections[row.path]) for row in rows])


def show_unmarked(records: list[dict[str, object]]) -> None:
    """Print that the data marks no class as high-risk, once for each set of labels."""
    from mhc.facts import unmarked_high_risk
    from mhc.index.fields import value_at

    unmarked = {}
    for record in records:
        labels = value_at(record, ("data", "labels"))
        if isinstance(labels, list) and not value_at(record, ("data", "high_risk")):
            unmarked[unmarked_high_risk([str(label) for label in labels])] = True
    for sentence in unmarked:
        remark(f"In their data {sentence}")


def show_candidates(index: Index, rows: list[Row]) -> None:
    """Print the candidates with their scores and gates, one table per data set."""
    from mhc.index.data_sets import by_data_set
    from mhc.index.records import record_dicts, with_record

    if not rows:
        remark(f"No candidate in {index.outputs}. See why with: mhc candidates --all")
        return
    groups = by_data_set(rows)
    for data, group in groups.items():
        if len(groups) > 1:
            title(f"On {data}")
        show_table(CANDIDATE_COLUMNS, [candidate_cells(*pair, now()) for pair in with_record(index, group)])
    show_unmarked(record_dicts(index, rows))
    total = index.counts().candidates
    remark(f"{len(rows):,} of {total:,} candidates. Promote one with: mhc promote ID --by WHO --reason WHY")


def candidate_cells(row: Row, record: dict[str, object], now: datetime) -> TableRow:
    """Return the cells of CANDIDATE_COLUMNS."""
    from mhc.index.fields import value_at

    ece = value_at(record, ("metrics", "test", "ece"))
    recorded = value_at(record, ("promotion", "gates"))
    gates = recorded if isinstance(recorded, list) else []
    verdicts = [gate.get("verdict") for gate in gates]
    bundles = value_at(record, ("promotion", "bundles"))
    return (
        row.id,
        score(row.val_f1_macro),
        score(row.f1_macro),
        score(row.accuracy),
        worst_class(record),
        score(ece if isinstance(ece, float) else None),
        score(next((gate.get("measured") for gate in gates if gate.get("name") == "calibration"), None)),
        f"{verdicts.count('passed')}/{len(gates)}" if gates else MISSING,
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
    from mhc.index.records import with_record

    title("Completed runs that are not candidates")
    lines = [(row.id, score(row.val_f1_macro), reason_of(record)) for row, record in with_record(index, rows)]
    show_table(OTHER_COLUMNS, lines)


def reason_of(record: dict[str, object]) -> str:
    """Return the reasons as one line."""
    return "; ".join(reasons_of(record))


def reasons_of(record: dict[str, object]) -> list[str]:
    """Return every gate that did not pass, with its reason; without such a gate, the reason of the decision."""
    from mhc.index.fields import value_at

    gates = value_at(record, ("promotion", "gates"))
    missed = [gate for gate in gates if gate.get("verdict") != "passed"] if isinstance(gates, list) else []
    if missed:
        return [
            f"{gate.get('name')} ({gate.get('verdict')}): {with_remedy(gate.get('reason'), gate.get('remedy') or '')}"
            for gate in missed
        ]
    return [str(value_at(record, ("promotion", "reason")) or "not judged")]
