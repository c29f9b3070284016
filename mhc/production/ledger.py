"""The ledger `models/ledger.jsonl`: every change of production with its author and reason, in a hash chain.

Each line is one entry as canonical JSON (sorted keys, no blanks, ASCII), with the hash of the previous line in `prev`
and its own in `hash`. Lines are appended under a lock with fsync and never changed. Bytes after the last line break are
a torn line: its writer was killed before it reported success, so the line counts as never written.

A chain cannot show that its newest lines were cut off. Therefore the hash of the newest line (the head) is also in
`registry.json` and in every bundle built after it (`mhc.production.verify`).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from mhc import disk, files, redaction, timestamps
from mhc.errors import BadInput, Unreadable
from mhc.runs import atomic

FILE = "ledger.jsonl"
START = "0" * 64
"""`prev` of the first entry."""
MAX_BYTES = 1 << 30
"""Size of the largest ledger: a million entries."""
LOCK_TIMEOUT = 900.0
"""Seconds that a change of production waits for another one: a promotion holds the lock while it builds a bundle."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One line. Fields that do not apply to the kind of event are omitted."""

    seq: int
    """1, 2, 3, ..."""
    at: str
    """UTC, ISO 8601; never earlier than in the previous line."""
    what: str
    """promoted, refused, alias set, alias removed, rolled back, retired, published, redacted, mended."""
    by: str
    why: str
    task: str = ""
    """Of the bundle: see `mhc.production.state.task_of`."""
    labels: list[str] = []
    """Of a promotion: the label names in the order of the outputs."""
    bundle: str = ""
    alias: str = ""
    before: str = ""
    """The bundle that the alias pointed to before."""
    run: str = ""
    forced: bool = False
    policy: str = ""
    failed: list[str] = []
    """The gates that were not passed: `name: verdict: reason`."""
    answers: dict[str, str] = {}
    """The user's answers to the gates that require one."""
    checksums: str = ""
    """sha256 of the bundle's checksums.sha256."""
    to: str = ""
    """The address that a bundle was published to."""
    task_name: str = ""
    """Of a promotion: the readable name of the task."""
    label_map: dict[str, str] = {}
    """Of a promotion whose labels are not the champion's: the user's answers, see `mhc.production.baselines`."""
    prev: str
    hash: str


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """The content of the ledger file."""

    entries: list[Entry] = []
    """The valid entries, up to the first flaw."""
    flaw: str = ""
    """The first flaw; empty if the chain is valid."""
    torn: bytes = b""
    """The bytes after the last line break."""

    @property
    def head(self) -> str:
        """The hash of the newest entry."""
        return self.entries[-1].hash if self.entries else START


def read(models: Path) -> Chain:
    """Read and check the whole chain; a missing file is an empty ledger.

    Raises:
        Unreadable: if the file cannot be opened.
    """
    path = models / FILE
    try:
        with files.reading(f"The ledger {path}"):
            content = files.read(path, MAX_BYTES)
    except FileNotFoundError:
        return Chain()
    return decode(content)


def decode(content: bytes) -> Chain:
    """Check the bytes of a ledger line by line. Pure."""
    lines = content.split(b"\n")
    torn = lines.pop()
    entries: list[Entry] = []
    for number, line in enumerate(lines, start=1):
        entry = _parse(line)
        flaw = "is not an entry in canonical form" if entry is None else _chain_flaw(entry, entries)
        if entry is None or flaw:
            return Chain(entries=entries, flaw=f"line {number} {flaw}", torn=torn)
        entries.append(entry)
    return Chain(entries=entries, torn=torn)


def verified_entries(models: Path) -> list[Entry]:
    """Return the entries of the ledger.

    Raises:
        Unreadable: if the chain is not valid; names the first wrong line.
    """
    return _require_valid(read(models), models).entries


def _require_valid(chain: Chain, models: Path) -> Chain:
    if chain.flaw:
        raise Unreadable(
            f"The ledger {models / FILE} was changed: {chain.flaw}. It is not used for any decision. "
            "List all flaws with: mhc verify"
        )
    return chain


def _parse(line: bytes) -> Entry | None:
    try:
        with files.reading(FILE):
            entry = msgspec.json.decode(line, type=Entry)
            return entry if canonical(entry) == line else None
    except Unreadable:
        return None


