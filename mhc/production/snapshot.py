"""Write `registry.json`, the readable snapshot of the ledger, and commit changes of production to git.

The ledger is committed, weights never are.
"""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from mhc.policy import PromotionPolicy
from mhc.production import bundle, ledger, state
from mhc.production.consistency import REGISTRY
from mhc.production.ledger import Entry
from mhc.provenance import git
from mhc.runs import atomic

log = logging.getLogger("mhc.production")

GIT_TIMEOUT = 60.0
"""Seconds that one call of git may take."""


def write(
    models: Path, entries: Sequence[Entry], policy: PromotionPolicy | None, message: str, tag: str | None = None
) -> None:
    """Write the snapshot of these entries, and commit it if a policy is given and requires it."""
    atomic.write(models / REGISTRY, state.snapshot(entries))
    if policy is not None and policy.git.commit:
        commit(models, message, tag)


def commit(models: Path, message: str, tag: str | None) -> None:
    """Commit ledger, registry and the small files of the bundles, and tag the commit.

    The ledger is the source of truth and is already written, so a failure of git is only logged.
    """
    paths = sorted(_tracked(models))
    try:
        git.run(models, "add", "--force", "--", *paths, timeout=GIT_TIMEOUT)
        changes = git.run(models, "diff", "--cached", "--name-only", "--", *paths, timeout=GIT_TIMEOUT).strip()
        if changes:
            arguments = ("commit", "--quiet", "--only", "--message", message, "--", *paths)
            git.run(models, *arguments, timeout=GIT_TIMEOUT)
        if tag is not None:
            git.run(models, "tag", "--annotate", "--message", message, "--", tag, timeout=GIT_TIMEOUT)
    except (OSError, subprocess.SubprocessError) as problem:
        log.warning("%s is done, but was not committed to git: %s", message, git.message_of(problem))


def _tracked(models: Path) -> Iterator[str]:
    """Yield the paths to commit, relative to the models folder: no weights, no key, no lock, no draft."""
    for name in (ledger.FILE, REGISTRY):
        if (models / name).is_file():
            yield name
    production = models / bundle.FOLDER
    for path in bundle.files(production) if production.is_dir() else ():
        if not path.startswith(".") and not path.endswith(bundle.UNTRACKED):
            yield f"{bundle.FOLDER}/{path}"
