"""`mhc list --group`: one line for runs that belong together, with mean, standard deviation and interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mhc.cli.tables import Column, remark, show
from mhc.cli.units import NOTHING, score

if TYPE_CHECKING:
    from mhc.runs.groups import Group, Spread
    from mhc.runs.select import Selection

COLUMNS = (
    Column("group", least=20, middle=True),
    Column("runs", right=True),
    Column("F1"),
    Column("95 % interval"),
    Column("acc", rank=2),
    Column("best run", least=22, middle=True, rank=3),
)


def show_groups(selection: Selection, by: str, limit: int, as_json: bool) -> None:
    """Print the groups of the chosen runs, best mean macro-F1 on test first."""
    from mhc.runs.groups import grouped

    groups = grouped(selection.rows(), by)
    if as_json:
        from mhc.cli.as_json import show_json

        show_json([as_record(group) for group in groups[:limit]])
        return
    if groups:
        show(COLUMNS, [_line(group, by) for group in groups[:limit]])
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
