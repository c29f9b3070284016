"""The only way to change production: under the lock, after the ledger was compared with all that refers to it.

Nothing in the models folder is ever deleted. What is in the way, and is unknown to the ledger, is moved to
`models/.aside/`, which the ledger records.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from mhc import user_text
from mhc.errors import BadInput
from mhc.production import consistency, ledger, snapshot
from mhc.production.ledger import LOCK_TIMEOUT, Writer

log = logging.getLogger("mhc.production")

ASIDE = ".aside"


@contextmanager
def changing(models: Path, now: datetime, timeout: float = LOCK_TIMEOUT, *, registry: bool = True) -> Iterator[Writer]:
    """Hold the lock of the models folder while production is changed; yield the writer of the ledger.

    Args:
        models: the folder of the bundles and of the ledger.
        now: the time of the change.
        timeout: seconds to wait for another change.
        registry: whether `registry.json` must be intact; False for the change that writes it again.

    Raises:
        Unreadable: if the ledger was changed, or does not agree with `registry.json` and the bundles.
        Conflict: if another change holds the lock for longer than `timeout` seconds.
        BadInput: if the folder cannot be written.
    """
    check = partial(consistency.require, models, registry=registry)
    with ledger.changing(models, now, timeout, check=lambda chain: check(chain)) as writer:
        yield writer


def move_aside(path: Path, writer: Writer, now: datetime) -> Path:
    """Move a file or folder that the ledger does not know to `models/.aside/`, record that, and return its new path.

    Raises:
        BadInput: if it cannot be moved.
    """
    aside = writer.models / ASIDE
    stem = f"{path.name.lstrip('.')}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    try:
        aside.mkdir(exist_ok=True)
        number = 1
        while (target := aside / (stem if number == 1 else f"{stem}-{number}")).exists() or target.is_symlink():
            number += 1
        path.rename(target)
    except OSError as problem:
        raise BadInput(f"{path} is in the way, and could not be moved to {aside}: {problem.strerror}") from problem
    why = f"{path.name}, which the ledger did not know, was moved to {ASIDE}/{target.name}"
    writer.append(ledger.draft("mended", "mhc", why), now)
    log.warning("%s, which the ledger does not know, was in the way; it is now %s", path, target)
    return target


def rebuild_registry(models: Path, *, by: str, reason: str, now: datetime) -> int:
    """Write `registry.json` again from the ledger, unless the ledger is empty; return the number of its entries.

    A missing or damaged `registry.json` is written again only with an author and a reason, which the ledger records:
    it could have shown that entries were removed.

    Raises:
        Unreadable: if the ledger was changed, or does not agree with `registry.json` and the bundles.
        BadInput: if only one of author and reason is given, or the folder cannot be written.
    """
    if by or reason:
        user_text.require_author("Writing registry.json again", by, reason)
    if not by and not ledger.verified_entries(models):
        consistency.require(models)
        return 0
    with changing(models, now, registry=not by) as writer:
        for damage in consistency.check(models, ledger.read(models)).registry:
            writer.append(ledger.draft("mended", by, f"{damage}, and was written again: {reason}"), now)
        snapshot.write(models, writer.entries, None, "")
        return len(writer.entries)
