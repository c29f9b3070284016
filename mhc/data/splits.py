"""Cut missing splits by a hash: the same rows give the same cut, in any order, on any machine. Pure.

The cut is stratified by label. All rows of one author are in one split, so with authors a share is approximate.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable

from mhc.data.cleaning import Rows
from mhc.data.options import Splitting


def cut_missing(splits: dict[str, Rows], options: Splitting) -> tuple[dict[str, Rows], dict[str, str]]:
    """Return all splits, and the origin of each: `given`, or cut from train by hash of text or group."""
    origins = {name: "given" for name in splits}
    by = "group" if splits["train"].groups is not None else "text"
    total = len(splits["train"])
    result = dict(splits)
    for name, share in (("test", options.test), ("val", options.val)):
        if name in result or share == 0.0:
            continue
        of_rest = share * total / max(1, len(result["train"]))  # shares refer to the whole file, not to the rest
        result["train"], result[name] = cut(result["train"], of_rest, f"{options.salt}/{name}")
        origins[name] = f"cut from train by hash of {by}"
    return {name: result[name] for name in ("train", "val", "test") if name in result}, origins


def cut(rows: Rows, share: float, salt: str) -> tuple[Rows, Rows]:
    """Return (the rest, about `share` of the rows); the rest has at least one row of each label with two units."""
    part = set(rows_to_cut(rows, share, salt))
    rest = [row for row in range(len(rows)) if row not in part]
    return rows.take(rest), rows.take(sorted(part))


def rows_to_cut(rows: Rows, share: float, salt: str) -> Iterable[int]:
    """Yield the rows of the part that is cut off: for each label, the units with the lowest hashes."""
    for units in units_by_label(rows, salt).values():
        target, count = share * sum(map(len, units)), 0
        for unit in units[:-1]:  # the last unit is never cut off, so that the rest has the label
            if count + len(unit) / 2 <= target:
                count += len(unit)
                yield from unit


def units_by_label(rows: Rows, salt: str) -> dict[str, list[list[int]]]:
    """Return, per label, its units: lists of rows that must be in one split, sorted by hash.

    A unit is the rows of one author, or one row if its author is unknown; an author belongs to the label that most of
    their rows have.
    """
    units: dict[str, list[int]] = defaultdict(list)
    for row, text in enumerate(rows.texts):
        group = rows.groups[row] if rows.groups is not None else None
        units[f"group {group}" if group else f"text {text} {rows.labels[row]}"].append(row)
    labels: dict[str, list[list[int]]] = defaultdict(list)
    for key in sorted(units, key=lambda key: digest(key, salt)):
        labels[most_frequent([rows.labels[row] for row in units[key]])].append(units[key])
    return dict(sorted(labels.items()))


def most_frequent(labels: list[str]) -> str:
    """Return the most frequent label; of several, the first in alphabetical order."""
    distinct = set(labels)
    if len(distinct) == 1:  # almost always; counting takes longer than the rest of the cut
        return labels[0]
    counts = {label: labels.count(label) for label in distinct}
    return min(counts, key=lambda label: (-counts[label], label))


def digest(key: str, salt: str) -> bytes:
    """Return the 16 bytes by which units are sorted."""
    return hashlib.blake2b(f"{salt}\0{key}".encode(), digest_size=16).digest()


def take_share(train: Rows, options: Splitting) -> tuple[Rows, float]:
    """Return the part of train that is used, and its share of train."""
    share = options.train_fraction
    if options.max_train_rows is not None:
        share = min(share, options.max_train_rows / max(1, len(train)))
    if share >= 1.0:
        return train, 1.0
    _, used = cut_at_least_one(train, share, f"{options.salt}/use")
    return used, len(used) / len(train)


def cut_at_least_one(rows: Rows, share: float, salt: str) -> tuple[Rows, Rows]:
    """Cut as `cut` does, but so that the part that is cut off has a row of every label."""
    rest, part = cut(rows, share, salt)
    missing = set(rows.labels) - set(part.labels)
    if not missing:
        return rest, part
    first_units = {label: units[0] for label, units in units_by_label(rows, salt).items() if label in missing}
    chosen = {*rows_to_cut(rows, share, salt), *(row for unit in first_units.values() for row in unit)}
    return rows.take([row for row in range(len(rows)) if row not in chosen]), rows.take(sorted(chosen))
