"""Compare the ledger with all that refers to it: `registry.json` and the bundles. Changes nothing, reads no weights.

`mhc verify` reports all findings. A command that changes production stops at those that show that the ledger lost
entries, or that something else was changed with it: its own writing would remove the evidence.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import msgspec

from mhc import files
from mhc.errors import Unreadable
from mhc.production import bundle, ledger, state
from mhc.production.ledger import Chain, Entry

REGISTRY = "registry.json"
SHOWN = 5
"""Findings that a message has; `mhc verify` has all."""


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """Sentences, by what they mean for a change of production."""

    lost: list[str]
    """Something refers to entries that the ledger does not have: no change is possible before it is restored."""
    registry: list[str]
    """`registry.json` is missing or damaged: a person must write it again, with a reason (`mhc rebuild`)."""
    strange: list[str]
    """A file that is not ours, or a bundle without its anchor: reported by `mhc verify`, no obstacle."""
    leftover: list[str]
    """Left by a process that was killed."""


def check(models: Path, chain: Chain) -> Findings:
    """Compare the ledger's entries with `registry.json` and with the bundles."""
    lost, strange = _missing_ledger(models), []
    for name in state.fold(chain.entries).bundles:
        anchor = anchor_of(models / bundle.FOLDER / name)
        if anchor is None:
            strange.append(f"{name}: {bundle.PROMOTION} has no anchor in the ledger")
        elif not _has(chain.entries, *anchor):
            lost.append(f"{name}: the ledger no longer has entry {anchor[0]}, which the bundle refers to")
    unknown_bundles, unknown_files = _unrecorded(models, chain)
    ahead, damaged, behind = _registry(models, chain.entries)
    return Findings(
        lost=lost + unknown_bundles + ahead,
        registry=damaged,
        strange=strange + unknown_files,
        leftover=[f"{path.name} was left by a promotion that was killed" for path in leftovers(models, chain)] + behind,
    )


def require(models: Path, chain: Chain | None = None, *, registry: bool = True) -> None:
    """Check that nothing refers to entries that the ledger does not have.

    Args:
        models: the folder of the bundles and of the ledger.
        chain: the ledger, if the caller has read it already.
        registry: whether `registry.json` must be intact as well.

    Raises:
        Unreadable: if the ledger was changed, or does not agree with `registry.json` and the bundles.
    """
    chain = chain or ledger.read(models)
    findings = check(models, chain)
    flaws = [f"{ledger.FILE}: {chain.flaw}"] if chain.flaw else []
    problems = flaws + findings.lost + (findings.registry if registry else [])
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems[:SHOWN])
        remedy = "Restore the files from a copy or from git"
        if findings.registry and not (flaws or findings.lost):
            remedy += "; if the ledger is complete, write registry.json again with: mhc rebuild --by NAME --reason WHY"
        raise Unreadable(
            f"{models} was changed by something else than mhc, so nothing is changed now:\n{lines}\n{remedy}. "
            "See all findings with: mhc verify"
        )


def anchor_of(folder: Path) -> tuple[int, str] | None:
    """Return number and hash of the ledger entry in a bundle's `promotion.json`; None if it has none."""
    path = folder / bundle.PROMOTION
    try:
        with files.reading(path):
            anchor = json.loads(files.read(path))["ledger"]
            return int(anchor["seq"]), str(anchor["head"])
    except (FileNotFoundError, Unreadable):
        return None


def leftovers(models: Path, chain: Chain) -> list[Path]:
    """Return what a killed promotion left: drafts, a complete bundle without its entry, and the note about it.

    The note `.<name>.pending` is written before the bundle gets its name, and removed after the entry is in the ledger.
    A complete bundle without an entry and without a note is no leftover: its entry was removed.
    """
    recorded = state.fold(chain.entries).bundles
    notes = [path for path in sorted(models.glob(f".*{bundle.PENDING}")) if bundle.is_note(path)]
    drafts, pending = [], []
    for path in _content(models):
        if path.name.startswith(".") and path.name.endswith(bundle.DRAFT) and _is_folder(path):
            drafts.append(path)
        elif path.name not in recorded and _is_pending(path):
            pending.append(path)
    return drafts + pending + notes


def _is_pending(folder: Path) -> bool:
    note = bundle.note_of(folder)
    if not _is_folder(folder) or not bundle.is_note(note) or not (folder / bundle.CHECKSUMS).is_file():
        return False
    return files.read(note).decode() == hashlib.sha256(files.read(folder / bundle.CHECKSUMS)).hexdigest()


def _missing_ledger(models: Path) -> list[str]:
    if (models / ledger.FILE).exists():
        return []
    witnesses = [REGISTRY] if (models / REGISTRY).exists() else []
    witnesses += [path.name for path in _content(models) if _looks_like_a_bundle(path) and not _is_pending(path)]
    return [f"{ledger.FILE} is missing, but there is {', '.join(witnesses[:SHOWN])}"] if witnesses else []


def _unrecorded(models: Path, chain: Chain) -> tuple[list[str], list[str]]:
    """Return sentences about bundles and other files that neither the ledger nor a killed promotion explains."""
    explained = {*state.fold(chain.entries).bundles, *(path.name for path in leftovers(models, chain))}
    bundles: list[str] = []
    others: list[str] = []
    for path in _content(models):
        if path.name not in explained:
            sentences = bundles if _looks_like_a_bundle(path) else others
            sentences.append(f"{path.name!r} in {bundle.FOLDER} has no entry in the ledger")
    return bundles, others


def _looks_like_a_bundle(path: Path) -> bool:
    return any((path / name).exists() for name in (bundle.PROMOTION, bundle.CHECKSUMS, bundle.WEIGHTS))


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _content(models: Path) -> list[Path]:
    production = models / bundle.FOLDER
    return sorted(production.iterdir()) if production.is_dir() else []


def _has(entries: Sequence[Entry], seq: int, head: str) -> bool:
    """Return whether entry number `seq` exists and has the hash `head`."""
    if seq == 0:
        return head == ledger.START
    return 0 < seq <= len(entries) and entries[seq - 1].hash == head


def _registry(models: Path, entries: Sequence[Entry]) -> tuple[list[str], list[str], list[str]]:
    """Compare registry.json with the ledger; return sentences if it knows more, if it is damaged, and if it is old.

    A process that was killed before it wrote registry.json leaves the snapshot of an earlier entry.
    """
    try:
        with files.reading(REGISTRY):
            content = files.read(models / REGISTRY)
            values = json.loads(content)
            seq, head = int(values["entries"]), str(values["head"])
    except FileNotFoundError:
        missing = [f"{REGISTRY} is missing"]
        return ([], [], missing[: len(entries)]) if len(entries) <= 1 else ([], missing, [])
    except Unreadable as problem:
        return [], [str(problem)], []
    if not _has(entries, seq, head):
        return [f"{REGISTRY} refers to entry {seq}, which the ledger no longer has"], [], []
    if content != state.snapshot(entries[:seq]):
        return [], [f"{REGISTRY} differs from the ledger"], []
    behind = len(entries) - seq
    return [], [], [f"{REGISTRY} is {behind} entry behind the ledger"] if behind else []
