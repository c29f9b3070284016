"""The state of production, folded from the ledger. Pure: entries in, state out; every value comes from an entry."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime

import msgspec

from mhc import timestamps
from mhc.errors import Conflict, NotFound
from mhc.production.ledger import START, Entry

CHAMPION = "champion"


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """One bundle according to the ledger."""

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
    """The state of production after some entry."""

    bundles: dict[str, Bundle] = {}
    """By name, oldest first, retired ones included."""
    aliases: dict[str, dict[str, str]] = {}
    """By task and alias: the bundle's name."""
    champions: dict[str, list[str]] = {}
    """By task: the successive champions, oldest first, without those that were rolled back; the last one is current."""


def task_of(labels: Sequence[str]) -> str:
    """Return the task of a label set: 12 hex digits that do not depend on the order of the labels."""
    return hashlib.sha256(json.dumps(sorted(labels)).encode()).hexdigest()[:12]


def fold(entries: Sequence[Entry]) -> State:
    """Return the state after these entries, applied in order to an empty state."""
    state = State()
    for entry in entries:
        state = _after(state, entry)
    return state


def _after(state: State, entry: Entry) -> State:
    if entry.what == "promoted":
        state = _with_bundle(state, _bundle(entry))
    elif entry.what == "retired":
        state = _with_bundle(state, msgspec.structs.replace(state.bundles[entry.bundle], retired=True))
    if entry.alias and entry.what != "refused":
        state = _with_alias(state, entry)
    return state


def _bundle(entry: Entry) -> Bundle:
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


def _with_alias(state: State, entry: Entry) -> State:
    """Point the alias of the entry to its bundle, or remove it."""
    aliases = {alias: name for alias, name in state.aliases.get(entry.task, {}).items() if alias != entry.alias}
    if entry.what != "alias removed":
        aliases[entry.alias] = entry.bundle
    champions = state.champions
    if entry.alias == CHAMPION:
        champions = {**champions, entry.task: _succession(champions.get(entry.task, []), entry)}
    return msgspec.structs.replace(state, aliases={**state.aliases, entry.task: aliases}, champions=champions)


def _succession(names: list[str], entry: Entry) -> list[str]:
    """Return the successive champions after an entry that changes them."""
    if entry.what == "alias removed":
        return []
    if entry.what == "rolled back":
        return names[: len(names) - names[::-1].index(entry.bundle)]
    return names if names[-1:] == [entry.bundle] else [*names, entry.bundle]


def champion(state: State, task: str) -> str | None:
    """Return the name of the task's champion, or None if it has none."""
    return state.aliases.get(task, {}).get(CHAMPION)


def previous_champion(state: State, task: str) -> str | None:
    """Return the champion after a rollback: the newest earlier champion that is not retired; None if there is none."""
    names = state.champions.get(task, [])
    earlier = [name for name in names[:-1] if name != names[-1] and not state.bundles[name].retired]
    return earlier[-1] if earlier else None


def resolve(state: State, name: str, task: str | None = None) -> Bundle:
    """Return the bundle with this name or alias.

    Raises:
        NotFound: if there is none.
        Conflict: if the alias points to bundles of several tasks, and `task` is None.
    """
    if name in state.bundles:
        return state.bundles[name]
    matches = {aliases[name] for key, aliases in state.aliases.items() if name in aliases and task in (None, key)}
    if len(matches) == 1:
        return state.bundles[matches.pop()]
    if matches:
        raise Conflict(f"{name} is {' and '.join(sorted(matches))}, of different tasks. Give the name of the bundle")
    names = ", ".join([*state.bundles, *sorted({alias for aliases in state.aliases.values() for alias in aliases})])
    raise NotFound(f"No bundle and no alias {name!r}. There are: {names or 'none, nothing was promoted yet'}")


def until(entries: Sequence[Entry], time: datetime) -> list[Entry]:
    """Return the entries up to a time; times in a ledger never decrease."""
    last = timestamps.format_time(time)
    return [entry for entry in entries if entry.at <= last]


def snapshot(entries: Sequence[Entry]) -> bytes:
    """Return the content of `registry.json`: the state in readable form, with the head of its ledger."""
    state = fold(entries)
    content = {
        "entries": len(entries),
        "head": entries[-1].hash if entries else START,
        "aliases": {
            task: {"labels": _labels(state, task), **{alias: aliases[alias] for alias in sorted(aliases)}}
            for task, aliases in sorted(state.aliases.items())
        },
        "bundles": {name: msgspec.to_builtins(bundle) for name, bundle in state.bundles.items()},
        "forced": sum(bundle.forced for bundle in state.bundles.values()),
        "refused": sum(entry.what == "refused" for entry in entries),
    }
    return json.dumps(content, indent=1).encode() + b"\n"


def _labels(state: State, task: str) -> list[str]:
    return next((bundle.labels for bundle in state.bundles.values() if bundle.task == task), [])


def sentence(entry: Entry) -> str:
    """Return an entry as one readable line."""
    author = f" by {entry.by}" + (f": {entry.why}" if entry.why else "")
    was = f" (was {entry.before})" if entry.before else ""
    forced = " by force" if entry.forced else ""
    sentences = {
        "promoted": f"{entry.bundle} promoted{forced} from {entry.run}" + (f" as {entry.alias}" if entry.alias else ""),
        "refused": f"promotion of {entry.run} refused ({'; '.join(entry.failed)})",
        "alias set": f"{entry.alias} is {entry.bundle}{was}",
        "alias removed": f"{entry.alias} removed{was}",
        "rolled back": f"{entry.alias} rolled back to {entry.bundle}{was}",
        "published": f"{entry.bundle} published to {entry.to}",
    }
    return sentences.get(entry.what, f"{entry.bundle} {entry.what}".strip()) + author