def _chain_flaw(entry: Entry, earlier: Sequence[Entry]) -> str:
    """Return why `entry` does not continue the chain of the earlier entries; empty if it does."""
    if entry.hash != digest(entry):
        return "does not have the hash of its content"
    if entry.prev != (earlier[-1].hash if earlier else START):
        return "does not follow the line before it"
    return "" if entry.seq == len(earlier) + 1 else f"has number {entry.seq}"


def canonical(entry: Entry) -> bytes:
    """Return the canonical JSON of an entry, without the line break."""
    return json.dumps(msgspec.to_builtins(entry), sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def digest(entry: Entry) -> str:
    """Return the sha256 of the entry's canonical JSON with an empty `hash`."""
    return hashlib.sha256(canonical(msgspec.structs.replace(entry, hash=""))).hexdigest()


class Writer:
    """Appends entries to the ledger; created by `changing`, which holds the lock."""

    def __init__(self, models: Path, entries: list[Entry]) -> None:
        self.models = models
        self.entries = entries

    @property
    def head(self) -> str:
        """The hash of the newest entry."""
        return self.entries[-1].hash if self.entries else START

    def append(self, draft: Entry, now: datetime) -> Entry:
        """Fill in seq, at, prev and hash of `draft`, append it, and return it once it is flushed to the disk.

        Credentials in it are masked: a line of the chain can never be changed.

        Raises:
            BadInput: if it cannot be written; the ledger is then unchanged, or has a torn last line.
        """
        at = timestamps.format_time(now)
        entry = msgspec.structs.replace(
            masked(draft),
            seq=len(self.entries) + 1,
            at=max(at, self.entries[-1].at) if self.entries else at,
            prev=self.head,
        )
        entry = msgspec.structs.replace(entry, hash=digest(entry))
        path = self.models / FILE
        try:
            _append(path, canonical(entry) + b"\n")
        except OSError as problem:
            reason = disk.reason(problem, path.parent)
            raise BadInput(f"Could not write {path}: {reason}. Nothing was changed") from problem
        self.entries = [*self.entries, entry]
        return entry


@contextmanager
def changing(
    models: Path, now: datetime, timeout: float = LOCK_TIMEOUT, *, check: Callable[[Chain], None] | None = None
) -> Iterator[Writer]:
    """Hold the lock of the models folder while the ledger is changed; yield its writer.

    Commands use `mhc.production.change.changing`, whose `check` compares the ledger with the bundles first. A torn last
    line is removed, which is recorded as an entry of its own.

    Raises:
        Unreadable: if the chain is not valid.
        Conflict: if another change holds the lock for longer than `timeout` seconds.
        BadInput: if the folder cannot be written.
    """
    try:
        models.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise BadInput(
            f"Could not create {models}: {disk.reason(problem, models.parent)}. Choose another folder with --models"
        ) from problem
    with atomic.locked(models, timeout):
        chain = _require_valid(read(models), models)
        if check is not None:
            check(chain)
        writer = Writer(models, chain.entries)
        if chain.torn:
            _truncate(models / FILE, len(chain.torn))
            writer.append(torn_line_entry(chain.torn), now)
        yield writer


def draft(what: str, by: str, reason: str) -> Entry:
    """Return an entry to be completed and appended."""
    return Entry(seq=0, at="", what=what, by=by, why=reason, prev="", hash="")


def masked(entry: Entry) -> Entry:
    """Return an entry with the credentials in its texts masked, except in the values that are computed."""
    computed = frozenset((entry.prev, entry.hash, entry.checksums, entry.at))
    return msgspec.convert(redaction.texts(msgspec.to_builtins(entry), computed), Entry)


def torn_line_entry(torn: bytes) -> Entry:
    """Return the entry that records the removal of a torn last line."""
    checksum = hashlib.sha256(torn).hexdigest()
    return draft("mended", "mhc", f"a torn last line of {len(torn)} bytes (sha256 {checksum}) was removed")


def _append(path: Path, line: bytes) -> None:
    new = not path.exists()
    descriptor = files.open_regular(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        while line:
            line = line[os.write(descriptor, line) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if new:
        atomic.sync(path.parent)


def _truncate(path: Path, length: int) -> None:
    with os.fdopen(files.open_regular(path, os.O_RDWR), "r+b") as file:
        file.seek(-length, os.SEEK_END)
        file.truncate()
        os.fsync(file.fileno())
