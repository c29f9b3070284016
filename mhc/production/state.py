"""What production is, folded from the ledger. Pure: entries in, state out; nothing is stored that no entry explains."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from mhc import timestamps
from mhc.errors import BadInput, Conflict, NotFound
from mhc.production.ledger import START, Entry

CHAMPION = "champion"


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """One bundle as the ledger tells of it."""

    name: str
    task: str
    labels: list[str]
    run: str
    promoted_at: str
    by: str
    why: str
    forced: bool
    failed: list[str]
    checksums: str
    retired: bool = False


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Production after some entry."""

    bundles: dict[str, Bundle] = {}
    """By name, oldest first; a retired one stays."""
    aliases: dict[str, dict[str, str]] = {}
    """By task and alias: the bundle's name."""
    champions: dict[str, list[str]] = {}
    """By task: who was made champion, oldest first, as far as it was not rolled back; the last one is champion."""


def task_of(labels: Sequence[str]) -> str:
    """The task of a label set: 12 hex digits, whatever the order of the labels."""
    return hashlib.sha256(json.dumps(sorted(labels)).encode()).hexdigest()[:12]


def fold(entries: Sequence[Entry]) -> State:
    """Carry out the entries, one after the other, on nothing."""
    state = State()
    for entry in entries:
        state = _after(state, entry)
    return state


def _after(state: State, entry: Entry) -> State:
    if entry.what == "promoted":
        state = _with_bundle(state, _promoted(entry))
    elif entry.what == "retired":
        state = _with_bundle(state, msgspec.structs.replace(state.bundles[entry.bundle], retired=True))
    if entry.alias and entry.what != "refused":
        state = _aliased(state, entry)
    return state


def _promoted(entry: Entry) -> Bundle:
    return Bundle(
        name=entry.bundle,
        task=entry.task,
        labels=entry.labels,
        run=entry.run,
        promoted_at=entry.at,
        by=entry.by,
        why=entry.why,
        forced=entry.forced,
        failed=entry.failed,
        checksums=entry.checksums,
    )


def _with_bundle(state: State, bundle: Bundle) -> State:
    return msgspec.structs.replace(state, bundles={**state.bundles, bundle.name: bundle})


def _aliased(state: State, entry: Entry) -> State:
    """Point the alias of the entry to its bundle; to none, where it was removed."""
    mine = {alias: name for alias, name in state.aliases.get(entry.task, {}).items() if alias != entry.alias}
    if entry.what != "alias removed":
        mine[entry.alias] = entry.bundle
    champions = state.champions
    if entry.alias == CHAMPION:
        champions = {**champions, entry.task: _line(champions.get(entry.task, []), entry)}
    return msgspec.structs.replace(state, aliases={**state.aliases, entry.task: mine}, champions=champions)


def _line(line: list[str], entry: Entry) -> list[str]:
    """The line of champions after an entry that changes it."""
    if entry.what == "alias removed":
        return []
    if entry.what == "rolled back":
        return line[: len(line) - line[::-1].index(entry.bundle)]
    return line if line[-1:] == [entry.bundle] else [*line, entry.bundle]


def champion(state: State, task: str) -> str | None:
    """The name of the task's champion."""
    return state.aliases.get(task, {}).get(CHAMPION)


def before_champion(state: State, task: str) -> str | None:
    """Whom a rollback makes champion: the newest one before it in line that is not retired."""
    line = state.champions.get(task, [])
    earlier = [name for name in line[:-1] if name != line[-1] and not state.bundles[name].retired]
    return earlier[-1] if earlier else None


def resolve(state: State, word: str, task: str | None = None) -> Bundle:
    """Return the bundle that a name or an alias means.

    Raises:
        NotFound: where there is none.
        Conflict: where the alias means other bundles in other tasks, and no task was said.
    """
    if word in state.bundles:
        return state.bundles[word]
    meant = {mine[word] for key, mine in state.aliases.items() if word in mine and task in (None, key)}
    if len(meant) == 1:
        return state.bundles[meant.pop()]
    if meant:
        raise Conflict(f"{word} means {' and '.join(sorted(meant))}, of different tasks. Say which by its name")
    known = ", ".join([*state.bundles, *sorted({alias for mine in state.aliases.values() for alias in mine})])
    raise NotFound(f"No bundle and no alias {word!r}. There are: {known or 'none, nothing was promoted yet'}")


def until(entries: Sequence[Entry], moment: datetime) -> list[Entry]:
    """The entries up to a moment; times in a ledger never go back."""
    last = timestamps.text(moment)
    return [entry for entry in entries if entry.at <= last]


def parse_moment(text: str) -> datetime:
    """A date (its end, UTC) or a time in ISO 8601.

    Raises:
        BadInput: where it is neither.
    """
    try:
        moment = timestamps.parse(text)
    except ValueError:
        raise BadInput(f"{text!r} is no date. Write 2026-03-01, or 2026-03-01T12:30:00") from None
    return moment + timedelta(days=1, milliseconds=-1) if len(text) == len("2026-03-01") else moment.astimezone(UTC)


def snapshot(entries: Sequence[Entry]) -> bytes:
    """The content of `registry.json`: the fold, readable, with the head that it was folded from."""
    state = fold(entries)
    described = {
        "entries": len(entries),
        "head": entries[-1].hash if entries else START,
        "aliases": {
            task: {"labels": _labels(state, task), **{alias: mine[alias] for alias in sorted(mine)}}
            for task, mine in sorted(state.aliases.items())
        },
        "bundles": {name: msgspec.to_builtins(bundle) for name, bundle in state.bundles.items()},
        "forced": sum(bundle.forced for bundle in state.bundles.values()),
        "refused": sum(entry.what == "refused" for entry in entries),
    }
    return json.dumps(described, indent=1).encode() + b"\n"


def _labels(state: State, task: str) -> list[str]:
    return next((bundle.labels for bundle in state.bundles.values() if bundle.task == task), [])


def sentence(entry: Entry) -> str:
    """What an entry says, in one line."""
    who = f" by {entry.by}" + (f": {entry.why}" if entry.why else "")
    was = f" (was {entry.before})" if entry.before else ""
    forced = " by force" if entry.forced else ""
    said = {
        "promoted": f"{entry.bundle} promoted{forced} from {entry.run}" + (f" as {entry.alias}" if entry.alias else ""),
        "refused": f"promotion of {entry.run} refused ({'; '.join(entry.failed)})",
        "alias set": f"{entry.alias} is {entry.bundle}{was}",
        "alias removed": f"{entry.alias} removed{was}",
        "rolled back": f"{entry.alias} rolled back to {entry.bundle}{was}",
        "published": f"{entry.bundle} published to {entry.to}",
    }
    return said.get(entry.what, f"{entry.bundle} {entry.what}".strip()) + who
