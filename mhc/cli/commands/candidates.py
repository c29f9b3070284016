"""`mhc candidates`: the runs that could be promoted, best first, with the evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mhc.cli.context import Place
from mhc.cli.formatting import NOTHING, score, since
from mhc.cli.run_options import as_json as json_option

if TYPE_CHECKING:
    from datetime import datetime

    from mhc.index.index import Index
    from mhc.index.rows import Row


@click.command()
@click.option("--all", "everything", is_flag=True, help="Show why the other completed runs are none, too.")
@click.option("--limit", type=click.IntRange(min=0), default=20, help="At most so many; 0: all. [20]")
@json_option
@click.pass_obj
def candidates(place: Place, everything: bool, limit: int, as_json: bool) -> None:
    """Runs that could be promoted, best macro-F1 on test first, with the evidence.

    Example: mhc candidates --all
    """
    from mhc.cli.formatting import now
    from mhc.cli.run_options import index_of, tell_unreadable
    from mhc.index.selection import ALL, record_dicts

    index = index_of(place)
    order = f"f1_macro DESC NULLS LAST, created DESC LIMIT {limit or ALL}"
    flagged = index.rows("error = '' AND candidate = 1", order=order)
    others = index.rows("error = '' AND shown = 'completed' AND candidate IS NOT 1", order=order) if everything else []
    if as_json:
        from mhc.cli.output import show_json

        show_json(record_dicts(index, [*flagged, *others]))
        return
    show_candidates(index, flagged, now())
    if everything:
        show_others(index, others)
    tell_unreadable(index)


def show_candidates(index: Index, rows: list[Row], at: datetime) -> None:
    """Tabulate the candidates with what speaks for them."""
    from mhc.cli.output import Column, remark, show
    from mhc.index.index import ONCE
    from mhc.index.selection import record_dicts

    if not rows:
        remark(f"No candidate in {index.outputs}. See why with: mhc candidates --all")
        return
    columns = (
        Column("id", least=22, middle=True),
        Column("F1", right=True),
        Column("acc", right=True),
        Column("worst class", least=14),
        Column("ECE", right=True),
        Column("gates", right=True),
        Column("age", right=True),
        Column("bundle", least=8, rank=1),
        Column("data", least=8, rank=2),
    )
    records = record_dicts(index, rows)
    show(columns, [_line(row, record, at) for row, record in zip(rows, records, strict=True)])
    total = len(index.query(f"SELECT 1 FROM runs WHERE {ONCE} AND error = '' AND candidate = 1"))
    remark(f"{len(rows):,} of {total:,} candidates. Promote one with: mhc promote ID --by WHO --reason WHY")


def _line(row: Row, record: dict[str, object], at: datetime) -> tuple[str, ...]:
    from mhc.index.fields import found_in

    recall = found_in(record, ("metrics", "test", "recall"))
    worst = min(recall.items(), key=lambda pair: pair[1], default=None) if isinstance(recall, dict) else None
    ece = found_in(record, ("metrics", "test", "ece"))
    verdicts = found_in(record, ("promotion", "gates", "verdict"))
    gates = verdicts if isinstance(verdicts, list) else []
    bundles = found_in(record, ("promotion", "bundles"))
    return (
        row.id,
        score(row.f1_macro),
        score(row.accuracy),
        f"{score(worst[1])} {worst[0]}" if worst else NOTHING,
        score(ece if isinstance(ece, float) else None),
        f"{gates.count('passed')}/{len(gates)}" if gates else NOTHING,
        since(row.created, at),
        ", ".join(map(str, bundles)) if isinstance(bundles, list) and bundles else NOTHING,
        str(found_in(record, ("data", "name")) or NOTHING),
    )


def show_others(index: Index, rows: list[Row]) -> None:
    """Tabulate completed runs that are no candidates, with the reason."""
    from mhc.cli.output import Column, show, title
    from mhc.index.selection import record_dicts

    title("Completed runs that are none")
    columns = (Column("id", least=22, middle=True), Column("F1", right=True), Column("why", wrap=True))
    records = record_dicts(index, rows)
    show(columns, [(row.id, score(row.f1_macro), why(record)) for row, record in zip(rows, records, strict=True)])


def why(record: dict[str, object]) -> str:
    """Every gate that did not pass, with its reason; else the reason of the whole."""
    from mhc.index.fields import found_in

    gates = found_in(record, ("promotion", "gates"))
    failed = [gate for gate in gates if gate.get("verdict") != "passed"] if isinstance(gates, list) else []
    if failed:
        return "; ".join(f"{gate.get('name')} ({gate.get('verdict')}): {gate.get('reason')}" for gate in failed)
    return str(found_in(record, ("promotion", "reason")) or "not judged")
