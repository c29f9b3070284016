"""`mhc list`: one run a line; any recorded fields with --columns; one line a group with --group."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from mhc.cli import run_options
from mhc.cli.context import Place
from mhc.cli.formatting import NOTHING, amount, duration, now, score, since, when
from mhc.cli.output import Cell, Column, Row, remark, show, status_cell
from mhc.index.fields import Found, Kind, resolve, split

if TYPE_CHECKING:
    from mhc.index.rows import Row as Run
    from mhc.index.seed_groups import Group, Spread
    from mhc.index.selection import Selection


LATEST = 50
"""Runs that are shown unless --limit says otherwise."""

COLUMNS = (
    Column("id", least=22, middle=True),
    Column("status"),
    Column("category"),
    Column("age", right=True),
    Column("took", right=True),
    Column("acc", right=True),
    Column("F1", right=True),
    Column("cand"),
    Column("tags", least=6, rank=2),
    Column("place", rank=3),
)


@click.command("list")
@run_options.choosing
@click.option("--sort", default="created_at", metavar="FIELD", help="Numbers and times: largest first. [created_at]")
@click.option("--reverse", is_flag=True, help="The other way round.")
@click.option("--limit", type=click.IntRange(min=0), default=LATEST, help="At most so many; 0: all. [50]")
@click.option("--columns", metavar="FIELD,...", help="These fields instead of the usual columns.")
@click.option("--group", type=click.Choice(["seed", "sweep", "model"]), help="One line a group, with mean and sd.")
@run_options.as_json
@click.pass_context
def list_runs(
    ctx: click.Context, sort: str, reverse: bool, limit: int, columns: str | None, group: str | None, as_json: bool
) -> None:
    """All runs in all places (active, archives, production), newest first.

    Example: mhc list --status completed --since 7d --where "f1_macro >= 0.5 and not tags has paper"
    """
    from mhc.index.selection import ALL, Selection, Sort

    place: Place = ctx.obj
    order = Sort.by(sort, reverse)
    index = run_options.index_of(place)
    selection = Selection(index, run_options.wanted(ctx, now()), now())
    if group:
        show_groups(selection, group, limit or ALL, as_json)
    else:
        show_runs(selection, selection.rows(order, limit or ALL), columns, as_json)
    run_options.tell_unreadable(index)


def show_runs(selection: Selection, rows: list[Run], columns: str | None, as_json: bool) -> None:
    """Print the rows in the way that was asked for."""
    if as_json:
        from mhc.cli.output import show_json

        show_json(selection.records(rows))
        return
    if columns:
        show_columns(selection, rows, columns)
    elif rows:
        show(COLUMNS, [line(row, selection.now) for row in rows])
    remark(summary_line(selection, len(rows)))


def line(row: Run, at: datetime) -> Row:
    """One run as the cells of COLUMNS."""
    from mhc.index.selection import lasted

    candidate = {None: Cell(NOTHING, "dim"), 0: Cell("no", "dim"), 1: Cell("yes", "bold green")}[row.candidate]
    return (
        row.id,
        status_cell(row.shown),
        Cell(row.category or NOTHING, "dim" if row.category == "debug" else ""),
        since(row.created, at),
        duration(lasted(row, at)),
        score(row.accuracy),
        score(row.f1_macro),
        candidate,
        row.tags.replace("\n", ", ") or NOTHING,
        NOTHING if row.location == "active" else row.location,
    )


def summary_line(selection: Selection, shown: int) -> str:
    """`50 of 10,000 runs: 8,002 completed, 990 failed; 3,400 candidates`."""
    counts = selection.counts()
    if not counts.total:
        return f"No such run in {selection.index.outputs}."
    of = f"{shown:,} of {counts.total:,}" if shown < counts.total else f"{counts.total:,}"
    parts = ", ".join(f"{count:,} {status}" for status, count in counts.by_status.items())
    flagged = f"; {counts.candidates:,} candidate{'s' * (counts.candidates != 1)}" if counts.candidates else ""
    return f"{of} run{'s' * (counts.total != 1)}: {parts}{flagged}"


NUMERIC = (Kind.NUMBER, Kind.SECONDS)


def show_columns(selection: Selection, rows: list[Run], said: str) -> None:
    """Print the fields of `said`, separated by commas, of these rows.

    Raises:
        BadInput: where no such field is on record.
    """
    names = [name.strip() for name in said.split(",") if name.strip()]
    found = [resolve(split(name)) for name in names]
    columns = [
        Column(name, right=kind in NUMERIC, least=0 if kind in NUMERIC or name == "status" else 10, middle=name == "id")
        for name, (_, kind) in zip(names, found, strict=True)
    ]
    values = selection.values(rows, [path for path, _ in found])
    show(
        columns,
        [[_cell(path, kind, value) for (path, kind), value in zip(found, line, strict=True)] for line in values],
    )


def _cell(path: tuple[str, ...], kind: Kind, value: Found) -> str | Cell:
    if path == ("status",):
        return status_cell(str(value))
    if kind is Kind.SECONDS and isinstance(value, int | float):
        return duration(value)
    return text_of(value, kind)


def text_of(value: Found, kind: Kind = Kind.ANY) -> str:
    """Whatever may stand on record, as one short line."""
    if value is None or value == [] or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if kind is Kind.TIME:
        return _time(value)
    if isinstance(value, int | float):
        return amount(value)
    if isinstance(value, list):
        return ", ".join(text_of(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}={text_of(item)}" for key, item in value.items())
    return str(value)


def _time(value: Found) -> str:
    from datetime import UTC, datetime

    if isinstance(value, int | float):
        return when(datetime.fromtimestamp(value, UTC).isoformat())
    return when(str(value))


GROUP_COLUMNS = (
    Column("group", least=20, middle=True),
    Column("runs", right=True),
    Column("F1"),
    Column("95 % interval"),
    Column("acc", rank=2),
    Column("best run", least=22, middle=True, rank=3),
)


def show_groups(selection: Selection, by: str, limit: int, as_json: bool) -> None:
    """Print the groups of the chosen runs, best mean macro-F1 on test first."""
    from mhc.index.seed_groups import grouped

    groups = grouped(selection.rows(), by)
    if as_json:
        from mhc.cli.output import show_json

        show_json([as_record(group) for group in groups[:limit]])
        return
    if groups:
        show(GROUP_COLUMNS, [_line(group, by) for group in groups[:limit]])
    unit = {"seed": "seed group", "sweep": "sweep", "model": "model"}[by]
    remark(
        f"{len(groups):,} {unit}{'s' * (len(groups) != 1)}. F1 and acc: mean ± standard deviation of completed runs "
        "on test; the interval is Student's t for the mean"
    )


def as_record(group: Group) -> dict[str, object]:
    """A group as `--json` gives it."""
    return {
        "group": group.key,
        "runs": [row.id for row in group.rows],
        "accuracy": group.accuracy and group.accuracy._asdict(),
        "f1_macro": group.f1_macro and group.f1_macro._asdict(),
        "best": group.best.id if group.best else None,
    }


def mean_and_sd(spread: Spread | None) -> str:
    """`0.612 ± 0.013 (5)`, with the number of runs in brackets."""
    if spread is None:
        return NOTHING
    return f"{score(spread.mean)} ± {score(spread.sd)}" if spread.sd is not None else score(spread.mean)


def interval(spread: Spread | None) -> str:
    """`0.596 to 0.628`."""
    if spread is None or spread.low is None:
        return NOTHING
    return f"{score(spread.low)} to {score(spread.high)}"


def _line(group: Group, by: str) -> tuple[str, ...]:
    newest = group.rows[0]
    name = f"{newest.name} {newest.model or ''} {group.key[:8]}" if by == "seed" else group.key
    done = group.f1_macro.number if group.f1_macro else 0
    runs = str(len(group.rows)) if done == len(group.rows) else f"{done} of {len(group.rows)}"
    best = group.best.id if group.best else NOTHING
    return (name, runs, mean_and_sd(group.f1_macro), interval(group.f1_macro), mean_and_sd(group.accuracy), best)
