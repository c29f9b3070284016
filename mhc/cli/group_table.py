"""Groups of runs as a table: mean and spread of their scores, validation first; for `list --group` and `compare`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mhc.cli.output import Column, TableRow, remark, show_table, title
from mhc.report.formatting import format_interval, format_mean
from mhc.report.tables import MISSING, score

if TYPE_CHECKING:
    from mhc.analysis.fold_scores import FoldScores
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

FOLD_COLUMN = Column("out-of-fold F1")
"""After that of the test, if a group has folds."""
FOLD_NOTE = (
    "Out-of-fold F1: of all rows, each predicted by the training that held it out, with the interval of a test split "
    "of these rows. The folds share most of their train rows: what other train rows would change is not in the interval"
)


def fold_scores(index: Index, groups: Sequence[Group], policy: str) -> list[FoldScores | None]:
    """Return the out-of-fold scores of the groups; None for a group without folds.

    Raises:
        BadConfig: if there is no such policy, which has the confidence.
    """
    if not any(row.fold is not None for group in groups for row in group.rows):
        return [None] * len(groups)
    from mhc.analysis.fold_scores import fold_scores as scores_of  # here, because of numpy
    from mhc.policy import load

    rules = load(policy).promotion
    return [scores_of(index, group.rows, rules.confidence, rules.resamples) for group in groups]


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


def show_groups(groups: Sequence[Group], labels: Sequence[str], folds: Sequence[FoldScores | None]) -> None:
    """Print the groups in their order, and why folds have no common score."""
    columns, lines = list(GROUP_COLUMNS), [list(group_cells(*line)) for line in zip(groups, labels, strict=True)]
    if any(folds):
        place = 1 + [column.title for column in columns].index("test F1")
        columns.insert(place, FOLD_COLUMN)
        for line, scores in zip(lines, folds, strict=True):
            line.insert(place, fold_cell(scores))
    show_table(columns, lines)
    for label, scores in zip(labels, folds, strict=True):
        if scores and scores.flaw:
            remark(f"{label} has no out-of-fold score. {scores.flaw}")


def show_fold_groups(index: Index, rows: Sequence[Row], policy: str) -> None:
    """Print the out-of-fold scores of the configs whose folds are among the runs; nothing if none are."""
    from mhc.index.seed_groups import grouped

    groups = grouped([row for row in rows if row.fold is not None], lambda row: row.grp)
    if groups:
        title("All folds of each config")
        show_groups(groups, group_labels(index, groups, "seed"), fold_scores(index, groups, policy))
        remark(FOLD_NOTE)


def fold_cell(scores: FoldScores | None) -> str:
    """Return `0.612 (0.590 to 0.633)`."""
    if scores is None or scores.f1_macro is None:
        return MISSING
    interval = scores.f1_macro
    return f"{score(interval.point)} ({score(interval.low)} to {score(interval.high)})"


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


def group_record(group: Group, label: str, folds: FoldScores | None) -> dict[str, object]:
    """Return a group as `--json` prints it."""
    spreads = {name: getattr(group, name) for name in ("val_accuracy", "val_f1_macro", "accuracy", "f1_macro")}
    return {
        "group": group.key,
        "label": label,
        "data": group.data,
        "runs": [row.id for row in group.rows],
        **{name: spread and spread._asdict() for name, spread in spreads.items()},
        "out_of_fold": folds and folds._asdict(),
        "best": group.best.id if group.best else None,
    }
