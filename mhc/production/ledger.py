"""The ledger `models/ledger.jsonl`: what was done to production, by whom and why, in a chain of hashes.

Each line is one entry as canonical JSON (sorted keys, no blanks, ASCII), with the hash of the line before in `prev` and
its own in `hash`. Lines are appended under a lock with fsync and never changed. What follows the last line break is
torn: its writer was killed before it had said that it was done, so it counts as never written.

A chain cannot show that its newest lines were cut off. So the hash of the newest line (the head) also stands in
`registry.json` and in every bundle made after it (`mhc.production.verify`).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from mhc import timestamps
from mhc.errors import BadInput, Unreadable
from mhc.runs import atomic

FILE = "ledger.jsonl"
START = "0" * 64
"""`prev` of the first entry."""
PATIENCE = 900.0
"""Seconds that a change of production waits for another one: a promotion holds the lock while it builds."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One line. What has no meaning for its kind of event is left out."""

    seq: int
    """1, 2, 3, ..."""
    at: str
    """UTC, ISO 8601; never before that of the line before."""
    what: str
    """promoted, refused, alias set, alias removed, rolled back, retired, published, mended."""
    by: str
    why: str
    task: str = ""
    """Of the bundle: see `mhc.production.state.task_of`."""
    labels: list[str] = []
    """Of a promotion: the label names in the order of the outputs."""
    bundle: str = ""
    alias: str = ""
    before: str = ""
    """The bundle that the alias named before."""
    run: str = ""
    forced: bool = False
    policy: str = ""
    failed: list[str] = []
    """The gates that were not passed: `name: verdict: reason`."""
    answers: dict[str, str] = {}
    """What a person answered to the gates that ask."""
    checksums: str = ""
    """sha256 of the bundle's checksums.sha256."""
    to: str = ""
    """Where a bundle was published."""
    prev: str
    hash: str


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger as read."""

    entries: list[Entry] = []
    """The whole and chained ones, up to the first flaw."""
    flaw: str = ""
    """The first thing that is wrong; empty when the chain holds."""
    torn: bytes = b""
    """What follows the last line break."""

    @property
    def head(self) -> str:
        """The hash of the newest entry."""
        return self.entries[-1].hash if self.entries else START


def read(models: Path) -> Book:
    """Read and check the whole chain; a missing file is an empty ledger.

    Raises:
        Unreadable: where the file cannot be opened.
    """
    path = models / FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Book()
    except OSError as problem:
        raise Unreadable(f"The ledger {path} cannot be read: {problem.strerror}") from None
    return decode(content)


def decode(content: bytes) -> Book:
    """Check the bytes of a ledger line by line. Pure."""
    lines = content.split(b"\n")
    torn = lines.pop()
    entries: list[Entry] = []
    for number, line in enumerate(lines, start=1):
        entry = _entry(line)
        flaw = "is not an entry in canonical form" if entry is None else _break(entry, entries)
        if entry is None or flaw:
            return Book(entries=entries, flaw=f"line {number} {flaw}", torn=torn)
        entries.append(entry)
    return Book(entries=entries, torn=torn)


def believed(models: Path) -> list[Entry]:
    """Return the entries of a ledger whose chain holds.

    Raises:
        Unreadable: where it does not, with the first line that is wrong.
    """
    return _whole(read(models), models).entries


def _whole(book: Book, models: Path) -> Book:
    if book.flaw:
        raise Unreadable(
            f"The ledger {models / FILE} was changed: {book.flaw}. Nothing is decided on it. "
            "See what else is wrong with: mhc verify"
        )
    return book


def _entry(line: bytes) -> Entry | None:
    try:
        entry = msgspec.json.decode(line, type=Entry)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return entry if canonical(entry) == line else None


def _break(entry: Entry, before: Sequence[Entry]) -> str:
    """Return how `entry` does not follow those before it; empty when it does."""
    if entry.hash != digest(entry):
        return "does not have the hash of its content"
    if entry.prev != (before[-1].hash if before else START):
        return "does not follow the line before it"
    return "" if entry.seq == len(before) + 1 else f"has number {entry.seq}"


def canonical(entry: Entry) -> bytes:
    """The one way to write an entry, without the line break."""
    return json.dumps(msgspec.to_builtins(entry), sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def digest(entry: Entry) -> str:
    """sha256 of the entry's canonical form with an empty `hash`."""
    return hashlib.sha256(canonical(msgspec.structs.replace(entry, hash=""))).hexdigest()


class Writer:
    """The only way to add to the ledger; made by `changing`, while the lock is held."""

    def __init__(self, models: Path, entries: list[Entry]) -> None:
        self.models = models
        self.entries = entries

    @property
    def head(self) -> str:
        """The hash of the newest entry."""
        return self.entries[-1].hash if self.entries else START

    def append(self, draft: Entry, now: datetime) -> Entry:
        """Add `draft` (its seq, at, prev and hash are filled in) and return it when it is safely on the disk.

        Raises:
            BadInput: where it cannot be written; the ledger is as before, or torn.
        """
        at = timestamps.text(now)
        entry = msgspec.structs.replace(
            draft,
            seq=len(self.entries) + 1,
            at=max(at, self.entries[-1].at) if self.entries else at,
            prev=self.head,
        )
        entry = msgspec.structs.replace(entry, hash=digest(entry))
        path = self.models / FILE
        try:
            _append(path, canonical(entry) + b"\n")
        except OSError as problem:
            raise BadInput(f"Could not write {path}: {problem.strerror}. Nothing was changed") from problem
        self.entries = [*self.entries, entry]
        return entry


@contextmanager
def changing(models: Path, now: datetime, patience: float = PATIENCE) -> Iterator[Writer]:
    """Hold the lock of the models folder while production is changed. A torn line is put away first, and said so.

    Raises:
        Unreadable: where the chain is broken.
        Conflict: where another change holds the lock for longer than `patience` seconds.
        BadInput: where the folder cannot be written.
    """
    try:
        models.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise BadInput(f"Could not make {models}: {problem.strerror}. Choose another folder with --models") from problem
    with atomic.locked(models, patience):
        book = _whole(read(models), models)
        writer = Writer(models, book.entries)
        if book.torn:
            _cut(models / FILE, len(book.torn))
            writer.append(mended(book.torn), now)
        yield writer


def draft(what: str, by: str, why: str) -> Entry:
    """An entry to be filled in and appended."""
    return Entry(seq=0, at="", what=what, by=by, why=why, prev="", hash="")


def mended(torn: bytes) -> Entry:
    """The entry that tells of a torn last line."""
    seal = hashlib.sha256(torn).hexdigest()
    return draft("mended", "mhc", f"a torn last line of {len(torn)} bytes (sha256 {seal}) was put away")


def _append(path: Path, line: bytes) -> None:
    new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        while line:
            line = line[os.write(descriptor, line) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if new:
        sync_folder(path.parent)


def _cut(path: Path, length: int) -> None:
    with path.open("r+b") as file:
        file.seek(-length, os.SEEK_END)
        file.truncate()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Have a folder's entries on the disk, as far as its file system can."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
