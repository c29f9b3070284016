"""Which runs may be ranked against each other: those that were scored on the same validation split. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from mhc.index.rows import Row

UNKNOWN = "unknown data"


def key_of_data(row: Row) -> str:
    """Return what runs with comparable validation scores have in common; the name of the data without a fingerprint."""
    return row.val_data or row.data or ""


def by_data_set(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return the rows by the name of their data set, in the order of their first appearance.

    Data sets of one name get the beginning of the fingerprint of their validation split.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(key_of_data(row), []).append(row)
    names = [group[0].data or UNKNOWN for group in groups.values()]
    return {
        f"{name} ({key[:8]})" if names.count(name) > 1 else name: group
        for name, (key, group) in zip(names, groups.items(), strict=True)
    }
