"""Write `registry.json`, the readable snapshot of the ledger, and commit a change of production to git.

The ledger is committed, weights never are.
"""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from mhc.policy import PromotionPolicy
from mhc.production import ledger, state
from mhc.production.bundle import FOLDER, UNTRACKED, files
from mhc.production.ledger import Entry
from mhc.runs import atomic

FILE = "registry.json"


def write(
    models: Path, entries: Sequence[Entry], policy: PromotionPolicy | None, message: str, tag: str | None = None
) -> None:
    """Write the snapshot of these entries; commit it where the policy says so (never without a policy)."""
    atomic.write(models / FILE, state.snapshot(entries))
    if policy is not None and policy.git.commit:
        commit(models, message, tag)


def rebuild(models: Path) -> Path:
    """Make `registry.json` anew from the ledger, and return its path.

    Raises:
        Unreadable: where the ledger cannot be believed.
    """
    path = models / FILE
    atomic.write(path, state.snapshot(ledger.believed(models)))
    return path


log = logging.getLogger("mhc.production")
PATIENCE = 60


def commit(models: Path, message: str, tag: str | None) -> None:
    """Commit ledger, registry and the bundles' small files, and tag the commit.

    The ledger is the truth and has been written: where git refuses, that is logged with what it said.
    """
    paths = sorted(_tracked(models))
    try:
        _git(models, "add", "--force", "--", *paths)
        changed = _git(models, "diff", "--cached", "--name-only", "--", *paths).strip()
        if changed:
            _git(models, "commit", "--quiet", "--only", "--message", message, "--", *paths)
        if tag is not None:
            _git(models, "tag", "--annotate", "--message", message, "--", tag)
    except (OSError, subprocess.SubprocessError) as problem:
        said = getattr(problem, "stderr", "") or str(problem)
        log.warning("%s is done, but was not committed to git: %s", message, said.strip())


def _tracked(models: Path) -> Iterator[str]:
    """Paths relative to the models folder: no weights, no key, no lock, no draft."""
    for name in ("ledger.jsonl", "registry.json"):
        if (models / name).is_file():
            yield name
    production = models / FOLDER
    for path in files(production) if production.is_dir() else ():
        if not path.startswith(".") and not path.endswith(UNTRACKED):
            yield f"{FOLDER}/{path}"


def _git(models: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(models), *arguments], capture_output=True, text=True, check=True, timeout=PATIENCE
    ).stdout
