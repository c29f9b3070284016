"""Check all of production: the ledger's chain, its anchors, `registry.json`, and every file of every bundle.

Not detected: a whole models folder that was replaced by an older copy of itself, and ledger entries that were cut off
at the end *together with* everything that refers to them (later bundles, `registry.json`). A chain without a secret
cannot show that all of it was rewritten either. A copy of the head elsewhere (a git commit or tag: see `git.commit` of
the policy) detects both.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from mhc import timestamps
from mhc.errors import Unreadable
from mhc.production import bundle, change, consistency, ledger, snapshot, state


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a verification."""

    wrong: list[str]
    """Signs of tampering or damage."""
    leftover: list[str]
    """Harmless leftovers of a killed process; `--fix` moves them aside."""
    entries: int
    bundles: int
    head: str
    moved: list[str] = []
    """Paths, relative to the models folder, of the leftovers that `--fix` moved aside."""

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
        flaws = bundle.flaws(models / bundle.FOLDER / name, entry.checksums, without_weights=without_weights)
        wrong += [f"{name}: {flaw}" for flaw in flaws]
    findings = consistency.check(models, chain)
    torn = [f"{ledger.FILE}: its last line is torn ({len(chain.torn)} bytes)"] if chain.torn else []
    return Report(
        wrong=wrong + findings.lost + findings.registry + findings.strange,
        leftover=findings.leftover + torn,
        entries=len(chain.entries),
        bundles=len(production.bundles),
        head=chain.head,
    )


def fix(models: Path, now: datetime | None = None) -> Report:
    """Move the leftovers of killed processes to `models/.aside/`, remove a torn line, and update registry.json.

    Nothing is changed while anything is wrong, because a leftover may then be evidence.

    Raises:
        Unreadable: if something is wrong.
    """
    now = now or timestamps.now()
    moved = []
    with change.changing(models, now) as writer:
        report = check(models)
        if report.wrong:
            raise Unreadable(f"Nothing was changed, because this is wrong: {'; '.join(report.wrong[:5])}")
        for path in consistency.leftovers(models, ledger.read(models)):
            moved.append(change.move_aside(path, writer, now).relative_to(models).as_posix())
        snapshot.write(models, writer.entries, None, "")
    return msgspec.structs.replace(check(models), moved=moved)
