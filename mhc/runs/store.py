"""Read and change `run.json`: completely or not at all, one writer at a time, each change with an event."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

import msgspec

from mhc import files, redaction
from mhc.errors import BadInput, Conflict, NotFound, Unreadable
from mhc.record import RECORD_FILE, SCHEMA, Event, RunRecord, encode
from mhc.runs import atomic

_decoder = msgspec.json.Decoder(RunRecord)
_NOT_BRACKETS = bytes(code for code in range(256) if code not in b"[]{}")


class _Head(msgspec.Struct):
    """The fields that every version of `run.json` has."""

    schema: int
    id: str


def read(folder: Path) -> RunRecord:
    """Return the record of the run in `folder`.

    Raises:
        Unreadable: if the record is missing, empty, truncated, not one of mhc, of a newer schema, or not permitted.
    """
    try:
        with files.reading(f"The record of {folder}"):
            content = files.read(folder / RECORD_FILE)
    except FileNotFoundError:
        reason = f"has no {RECORD_FILE}" if folder.is_dir() else "does not exist (any more)"
        raise Unreadable(f"{folder} {reason}") from None
    return decode(content, folder)


def decode(content: bytes, folder: Path) -> RunRecord:
    """Return the record in `content`, the bytes of the `run.json` of `folder`.

    Raises:
        Unreadable: if they are not a complete record that this version can read.
    """
    with files.reading(f"The record of {folder}"):
        try:
            record = _decoder.decode(content)
        except msgspec.MsgspecError as problem:
            raise Unreadable(f"The record of {folder} cannot be read: {_flaw(content, problem)}") from None
        if _is_deep(content):
            raise RecursionError
    if record.schema > SCHEMA:
        raise Unreadable(f"The record of {folder} cannot be read: {_newer_schema(record.schema)}")
    return record


def _is_deep(content: bytes) -> bool:
    """Return whether the JSON is nested too deeply, also in fields that `RunRecord` does not have."""
    brackets = content.translate(None, _NOT_BRACKETS)
    for _ in range(files.MAX_DEPTH):  # removes the innermost level
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if not brackets:
            return False
    return files.nested_too_deeply(msgspec.json.decode(content))  # or texts contain brackets


def _flaw(content: bytes, problem: Exception) -> str:
    if not content.strip():
        return f"{RECORD_FILE} is empty"
    with suppress(msgspec.MsgspecError):
        head = msgspec.json.decode(content, type=_Head)
        if head.schema > SCHEMA:
            return _newer_schema(head.schema)
    if isinstance(problem, msgspec.ValidationError):
        return f"{RECORD_FILE} is not a record of mhc ({problem})"
    return f"{RECORD_FILE} is torn or is not JSON ({problem})"


def _newer_schema(schema: int) -> str:
    return f"it was written by a newer mhc (schema {schema}, this one reads up to {SCHEMA}). Upgrade mhc to read it"


def create(folder: Path, record: RunRecord) -> RunRecord:
    """Write the first record of `folder`, which must exist and have none; return it with credentials masked.

    Raises:
        Conflict: if there is a record already.
        NotFound: if the folder does not exist.
        BadInput: if the record cannot be written.
    """
    with atomic.locked(folder):
        if os.path.lexists(folder / RECORD_FILE):
            raise Conflict(f"{folder} contains a run already; a record is never overwritten. Use a new folder")
        return _write(folder, record)


def create_reserved(folder: Path, record: RunRecord) -> RunRecord:
    """Write the first record of a live run as `create` does, and reserve the space for its last one before.

    Raises:
        Conflict: if there is a record already.
        NotFound: if the folder does not exist.
        BadInput: if there is no space for both; neither is written.
    """
    atomic.reserve(folder)
    try:
        return create(folder, record)
    except BadInput:
        atomic.release(folder)
        raise


def update(
    folder: Path,
    change: Callable[[RunRecord], RunRecord],
    event: Event | None = None,
    expect_revision: int | None = None,
    *,
    durable: bool = True,
    reserved: bool = False,
) -> RunRecord:
    """Change the record of `folder` under its lock, and return the new record.

    `change` is called with the record on disk; if it returns an equal record and there is no event, nothing is written.
    `durable` is explained at `mhc.runs.atomic.write`. With `reserved`, for the outcome of a live run, the space that
    the run reserved is used if the disk is full.

    Raises:
        Conflict: if the record is no longer at `expect_revision`.
        Unreadable: if there is no readable record to change; nothing is written.
        NotFound: if the folder does not exist.
        BadInput: if the record cannot be written; the old one is unchanged.
    """
    with atomic.locked(folder):
        before = read(folder)
        _check_revision(folder, before, expect_revision)
        after = change(before)
        if after == before and event is None:
            return before
        history = [*after.history, event] if event else after.history
        after = msgspec.structs.replace(after, revision=before.revision + 1, history=history)
        known = frozenset(redaction.strings(msgspec.to_builtins(before)))
        return _write(folder, after, known, durable=durable, reserved=reserved)


def _check_revision(folder: Path, record: RunRecord, revision: int | None) -> None:
    if revision is not None and record.revision != revision:
        raise Conflict(
            f"The record of {folder} was changed meanwhile (revision {record.revision}, not {revision}). "
            "Check it and repeat the command"
        )


def _write(
    folder: Path,
    record: RunRecord,
    known: Collection[str] = frozenset(),
    *,
    durable: bool = True,
    reserved: bool = False,
) -> RunRecord:
    """Write the record with credentials masked, and return it; texts in `known` are on the disk already."""
    content = encode(masked(record, known))
    written = _decoder.decode(content)  # a record that cannot be read again (with a NaN) must not replace one that can
    if not folder.is_dir():
        raise NotFound(f"The folder {folder} does not exist (any more). It may have been archived")
    _remove_drafts(folder)
    if reserved:
        atomic.write_reserved(folder / RECORD_FILE, content)
    else:
        atomic.write(folder / RECORD_FILE, content, durable=durable)
    return written


def masked(record: RunRecord, known: Collection[str] = frozenset()) -> RunRecord:
    """Return the record with credentials masked, except in the texts `known`, which were masked before."""
    values = msgspec.to_builtins(record)
    values |= {"imported": redaction.values(values["imported"], known)}
    return msgspec.convert(redaction.texts(values, known), RunRecord)


def _remove_drafts(folder: Path) -> None:
    """Remove the drafts of killed writers; under the lock no other process is writing one."""
    for draft in folder.glob(f".{RECORD_FILE}.*"):
        with suppress(OSError):
            draft.unlink()
