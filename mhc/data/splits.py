"""Cut missing splits by a hash: the same rows give the same cut, in any order, on any machine. Pure.

Each label gives its share of rows (stratified). Rows of one author stay together, so there a share is met only as far
as whole authors allow.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable

from mhc.data.cleaning import Rows
from mhc.data.options import Splitting


def cut_missing(splits: dict[str, Rows], options: Splitting) -> tuple[dict[str, Rows], dict[str, str]]:
    """Return all splits, and how each came about: `given`, or cut from train by hash of text or group."""
    how = {name: "given" for name in splits}
    by = "group" if splits["train"].groups is not None else "text"
    total = len(splits["train"])
    result = dict(splits)
    for name, share in (("test", options.test), ("val", options.val)):
        if name in result or share == 0.0:
            continue
        of_rest = share * total / max(1, len(result["train"]))  # shares count from the whole file, not from the rest
        result["train"], result[name] = cut(result["train"], of_rest, f"{options.salt}/{name}")
        how[name] = f"cut from train by hash of {by}"
    return {name: result[name] for name in ("train", "val", "test") if name in result}, how


def cut(rows: Rows, share: float, salt: str) -> tuple[Rows, Rows]:
    """Return (the rest, about `share` of the rows); at least one row of each label with two units stays in the rest."""
    taken = set(chosen(rows, share, salt))
    rest = [row for row in range(len(rows)) if row not in taken]
    return rows.take(rest), rows.take(sorted(taken))


def chosen(rows: Rows, share: float, salt: str) -> Iterable[int]:
    """Yield the rows of the part that is cut off: of each label the units with the lowest hashes."""
    for units in units_by_label(rows, salt).values():
        wanted, got = share * sum(map(len, units)), 0
        for unit in units[:-1]:  # the last unit always stays, or the label would leave the rest
            if got + len(unit) / 2 <= wanted:
                got += len(unit)
                yield from unit


def units_by_label(rows: Rows, salt: str) -> dict[str, list[list[int]]]:
    """Return, per label, the rows that must stay together, sorted by hash.

    A unit is an author's rows, or one row where the author is not known; an author counts for the label that most of
    the rows have.
    """
    units: dict[str, list[int]] = defaultdict(list)
    for row, text in enumerate(rows.texts):
        group = rows.groups[row] if rows.groups is not None else None
        units[f"group {group}" if group else f"text {text} {rows.labels[row]}"].append(row)
    labels: dict[str, list[list[int]]] = defaultdict(list)
    for key in sorted(units, key=lambda key: digest(key, salt)):
        counts = Counter(rows.labels[row] for row in units[key])
        labels[min(counts, key=lambda label: (-counts[label], label))].append(units[key])
    return dict(sorted(labels.items()))


def digest(key: str, salt: str) -> bytes:
    """Return 16 bytes that decide the side of a unit."""
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
    """Like `cut`, but the part that is cut off has a row of every label."""
    rest, part = cut(rows, share, salt)
    missing = set(rows.labels) - set(part.labels)
    if not missing:
        return rest, part
    first = {label: units[0] for label, units in units_by_label(rows, salt).items() if label in missing}
    taken = {*chosen(rows, share, salt), *(row for unit in first.values() for row in unit)}
    return rows.take([row for row in range(len(rows)) if row not in taken]), rows.take(sorted(taken))
