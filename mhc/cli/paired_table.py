"""Paired tests of runs on their evidence, validation first; for `compare`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from mhc.cli.output import Column, TableRow, remark, show_table, title
from mhc.cli.run_table import ranked
from mhc.report.tables import MISSING, Cell

if TYPE_CHECKING:
    from mhc.index.index import Index
    from mhc.index.rows import Row
    from mhc.policy import PromotionPolicy
    from mhc.production.paired_runs import PairedTest
    from mhc.runs.out_of_fold import OutOfFold

MAX_OTHERS = 10
"""Runs with which the best one is compared."""
COLUMNS = (
    Column("against", min_width=16, cut_middle=True),
    Column("split"),
    Column("F1 diff.", right=True),
    Column("bounds"),
    Column("p", right=True, drop_rank=1),
    Column("verdict", wrap=True),
)
STYLES = {"better": "green", "worse": "red"}


def paired_tests(index: Index, rows: Sequence[Row], policy: PromotionPolicy, *, of_best: bool) -> list[PairedTest]:
    """Return the tests of two runs, the second against the first; of more runs, of the best against each other one.

    Args:
        index: has the folders of the runs.
        rows: the runs.
        policy: the level and the number of resamples.
        of_best: test the best of two runs, too. The best is that on validation, for each data set; the bounds are
            corrected for its choice.
    """
    from mhc.production.paired_runs import paired_test

    many = of_best or len(rows) > 2
    folds = [row for row in rows if many and row.fold is not None]
    others = [row for row in rows if row not in folds]
    return [
        *fold_tests(index, folds, policy),
        *(
            paired_test(split, index.folder(first.path), index.folder(second.path), picked_from=number, policy=policy)
            for first, second, number in _pairs(others, of_best=many)
            for split in ("val", "test")
        ),
    ]


def fold_tests(index: Index, rows: Sequence[Row], policy: PromotionPolicy) -> list[PairedTest]:
    """Return the tests of the config that is best on validation, over its folds, against each other one.

    Configs with folds of the same rows are compared; those whose folds cannot be joined are left out, as
    `list --group seed` says.
    """
    from mhc.analysis.fold_scores import out_of_fold
    from mhc.cli.group_table import group_labels
    from mhc.errors import MhcError
    from mhc.index.seed_groups import grouped
    from mhc.production.paired_runs import paired_folds

    groups = grouped(rows, lambda row: row.grp)
    joined: dict[str, list[tuple[str, OutOfFold]]] = {}
    for group, label in zip(groups, group_labels(index, groups, "seed"), strict=True):
        with suppress(MhcError):
            joined.setdefault(group.data, []).append((label, out_of_fold(index, group.rows)))
    return [
        paired_folds((label, best), other, model, picked_from=len(models), policy=policy)
        for models in joined.values()
        for best, model in models[:1]
        for label, other in models[1 : MAX_OTHERS + 1]
    ]


def _pairs(rows: Sequence[Row], *, of_best: bool) -> Iterator[tuple[Row, Row, int]]:
    """Yield incumbent, challenger, and the number of runs from which the challenger was picked."""
    if not of_best:
        yield rows[0], rows[1], 1
        return
    for group in ranked(rows).values():
        scored = [row for row in group if row.val_f1_macro is not None]
        yield from ((other, scored[0], len(scored)) for other in scored[1 : MAX_OTHERS + 1])


def show_paired_tests(tests: Sequence[PairedTest], labels: Mapping[str, str]) -> None:
    """Print the tests, one table per challenger; `labels` are names of the runs by the names of their folders."""
    for challenger in dict.fromkeys(test.challenger for test in tests):
        own = [test for test in tests if test.challenger == challenger]
        label = labels.get(challenger)
        title(f"Paired tests of {label} ({challenger})" if label else f"Paired tests of {challenger}")
        show_table(COLUMNS, [test_cells(test, labels.get(test.incumbent) or test.incumbent) for test in own])
        remark(note(own))


def test_cells(test: PairedTest, against: str) -> TableRow:
    """Return the cells of COLUMNS."""
    verdict = Cell(test.verdict, STYLES.get(test.verdict, "dim"))
    result = test.comparison
    if result is None:
        return (against, test.split, MISSING, MISSING, MISSING, Cell(f"not comparable: {test.flaw}", "dim"))
    bounds = f"{result.low:+.3f} to {result.high:+.3f}"
    return (against, test.split, f"{result.difference:+.3f}", bounds, f"{result.mcnemar_p:.3f}", verdict)


def note(tests: Sequence[PairedTest]) -> str:
    """Return the explanation of the columns."""
    results = [test.comparison for test in tests if test.comparison]
    number = max((result.picked_from for result in results), default=1)
    corrected = f", the lower one corrected for the best of {number}" if number > 1 else ""
    return (
        "F1 diff.: its macro-F1 minus that of the other, on the same rows; bounds: one-sided, as in the champion gate"
        f"{corrected}; p: McNemar's exact test of accuracy"
    )


def test_record(test: PairedTest) -> dict[str, object]:
    """Return a test as `--json` prints it."""
    return {**test._asdict(), "verdict": test.verdict}
