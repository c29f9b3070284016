"""The state of production, folded from the ledger. Pure: entries in, state out; every value comes from an entry."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime

import msgspec

from mhc import timestamps
from mhc.errors import Conflict, NotFound, Unreadable
from mhc.production.bundle import checked_name
from mhc.production.ledger import START, Entry

CHAMPION = "champion"
ABOUT_A_BUNDLE = ("alias set", "rolled back", "retired", "published")
"""Kinds of entries whose bundle was promoted before."""
MAX_NAME = 48
"""Characters of the labels in the default name of a task."""


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
    tasks: dict[str, str] = {}
    """The name of each task by its id, oldest first."""
    holders: dict[str, list[str]] = {}
    """By alias: the tasks that have it, in the order in which they got it; the plain alias means that of the first."""
    champions: dict[str, list[str]] = {}
    """By task: the successive champions, oldest first, without those that were rolled back; the last one is current."""


def task_of(labels: Sequence[str]) -> str:
    """Return the task of a label set: 12 hex digits that do not depend on the order of the labels."""
    return hashlib.sha256(json.dumps(sorted(labels)).encode()).hexdigest()[:12]


def default_name(labels: Sequence[str]) -> str:
    """Return the name of a task whose first promotion gave none: its labels, as many as fit."""
    words = ["".join(c if c.isalnum() or c in "._" else "-" for c in label.lower()) for label in sorted(labels)]
    name, rest = "", list(words)
    while rest and len(name) + len(rest[0]) < MAX_NAME:
        name = f"{name}-{rest.pop(0)}" if name else rest.pop(0)
    return f"{name}-and-{len(rest)}-more" if rest and name else name or f"{len(words)}-labels"


def fold(entries: Sequence[Entry]) -> State:
    """Return the state after these entries, applied in order to an empty state.

    Raises:
        Unreadable: if an entry is about a bundle that no earlier one promoted; its hash does not exclude that.
    """
    state = State()
    for entry in entries:
        names = state.champions.get(entry.task, []) if entry.what == "rolled back" else state.bundles
        if entry.what in ABOUT_A_BUNDLE and entry.bundle not in names:
            raise Unreadable(
                f"Entry {entry.seq} of the ledger ({entry.what}) is about {entry.bundle[:100]!r}, which no earlier "
                "entry promoted, so the ledger was not written by mhc alone. Restore it from a copy"
            )
        state = _after(state, entry)
    return state


def _after(state: State, entry: Entry) -> State:
    if entry.what == "promoted":
        state = _with_task(_with_bundle(state, _bundle(entry)), entry)
    elif entry.what == "retired":
        state = _with_bundle(state, msgspec.structs.replace(state.bundles[entry.bundle], retired=True))
    elif entry.what == "redacted" and entry.bundle in state.bundles:
        masked = msgspec.structs.replace(state.bundles[entry.bundle], checksums=entry.checksums)
        state = _with_bundle(state, masked)
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


def _with_task(state: State, entry: Entry) -> State:
    """Name the task of the entry if it is new; tasks of the same name get a number."""
    if entry.task in state.tasks:
        return state
    name, number = entry.task_name or default_name(entry.labels), 2
    unique = name
    while unique in state.tasks.values():
        unique, number = f"{name}-{number}", number + 1
    return msgspec.structs.replace(state, tasks={**state.tasks, entry.task: unique})


def _with_alias(state: State, entry: Entry) -> State:
    """Point the alias of the entry to its bundle, or remove it."""
    aliases = {alias: name for alias, name in state.aliases.get(entry.task, {}).items() if alias != entry.alias}
    if entry.what != "alias removed":
        aliases[entry.alias] = entry.bundle
    holders = [task for task in state.holders.get(entry.alias, []) if task != entry.task or entry.alias in aliases]
    if entry.alias in aliases and entry.task not in holders:
        holders.append(entry.task)
    champions = state.champions
    if entry.alias == CHAMPION:
        champions = {**champions, entry.task: _succession(champions.get(entry.task, []), entry)}
    return msgspec.structs.replace(
        state,
        aliases={**state.aliases, entry.task: aliases},
        holders={**state.holders, entry.alias: holders},
        champions=champions,
    )


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


def champions(state: State) -> list[Bundle]:
    """Return the champions of all tasks."""
    return [state.bundles[aliases[CHAMPION]] for aliases in state.aliases.values() if CHAMPION in aliases]


def previous_champion(state: State, task: str) -> str | None:
    """Return the champion after a rollback: the newest earlier champion that is not retired; None if there is none."""
    names = state.champions.get(task, [])
    earlier = [name for name in names[:-1] if name != names[-1] and not state.bundles[name].retired]
    return earlier[-1] if earlier else None


def find_task(state: State, text: str) -> str:
    """Return the id of the task with this name or id.

    Raises:
        NotFound: if there is none.
    """
    for task, name in state.tasks.items():
        if text in (task, name):
            return task
    names = ", ".join(state.tasks.values())
    raise NotFound(f"No task {text!r}. There are: {names or 'none, nothing was promoted yet'}")


def tasks_with_labels(state: State, labels: Sequence[str]) -> list[str]:
    """Return the tasks that have a bundle with exactly these labels, those whose champion has them first."""
    same = [item for item in state.bundles.values() if set(item.labels) == set(labels)]
    champions = [item.task for item in same if champion(state, item.task) == item.name]
    return list(dict.fromkeys([*champions, *(item.task for item in same)]))


def choose_task(state: State, labels: Sequence[str], requested: str | None, related: Sequence[str]) -> str:
    """Return the id of a run's task: the requested one, one with these labels, a related one, or else a new one.

    Args:
        state: the state of production.
        labels: of the run.
        requested: name or id of a task, or the name of a new one.
        related: the tasks whose champion has the same data, most similar first.

    Raises:
        BadInput: if the name of a new task is invalid.
    """
    if requested is None:
        return next(iter([*tasks_with_labels(state, labels), *related]), task_of(labels))
    known = [task for task, name in state.tasks.items() if requested in (task, name)]
    if known:
        return known[0]
    checked_name(requested)
    task = task_of(labels)
    return hashlib.sha256(f"task {requested}".encode()).hexdigest()[:12] if task in state.tasks else task


def resolve(state: State, name: str, task: str | None = None) -> Bundle:
    """Return the bundle with this name or alias; without a task, an alias means that of the task that got it first.

    Args:
        state: the state of production.
        name: of a bundle, or an alias.
        task: name or id of a task.

    Raises:
        NotFound: if there is none.
    """
    chosen = None if task is None else find_task(state, task)
    if name in state.bundles and chosen in (None, state.bundles[name].task):
        return state.bundles[name]
    holders = [holder for holder in state.holders.get(name, []) if chosen in (None, holder)]
    if holders:
        return state.bundles[state.aliases[holders[0]][name]]
    within = "" if chosen is None else f" of the task {state.tasks[chosen]}"
    names = [item.name for item in state.bundles.values() if chosen in (None, item.task)]
    aliases = {alias for key, pairs in state.aliases.items() for alias in pairs if chosen in (None, key)}
    known = ", ".join([*names, *sorted(aliases)])
    raise NotFound(f"No bundle and no alias {name!r}{within}. There are: {known or 'none, nothing was promoted yet'}")


def resolve_one(state: State, alias: str, task: str | None) -> Bundle:
    """Return the bundle of an alias that is to be changed: the task has to be given if several have the alias.

    Raises:
        NotFound: if there is none.
        Conflict: if several tasks have the alias, and `task` is None.
    """
    holders = state.holders.get(alias, [])
    if task is None and len(holders) > 1:
        pairs = " and ".join(f"{state.aliases[key][alias]} (task {state.tasks[key]})" for key in holders)
        raise Conflict(f"{alias} is {pairs}. Choose one with --task NAME")
    return resolve(state, alias, task)


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
    if any(entry.task_name for entry in entries):  # earlier versions did not name tasks in their snapshots
        content["tasks"] = state.tasks
    return json.dumps(content, indent=1).encode() + b"\n"


def _labels(state: State, task: str) -> list[str]:
    return next((bundle.labels for bundle in state.bundles.values() if bundle.task == task), [])


def sentence(entry: Entry) -> str:
    """Return an entry as one readable line."""
    author = f" by {entry.by}" + (f": {entry.why}" if entry.why else "")
    was = f" (was {entry.before})" if entry.before else ""
    forced = " by force" if entry.forced else ""
    alias = f" as {entry.alias}" if entry.alias else ""
    labels = ", ".join(f"{label}={answer}" for label, answer in entry.label_map.items())
    mapped = f" with the labels {labels}" if labels else ""
    sentences = {
        "promoted": f"{entry.bundle} promoted{forced} from {entry.run}{alias}{mapped}",
        "refused": f"promotion of {entry.run} refused" + (f" ({'; '.join(entry.failed)})" if entry.failed else ""),
        "alias set": f"{entry.alias} is {entry.bundle}{was}",
        "alias removed": f"{entry.alias} removed{was}",
        "rolled back": f"{entry.alias} rolled back to {entry.bundle}{was}",
        "published": f"{entry.bundle} published to {entry.to}",
    }
    return sentences.get(entry.what, f"{entry.bundle} {entry.what}".strip()) + author
