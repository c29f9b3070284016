"""Read and change `run.json`: whole or not at all, one writer at a time, each change explained by an event."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from mhc.errors import Conflict, NotFound, Unreadable
from mhc.record import RECORD_FILE, SCHEMA, Event, RunRecord, encode
from mhc.runs import atomic

_decoder = msgspec.json.Decoder(RunRecord)


class _Head(msgspec.Struct):
    """What every version of `run.json` begins with."""

    schema: int
    id: str


def read(folder: Path) -> RunRecord:
    """Return the record of the run in `folder`.

    Raises:
        Unreadable: missing, empty, torn, foreign, of a newer schema, or not permitted; says which folder and why.
    """
    try:
        content = (folder / RECORD_FILE).read_bytes()
    except FileNotFoundError:
        reason = f"has no {RECORD_FILE}" if folder.is_dir() else "is not there (any more)"
        raise Unreadable(f"{folder} {reason}") from None
    except OSError as problem:
        raise Unreadable(f"The record of {folder} cannot be read: {problem.strerror}") from None
    return decode(content, folder)


def decode(content: bytes, folder: Path) -> RunRecord:
    """Return the record in `content`, the bytes of the `run.json` of `folder`.

    Raises:
        Unreadable: where they are not a whole record that this version understands.
    """
    try:
        record = _decoder.decode(content)
    except msgspec.MsgspecError as problem:
        raise Unreadable(f"The record of {folder} cannot be read: {_why(content, problem)}") from None
    if record.schema > SCHEMA:
        raise Unreadable(f"The record of {folder} cannot be read: {_newer(record.schema)}")
    return record


def _why(content: bytes, problem: Exception) -> str:
    if not content.strip():
        return f"{RECORD_FILE} is empty"
    with suppress(msgspec.MsgspecError):
        head = msgspec.json.decode(content, type=_Head)
        if head.schema > SCHEMA:
            return _newer(head.schema)
    if isinstance(problem, msgspec.ValidationError):
        return f"{RECORD_FILE} is not a record of mhc ({problem})"
    return f"{RECORD_FILE} is torn or is not JSON ({problem})"


def _newer(schema: int) -> str:
    return f"it was written by a newer mhc (schema {schema}, this one reads up to {SCHEMA}). Upgrade mhc to read it"


def create(folder: Path, record: RunRecord) -> RunRecord:
    """Write the first record of `folder`, which must exist and hold none.

    Raises:
        Conflict: where there is a record already.
        NotFound, BadInput: where it cannot be written.
    """
    with atomic.locked(folder):
        if (folder / RECORD_FILE).exists():
            raise Conflict(f"{folder} holds a run already; a record is never overwritten. Start under a new folder")
        _write(folder, record)
    return record


def update(
    folder: Path,
    change: Callable[[RunRecord], RunRecord],
    event: Event | None = None,
    expect_revision: int | None = None,
    *,
    durable: bool = True,
) -> RunRecord:
    """Change the record of `folder` under its lock, and return it as it is now.

    `change` gets the record as it is on disk; where it returns it as it was and there is no event, nothing is written.
    `durable` is explained at `mhc.runs.atomic.write`.

    Raises:
        Conflict: where the record is no longer at `expect_revision`.
        Unreadable: where there is no record to change; nothing is written.
        NotFound, BadInput: where it cannot be written; the older record stays.
    """
    with atomic.locked(folder):
        before = read(folder)
        _expect(folder, before, expect_revision)
        after = change(before)
        if after == before and event is None:
            return before
        history = [*after.history, event] if event else after.history
        after = msgspec.structs.replace(after, revision=before.revision + 1, history=history)
        _write(folder, after, durable=durable)
        return after


def _expect(folder: Path, record: RunRecord, revision: int | None) -> None:
    if revision is not None and record.revision != revision:
        raise Conflict(
            f"The record of {folder} has changed meanwhile (revision {record.revision}, not {revision}). "
            "Look at it again and repeat the command"
        )


def _write(folder: Path, record: RunRecord, *, durable: bool = True) -> None:
    content = encode(record)
    _decoder.decode(content)  # what could not be read again (a value that is not a number) must not replace what can
    if not folder.is_dir():
        raise NotFound(f"The folder {folder} is gone. It may have been archived")
    _sweep_drafts(folder)
    atomic.write(folder / RECORD_FILE, content, durable=durable)


def _sweep_drafts(folder: Path) -> None:
    """Remove drafts that a killed writer left; under the lock nobody else is writing one."""
    for draft in folder.glob(f".{RECORD_FILE}.*"):
        with suppress(OSError):
            draft.unlink()
