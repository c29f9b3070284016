"""`registry.json`: a readable snapshot of production, made anew after each change, and committed where so wished."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mhc.production import ledger, state, versioning
from mhc.production.ledger import Entry
from mhc.production.policy import PromotionPolicy
from mhc.runs import atomic

FILE = "registry.json"


def write(
    models: Path, entries: Sequence[Entry], policy: PromotionPolicy | None, message: str, tag: str | None = None
) -> None:
    """Write the snapshot of these entries; commit it where the policy says so (never without a policy)."""
    atomic.write(models / FILE, state.snapshot(entries))
    if policy is not None and policy.git.commit:
        versioning.commit(models, message, tag)


def rebuild(models: Path) -> Path:
    """Make `registry.json` anew from the ledger, and return its path.

    Raises:
        Unreadable: where the ledger cannot be believed.
    """
    path = models / FILE
    atomic.write(path, state.snapshot(ledger.believed(models)))
    return path
