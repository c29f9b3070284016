"""Put right what a scan saw while others were moving runs: a run seen in two places, or in none because it moved.

A scan looks at one place after the other. A run that is archived in between is seen twice, one that is restored is not
seen at all. Both show against what was known before; only those few runs are looked up again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from mhc.runs.rows import Row
from mhc.runs.scan import ARCHIVES, scan, stamp_of

ROUNDS = 3
"""How often a run that is moved again while it is looked up is looked up."""
PLACES = ("", *sorted(f"{archive}/" for archive in ARCHIVES))


def settled(outputs: Path, models: Path, known: Mapping[str, str]) -> dict[str, str]:
    """As `scan`, but each run that only moved is in the one place where it is; `known` is the result of before."""
    seen = scan(outputs, models)
    doubtful = {tail for path in seen.keys() - known.keys() if len(_places(tail := tail_of(path), seen)) > 1}
    doubtful |= {tail for path in known.keys() - seen.keys() if not _places(tail := tail_of(path), seen)}
    for tail in doubtful:
        for path in _places(tail, seen):
            del seen[path]
        seen |= look_up(outputs, tail)
    return seen


def tail_of(path: str) -> str:
    """The path without the archive in which it begins: a move keeps the rest."""
    first, _, rest = path.partition("/")
    return rest if first in ARCHIVES and rest else path


def _places(tail: str, seen: Mapping[str, str]) -> list[str]:
    return [tail] if tail[:1] == "/" else [path for place in PLACES if (path := place + tail) in seen]


def look_up(outputs: Path, tail: str) -> dict[str, str]:
    """Where the run is now, and its stamp: one place, but for copies that somebody made."""
    found: dict[str, str] = {}
    for _ in range(ROUNDS):
        before, found = found, {}
        for place in PLACES:
            stamp = stamp_of(outputs / place / tail)
            if stamp is not None:
                found[place + tail] = stamp
        if len(found) == 1 or (found and found.keys() == before.keys()):
            break
    return found


def once(outputs: Path, rows: list[Row]) -> list[Row]:
    """The rows without those of a run that another reader, whose scan was older, wrote down where it no longer is."""
    if len({row.id for row in rows}) == len(rows):
        return rows
    counts = Counter(tail_of(row.path) for row in rows)
    doubtful = [tail for tail, count in counts.items() if count > 1 and not tail.startswith("/")]
    there = {tail: found.keys() for tail in doubtful if (found := look_up(outputs, tail))}
    shown = [row for row in rows if (tail := tail_of(row.path)) not in there or row.path in there[tail]]
    return shown if len(shown) >= len(counts) else rows  # moved on while it was looked up: better twice than never
