"""Check all of production: the ledger's chain, its anchors, `registry.json`, and every file of every bundle.

Not detected: a whole models folder that was replaced by an older copy of itself, and ledger entries that were cut off
at the end *together with* everything that refers to them (later bundles, `registry.json`). A chain without a secret
cannot show that all of it was rewritten either. A copy of the head elsewhere (a git commit or tag: see `git.commit` of
the policy) detects both.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from mhc import timestamps
from mhc.errors import Unreadable
from mhc.production import bundle, ledger, snapshot, state
from mhc.production.ledger import Chain, Entry

CLEARED = ".cleared"
"""Folder for complete bundles that no ledger entry refers to."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a verification."""

    wrong: list[str]
    """Signs of tampering or damage."""
    leftover: list[str]
    """Harmless leftovers of a killed process; `--fix` removes them."""
    entries: int
    bundles: int
    head: str

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong or left over."""
        return not self.wrong and not self.leftover


def check(models: Path, *, without_weights: bool = False) -> Report:
    """Check everything and change nothing.

    Raises:
        Unreadable: if the ledger cannot be opened.
    """
    chain = ledger.read(models)
    production = state.fold(chain.entries)
    wrong = [f"{ledger.FILE}: {chain.flaw}"] if chain.flaw else []
    for name, entry in production.bundles.items():
        folder = models / bundle.FOLDER / name
        flaws = bundle.flaws(folder, entry.checksums, without_weights=without_weights)
        wrong += [f"{name}: {flaw}" for flaw in (*flaws, *_anchor_flaws(folder, chain.entries))]
    strange, drafts = _unrecorded(models, chain)
    registry_wrong, registry_old = _registry(models, chain.entries)
    torn = [f"{ledger.FILE}: its last line is torn ({len(chain.torn)} bytes)"] if chain.torn else []
    return Report(
        wrong=wrong + strange + registry_wrong,
        leftover=drafts + registry_old + torn,
        entries=len(chain.entries),
        bundles=len(production.bundles),
        head=chain.head,
    )


def fix(models: Path) -> Report:
    """Remove leftovers of killed processes: drafts, bundles without an entry, a torn line, an old registry.json.

    Nothing is removed while anything is wrong, because a leftover may then be evidence. A complete bundle is not
    deleted, but moved to `models/.cleared/`.

    Raises:
        Unreadable: if something is wrong.
    """
    with ledger.changing(models, timestamps.now()):
        report = check(models)
        if report.wrong:
            raise Unreadable(f"Nothing was cleared, because this is wrong: {'; '.join(report.wrong[:5])}")
        for folder in _leftovers(models, ledger.read(models)):
            _clear(folder, models / CLEARED)
        snapshot.rebuild(models)
    return check(models)


def _clear(folder: Path, to: Path) -> None:
    if folder.name.endswith(bundle.DRAFT):
        shutil.rmtree(folder)
        return
    to.mkdir(exist_ok=True)
    folder.rename(to / f"{folder.name}-{os.urandom(4).hex()}")


def _anchor_flaws(folder: Path, entries: Sequence[Entry]) -> list[str]:
    """Check that the ledger still has the entry that was its newest when the bundle was built."""
    anchor = _anchor(folder)
    if anchor is None:
        return [f"{bundle.PROMOTION} has no anchor in the ledger"]
    return [] if _has(entries, *anchor) else [f"the ledger no longer has entry {anchor[0]}, which the bundle refers to"]


def _anchor(folder: Path) -> tuple[int, str] | None:
    """Return number and hash of the ledger entry in a bundle's `promotion.json`; None if it has none."""
    try:
        anchor = json.loads((folder / bundle.PROMOTION).read_bytes())["ledger"]
        return int(anchor["seq"]), str(anchor["head"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _has(entries: Sequence[Entry], seq: int, head: str) -> bool:
    """Return whether entry number `seq` exists and has the hash `head`."""
    if seq == 0:
        return head == ledger.START
    return 0 < seq <= len(entries) and entries[seq - 1].hash == head


def _unrecorded(models: Path, chain: Chain) -> tuple[list[str], list[str]]:
    """Return sentences about bundles without a ledger entry: strange ones, and those of a killed promotion."""
    leftovers = _leftovers(models, chain)
    recorded = state.fold(chain.entries).bundles
    production = models / bundle.FOLDER
    paths = sorted(production.iterdir()) if production.is_dir() else []
    strange = [path for path in paths if path.name not in recorded and path not in leftovers]
    return (
        [f"{path.name!r} in {bundle.FOLDER} has no entry in the ledger" for path in strange],
        [f"{path.name} was left by a promotion that was killed" for path in leftovers],
    )


def _leftovers(models: Path, chain: Chain) -> list[Path]:
    """Return the drafts, and the complete bundles whose promotion was killed before it wrote its ledger entry.

    Such a bundle has the head of the ledger at that time as its anchor. The ledger may have grown since, so any of its
    entries is accepted. A bundle whose entry was cut off looks the same, but `registry.json` has the later head.
    """
    production = models / bundle.FOLDER
    recorded = state.fold(chain.entries).bundles
    leftovers = []
    for path in sorted(production.iterdir()) if production.is_dir() else []:
        if path.is_symlink() or not path.is_dir() or path.name in recorded:
            continue
        anchor = _anchor(path)
        killed = anchor is not None and _has(chain.entries, *anchor) and not bundle.flaws(path, None)
        if killed or (path.name.startswith(".") and path.name.endswith(bundle.DRAFT)):
            leftovers.append(path)
    return leftovers


def _registry(models: Path, entries: Sequence[Entry]) -> tuple[list[str], list[str]]:
    """Compare registry.json with the ledger; return sentences about flaws, and about leftovers.

    A process that was killed before it wrote registry.json leaves the snapshot of an earlier entry.
    """
    path = models / snapshot.FILE
    try:
        content = path.read_bytes()
        values = json.loads(content)
        seq, head = int(values["entries"]), str(values["head"])
    except FileNotFoundError:
        missing = [f"{snapshot.FILE} is missing"]
        return ([], missing[: len(entries)]) if len(entries) <= 1 else (missing, [])
    except (OSError, ValueError, KeyError, TypeError):
        return [f"{snapshot.FILE} cannot be read"], []
    if not _has(entries, seq, head):
        return [f"{snapshot.FILE} refers to entry {seq}, which the ledger no longer has"], []
    if content != state.snapshot(entries[:seq]):
        return [f"{snapshot.FILE} differs from the ledger"], []
    behind = len(entries) - seq
    return [], [f"{snapshot.FILE} is {behind} entry behind the ledger"] if behind else []
