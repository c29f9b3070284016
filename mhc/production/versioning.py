"""Commit changes of production to the git repository that holds the models folder: the ledger, never weights.

Only paths of the models folder are named to git, so that what else is staged stays staged; nothing is pushed.
"""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterator
from pathlib import Path

from mhc.production.bundle import FOLDER, UNTRACKED, files

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
