"""Change aliases (champion, challenger or any name) and retire bundles. Each change is one ledger entry."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from mhc import timestamps, user_text
from mhc.errors import Conflict, NotFound, Refused
from mhc.policy import PromotionPolicy
from mhc.production import bundle, change, ledger, snapshot, state
from mhc.production.ledger import Entry, Writer
from mhc.production.state import CHAMPION, Bundle, State

ACTION = "A change of production"


def set_alias(
    models: Path, alias: str, name: str, *, by: str, reason: str, policy: PromotionPolicy, now: datetime | None = None
) -> Entry:
    """Point `alias` to the bundle with this name or other alias.

    Raises:
        BadInput: if the alias is not a valid name, or the author or the reason is missing.
        NotFound: if there is no such bundle.
        Refused: if the bundle is retired.
        Conflict: if the alias points to the bundle already, or is the name of a bundle.
    """
    bundle.checked_name(alias)
    user_text.require_author(ACTION, by, reason)
    now = now or timestamps.now()
    with change.changing(models, now) as writer:
        production = state.fold(writer.entries)
        target = state.resolve(production, name)
        _require_assignable(alias, target, production)
        entry = replace(_draft("alias set", alias, target, production, by, reason), bundle=target.name)
        return _append(writer, entry, policy, f"Make {target.name} {alias}", now)


def _require_assignable(alias: str, target: Bundle, production: State) -> None:
    if alias in production.bundles:
        raise Conflict(f"{alias} is the name of a bundle, so it cannot be an alias")
    if target.retired:
        raise Refused(f"{target.name} is retired and cannot get an alias. Promote its run again under a new name")
    if production.aliases.get(target.task, {}).get(alias) == target.name:
        raise Conflict(f"{alias} is {target.name} already")


def remove_alias(
    models: Path,
    alias: str,
    *,
    by: str,
    reason: str,
    policy: PromotionPolicy,
    task: str | None = None,
    now: datetime | None = None,
) -> Entry:
    """Remove an alias; its bundle stays.

    Raises:
        BadInput: if the author or the reason is missing.
        NotFound: if there is no such alias.
        Conflict: if several tasks have the alias, and `task` is None.
    """
    user_text.require_author(ACTION, by, reason)
    now = now or timestamps.now()
    with change.changing(models, now) as writer:
        production = state.fold(writer.entries)
        if alias in production.bundles:
            raise NotFound(f"{alias} is a bundle, not an alias. Take a bundle out of use with: mhc retire {alias}")
        target = state.resolve_one(production, alias, task)
        entry = _draft("alias removed", alias, target, production, by, reason)
        return _append(writer, entry, policy, f"Remove the alias {alias}", now)


def roll_back(
    models: Path,
    *,
    by: str,
    reason: str,
    policy: PromotionPolicy,
    task: str | None = None,
    now: datetime | None = None,
) -> Entry:
    """Make the previous champion champion again; a second rollback goes back one champion further.

    Raises:
        NotFound: if there is no champion, or no previous one.
        Conflict: if several tasks have a champion, and `task` is None.
        BadInput: if the author or the reason is missing.
    """
    user_text.require_author(ACTION, by, reason)
    now = now or timestamps.now()
    with change.changing(models, now) as writer:
        production = state.fold(writer.entries)
        current = state.resolve_one(production, CHAMPION, task)
        previous = state.previous_champion(production, current.task)
        if previous is None:
            raise NotFound(f"There was no champion before {current.name} that is still in use")
        entry = replace(_draft("rolled back", CHAMPION, current, production, by, reason), bundle=previous)
        return _append(writer, entry, policy, f"Roll back to {previous}", now)


def retire(
    models: Path, name: str, *, by: str, reason: str, policy: PromotionPolicy, now: datetime | None = None
) -> Entry:
    """Take a bundle out of use. Its files and its history stay.

    Raises:
        BadInput: if the author or the reason is missing.
        NotFound: if there is no such bundle.
        Refused: if an alias points to it.
        Conflict: if it is retired already.
    """
    user_text.require_author(ACTION, by, reason)
    now = now or timestamps.now()
    with change.changing(models, now) as writer:
        production = state.fold(writer.entries)
        target = state.resolve(production, name)
        aliases = production.aliases.get(target.task, {})
        names = sorted(alias for alias, bundle_name in aliases.items() if bundle_name == target.name)
        if names:
            raise Refused(
                f"{target.name} is {', '.join(names)}. Give that to another bundle first (mhc rollback, mhc alias)"
            )
        if target.retired:
            raise Conflict(f"{target.name} is retired already")
        entry = replace(ledger.draft("retired", by, reason), bundle=target.name, task=target.task)
        return _append(writer, entry, policy, f"Retire {target.name}", now)


def note_published(models: Path, name: str, to: str, *, by: str, reason: str, policy: PromotionPolicy) -> Entry:
    """Record the address that a bundle was published to."""
    now = timestamps.now()
    with change.changing(models, now) as writer:
        task = state.resolve(state.fold(writer.entries), name).task
        entry = replace(ledger.draft("published", by, reason), bundle=name, task=task, to=to)
        return _append(writer, entry, policy, f"Publish {name}", now)


def _draft(what: str, alias: str, target: Bundle, production: State, by: str, reason: str) -> Entry:
    before = production.aliases.get(target.task, {}).get(alias, "")
    return replace(ledger.draft(what, by, reason), task=target.task, alias=alias, before=before)


def _append(writer: Writer, draft: Entry, policy: PromotionPolicy, message: str, now: datetime) -> Entry:
    entry = writer.append(draft, now)
    snapshot.write(writer.models, writer.entries, policy, message)
    return entry
