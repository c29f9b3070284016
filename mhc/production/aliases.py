"""Change who is champion, challenger or any name: set, remove, roll back, retire. Each change is one ledger entry."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from mhc import timestamps
from mhc.errors import BadInput, Conflict, NotFound, Refused
from mhc.policy import PromotionPolicy
from mhc.production import bundle, ledger, snapshot, state
from mhc.production.ledger import Entry, Writer
from mhc.production.state import CHAMPION, Bundle, State


def set_alias(
    models: Path, alias: str, word: str, *, by: str, why: str, policy: PromotionPolicy, now: datetime | None = None
) -> Entry:
    """Point `alias` to the bundle that `word` (a name or another alias) means.

    Raises:
        BadInput: where the alias cannot be a name, or nobody or no reason is named.
        NotFound: where there is no such bundle.
        Refused: where the bundle is retired.
        Conflict: where it is so already, or the alias is a bundle's name.
    """
    bundle.checked_name(alias)
    _must_be_signed(by, why)
    now = now or timestamps.now()
    with ledger.changing(models, now) as writer:
        known = state.fold(writer.entries)
        found = state.resolve(known, word)
        _must_be_free(alias, found, known)
        entry = replace(_draft("alias set", alias, found, known, by, why), bundle=found.name)
        return _append(writer, entry, policy, f"Make {found.name} {alias}", now)


def _must_be_free(alias: str, found: Bundle, known: State) -> None:
    if alias in known.bundles:
        raise Conflict(f"{alias} is the name of a bundle, so it cannot be an alias")
    if found.retired:
        raise Refused(f"{found.name} is retired; it gets no alias. Promote its run again under a new name")
    if known.aliases.get(found.task, {}).get(alias) == found.name:
        raise Conflict(f"{alias} is {found.name} already")


def remove_alias(
    models: Path,
    alias: str,
    *,
    by: str,
    why: str,
    policy: PromotionPolicy,
    task: str | None = None,
    now: datetime | None = None,
) -> Entry:
    """Take an alias away; the bundle stays.

    Raises:
        BadInput, NotFound, Conflict: as `set_alias`; Conflict also where several tasks have the alias.
    """
    _must_be_signed(by, why)
    now = now or timestamps.now()
    with ledger.changing(models, now) as writer:
        known = state.fold(writer.entries)
        if alias in known.bundles:
            raise NotFound(f"{alias} is a bundle and no alias. Take a bundle out of use with: mhc retire {alias}")
        found = state.resolve(known, alias, task)
        return _append(
            writer, _draft("alias removed", alias, found, known, by, why), policy, f"Remove the alias {alias}", now
        )


def roll_back(
    models: Path,
    *,
    by: str,
    why: str,
    policy: PromotionPolicy,
    task: str | None = None,
    now: datetime | None = None,
) -> Entry:
    """Make the champion before this one champion again; once more goes one further back.

    Raises:
        NotFound: where there is no champion, or none before it.
        Conflict: where several tasks have a champion, and no task was said.
        BadInput: where nobody or no reason is named.
    """
    _must_be_signed(by, why)
    now = now or timestamps.now()
    with ledger.changing(models, now) as writer:
        known = state.fold(writer.entries)
        current = state.resolve(known, CHAMPION, task)
        earlier = state.before_champion(known, current.task)
        if earlier is None:
            raise NotFound(f"There was no champion before {current.name} that is still in use")
        entry = replace(_draft("rolled back", CHAMPION, current, known, by, why), bundle=earlier)
        return _append(writer, entry, policy, f"Roll back to {earlier}", now)


def retire(
    models: Path, word: str, *, by: str, why: str, policy: PromotionPolicy, now: datetime | None = None
) -> Entry:
    """Take a bundle out of use. Its files and its history stay.

    Raises:
        Refused: where an alias still means it.
        Conflict: where it is retired already.
        BadInput, NotFound: as `set_alias`.
    """
    _must_be_signed(by, why)
    now = now or timestamps.now()
    with ledger.changing(models, now) as writer:
        known = state.fold(writer.entries)
        found = state.resolve(known, word)
        meant = sorted(alias for alias, name in known.aliases.get(found.task, {}).items() if name == found.name)
        if meant:
            raise Refused(
                f"{found.name} is {', '.join(meant)}. Give that to another bundle first (mhc rollback, mhc alias)"
            )
        if found.retired:
            raise Conflict(f"{found.name} is retired already")
        entry = replace(ledger.draft("retired", by, why), bundle=found.name, task=found.task)
        return _append(writer, entry, policy, f"Retire {found.name}", now)


def note_published(models: Path, name: str, to: str, *, by: str, why: str, policy: PromotionPolicy) -> Entry:
    """Put on record where a bundle was published."""
    now = timestamps.now()
    with ledger.changing(models, now) as writer:
        task = state.resolve(state.fold(writer.entries), name).task
        entry = replace(ledger.draft("published", by, why), bundle=name, task=task, to=to)
        return _append(writer, entry, policy, f"Publish {name}", now)


def _must_be_signed(by: str, why: str) -> None:
    if not by.strip() or not why.strip():
        raise BadInput("A change of production needs who does it and why: --by NAME --reason 'WHY'")


def _draft(what: str, alias: str, found: Bundle, known: State, by: str, why: str) -> Entry:
    before = known.aliases.get(found.task, {}).get(alias, "")
    return replace(ledger.draft(what, by, why), task=found.task, alias=alias, before=before)


def _append(writer: Writer, entry: Entry, policy: PromotionPolicy, message: str, now: datetime) -> Entry:
    written = writer.append(entry, now)
    snapshot.write(writer.models, writer.entries, policy, message)
    return written
