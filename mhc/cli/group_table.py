"""Groups of runs as a table: mean and spread of their scores, validation first; for `list --group` and `compare`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mhc.cli.output import Column, TableRow, show_table
from mhc.report.formatting import format_interval, format_mean
from mhc.report.tables import MISSING

if TYPE_CHECKING:
    from mhc.index.index import Index
    from mhc.index.rows import Row
    from mhc.index.seed_groups import Group
    from mhc.index.selection import Selection

GROUP_COLUMNS = (
    Column("group", min_width=16, cut_middle=True),
    Column("runs", right=True),
    Column("val F1"),
    Column("95 % interval", drop_rank=1),
    Column("test F1"),
    Column("data", min_width=8, drop_rank=2),
    Column("best run", min_width=22, cut_middle=True, drop_rank=3),
)
NOTE = (
    "Groups are ordered by data and then by macro-F1 on validation: mean ± standard deviation of completed runs; the "
    "interval is Student's t for the mean"
)


def key_function(selection: Selection, rows: Sequence[Row], by: str) -> Callable[[Row], str | None]:
    """Return the function that gives the group of each row: `seed`, `sweep`, `model`, or the value of a field.

    Raises:
        BadInput: if there is no such field.
    """
    from mhc.index.fields import resolve, split
    from mhc.index.labels import shown
    from mhc.index.query_operators import is_null
    from mhc.index.records import config_names
    from mhc.index.seed_groups import KEYS

    if by in KEYS:
        return KEYS[by]
    path, _ = resolve(split(by), config_names(selection.index))
    values = {row.path: None if is_null(value) else shown(value) for row, (value,) in selection.values(rows, [path])}
    return lambda row: values.get(row.path)


def group_labels(index: Index, groups: Sequence[Group], by: str) -> list[str]:
    """Return a name for each group: `lr=0.003`; of groups that differ only in the seed, what differs between them."""
    from mhc.index.labels import labels_of

    if by != "seed":
        return [group.key if by in ("sweep", "model") else f"{by}={group.key}" for group in groups]
    newest = [group.rows[0] for group in groups]
    texts = labels_of(index, newest, seed=False).texts
    return [f"{row.name} {text}".strip() for row, text in zip(newest, texts, strict=True)]


def show_groups(groups: Sequence[Group], labels: Sequence[str]) -> None:
    """Print the groups in their order."""
    show_table(GROUP_COLUMNS, [group_cells(group, label) for group, label in zip(groups, labels, strict=True)])


def group_cells(group: Group, label: str) -> TableRow:
    """Return the cells of GROUP_COLUMNS."""
    scored = group.val_f1_macro or group.f1_macro
    completed = scored.number if scored else 0
    return (
        label,
        f"{len(group.rows)}" if completed == len(group.rows) else f"{completed} of {len(group.rows)}",
        format_mean(group.val_f1_macro),
        format_interval(group.val_f1_macro),
        format_mean(group.f1_macro),
        group.data,
        group.best.id if group.best else MISSING,
    )


def group_record(group: Group, label: str) -> dict[str, object]:
    """Return a group as `--json` prints it."""
    spreads = {name: getattr(group, name) for name in ("val_accuracy", "val_f1_macro", "accuracy", "f1_macro")}
    return {
        "group": group.key,
        "label": label,
        "data": group.data,
        "runs": [row.id for row in group.rows],
        **{name: spread and spread._asdict() for name, spread in spreads.items()},
        "best": group.best.id if group.best else None,
    }
