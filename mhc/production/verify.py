"""Check all of production: the ledger's chain, its anchors, `registry.json`, and every file of every bundle.

What cannot be found: a whole models folder that was replaced by an older copy of itself, and entries at the end of the
ledger that were cut off *together with* everything that knows of them (later bundles, `registry.json`). Nor can a chain
without a secret find somebody who writes all of it anew. A copy of the head elsewhere (a git commit or tag: see
`git.commit` of the policy) finds both.
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
from mhc.production.ledger import Book, Entry

CLEARED = ".cleared"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was found."""

    wrong: list[str]
    """Things that must not be: tampering or damage."""
    leftover: list[str]
    """What a kill may leave; `--fix` clears it."""
    entries: int
    bundles: int
    head: str

    @property
    def ok(self) -> bool:
        """Whether nothing at all is wrong or left over."""
        return not self.wrong and not self.leftover


def check(models: Path, without_weights: bool = False) -> Report:
    """Look at everything, change nothing. Raises Unreadable where the ledger cannot even be opened."""
    book = ledger.read(models)
    known = state.fold(book.entries)
    wrong = [f"{ledger.FILE}: {book.flaw}"] if book.flaw else []
    for found in known.bundles.values():
        folder = models / bundle.FOLDER / found.name
        wrong += [f"{found.name}: {flaw}" for flaw in bundle.flaws(folder, found.checksums, without_weights)]
        wrong += [f"{found.name}: {flaw}" for flaw in _anchor_flaws(folder, book.entries)]
    strange, drafts = _unknown(models, book)
    registry_wrong, registry_old = _registry(models, book.entries)
    torn = [f"{ledger.FILE}: its last line is torn ({len(book.torn)} bytes)"] if book.torn else []
    return Report(
        wrong=wrong + strange + registry_wrong,
        leftover=drafts + registry_old + torn,
        entries=len(book.entries),
        bundles=len(known.bundles),
        head=book.head,
    )


def fix(models: Path) -> Report:
    """Clear what a kill may have left: drafts, bundles without an entry, a torn line, an old registry.json.

    Nothing is cleared while anything is wrong: what looks left over may then be evidence. A bundle that is whole is
    not deleted, but moved to `models/.cleared/`.

    Raises:
        Unreadable: where something is wrong.
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
    """Whether the ledger still has the entry that was its newest when the bundle was made."""
    anchor = _anchor(folder)
    if anchor is None:
        return [f"{bundle.PROMOTION} has no anchor in the ledger"]
    return [] if _holds(entries, *anchor) else [f"the ledger no longer has entry {anchor[0]}, which the bundle knows"]


def _anchor(folder: Path) -> tuple[int, str] | None:
    try:
        said = json.loads((folder / bundle.PROMOTION).read_bytes())["ledger"]
        return int(said["seq"]), str(said["head"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _holds(entries: Sequence[Entry], seq: int, head: str) -> bool:
    if seq == 0:
        return head == ledger.START
    return 0 < seq <= len(entries) and entries[seq - 1].hash == head


def _unknown(models: Path, book: Book) -> tuple[list[str], list[str]]:
    """Bundles that no entry knows: strange ones, and those that a killed promotion left."""
    left = _leftovers(models, book)
    known = state.fold(book.entries).bundles
    production = models / bundle.FOLDER
    there = sorted(production.iterdir()) if production.is_dir() else []
    strange = [path for path in there if path.name not in known and path not in left]
    return (
        [f"{path.name!r} in {bundle.FOLDER} is in no entry of the ledger" for path in strange],
        [f"{path.name} was left by a promotion that was killed" for path in left],
    )


def _leftovers(models: Path, book: Book) -> list[Path]:
    """Drafts, and whole bundles whose promotion was killed before its entry: anchored at the very head of the ledger.

    The head may have moved on since, so any head that the ledger still has will do; a bundle whose entry was cut off
    is told from them by registry.json, which knows the later head.
    """
    production = models / bundle.FOLDER
    known = state.fold(book.entries).bundles
    found = []
    for path in sorted(production.iterdir()) if production.is_dir() else []:
        if path.is_symlink() or not path.is_dir() or path.name in known:
            continue
        anchor = _anchor(path)
        killed = anchor is not None and _holds(book.entries, *anchor) and not bundle.flaws(path, None)
        if killed or (path.name.startswith(".") and path.name.endswith(bundle.DRAFT)):
            found.append(path)
    return found


def _registry(models: Path, entries: Sequence[Entry]) -> tuple[list[str], list[str]]:
    """Whether registry.json is the fold of the ledger, or of an earlier state of it (a kill before it was renewed)."""
    path = models / snapshot.FILE
    try:
        content = path.read_bytes()
        said = json.loads(content)
        seq, head = int(said["entries"]), str(said["head"])
    except FileNotFoundError:
        missing = [f"{snapshot.FILE} is missing"]
        return ([], missing[: len(entries)]) if len(entries) <= 1 else (missing, [])
    except (OSError, ValueError, KeyError, TypeError):
        return [f"{snapshot.FILE} cannot be read"], []
    if not _holds(entries, seq, head):
        return [f"{snapshot.FILE} knows entry {seq}, which the ledger no longer has"], []
    if content != state.snapshot(entries[:seq]):
        return [f"{snapshot.FILE} does not say what the ledger says"], []
    behind = len(entries) - seq
    return [], [f"{snapshot.FILE} is {behind} entry behind the ledger"] if behind else []
