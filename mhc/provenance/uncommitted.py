"""The uncommitted changes of a working tree: name and hash of each changed file, and the content of code alone.

A changed data file, a `.env` or the output of a notebook never gets into a run: its content is not read into a diff.
Credentials in code are masked, line by line, so the diff still applies to code in which they are.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from mhc import files, redaction
from mhc.provenance import git
from mhc.record import ChangedFile, Content

GIT_TIMEOUT = 10.0
"""Seconds that one call of git may take on a slow network disk; usually it takes milliseconds."""
MAX_DIFF = 5_000_000
"""Bytes of the diffs that are kept; the diffs of further files are left out."""
MAX_LINE = 5_000
"""Characters of a line of code; a file with a longer one is generated, or has data in it."""
MAX_HASHED = 20_000_000
"""Bytes of a file that is hashed; of a larger one only the name is recorded."""
MAX_NAMED = 200
"""Changed files that are recorded by name; further ones are left out."""
CODE = (".py", ".pyi", ".pyx", ".c", ".cc", ".cpp", ".cu", ".h", ".sh", ".toml", ".yaml", ".yml")
"""Endings of the files whose content is kept if the config has no `code_files`."""
DATA = frozenset((
    "", ".arrow", ".csv", ".db", ".env", ".feather", ".gz", ".ipynb", ".json", ".jsonl", ".log", ".npy", ".npz", ".pkl",
    ".parquet", ".pt", ".sqlite", ".tsv", ".txt", ".xls", ".xlsx", ".zip",
))  # fmt: skip
"""Endings that are never those of code, whatever the config says."""
SETTINGS = frozenset((".sh", ".toml", ".yaml", ".yml"))
"""Endings of code in which a credential needs no quotes."""

_SECTION = re.compile(rb"(?m)^(?=diff --git )")


class Changes(NamedTuple):
    """The changes of a working tree against its commit."""

    files: Sequence[ChangedFile] = ()
    diff: bytes = b""
    """The changes of the files whose content is kept; empty if there are none."""


def changes(tree: Path, changed: Sequence[str], untracked: Sequence[str], endings: Iterable[str] = CODE) -> Changes:
    """Return the changes in the working tree that contains the folder `tree`.

    Args:
        tree: a folder of the working tree.
        changed: the tracked files that are changed or deleted, relative to the top of the tree.
        untracked: files and folders that git does not track; only their names and hashes are used.
        endings: of the files whose content is kept.
    """
    top = _top(tree)
    if top is None:
        return Changes()
    code = [name for name in changed[:MAX_NAMED] if is_code(name, endings)]
    sections = _sections(top, code)
    kept = _within_limit({name: _masked(name, sections[name]) for name in code if name in sections})
    contents = {name: Content.LEFT_OUT for name in code} | {name: Content.KEPT for name in kept}
    recorded = [ChangedFile(path=_plain(name), sha256=_sha256(top / name), content=contents.get(name, Content.NOT_CODE))
                for name in changed[:MAX_NAMED]]  # fmt: skip
    recorded += [ChangedFile(path=_plain(name), sha256=_sha256(top / name), content=Content.UNTRACKED)
                 for name in untracked[:MAX_NAMED]]  # fmt: skip
    return Changes(recorded, b"".join(kept.values()))


def reduced(diff: bytes) -> bytes:
    """Return the diff of an earlier version, which has every changed file, with that of code alone, masked."""
    kept = []
    for section in _SECTION.split(diff):
        header = section.partition(b"\n")[0].decode("utf-8", "surrogateescape")
        if not section.startswith(b"diff --git "):
            kept.append(section if section.startswith(b"#") else b"")
        elif is_code(header.rstrip('"'), CODE):
            kept.append(_masked(header, section))
    return b"".join(kept)


def is_code(name: str, endings: Iterable[str]) -> bool:
    """Return whether the content of a file is kept."""
    ending = PurePosixPath(name).suffix.lower()
    return ending in set(endings) - DATA and not PurePosixPath(name).name.startswith(".env")


def _top(tree: Path) -> Path | None:
    output = _git(tree, "rev-parse", "--show-toplevel")
    return Path(output.decode("utf-8", "surrogateescape").rstrip("\n")) if output else None


def _sections(top: Path, names: Sequence[str]) -> dict[str, bytes]:
    """Return the diff of each file."""
    if not names:
        return {}
    options = ("--no-color", "--no-ext-diff", "--no-textconv", "--no-relative", "--no-renames")
    output = _git(top, "diff", "HEAD", *options, "--", *(f":(top,literal){name}" for name in names)) or b""
    sections = _SECTION.split(output)[1:]
    named = {}
    for section in sections:
        header = section.partition(b"\n")[0].decode("utf-8", "surrogateescape")
        name = next((name for name in names if header == f"diff --git a/{name} b/{name}"), None)
        if name is not None and b"\nBinary files " not in section:
            named[name] = section
    return named


def _masked(name: str, section: bytes) -> bytes:
    """Return the diff with credentials masked; empty if a line is too long for code."""
    text = section.decode("utf-8", "surrogateescape")
    if any(len(line) > MAX_LINE for line in text.split("\n")):
        return b""
    mask = redaction.text if PurePosixPath(name).suffix.lower() in SETTINGS else redaction.code
    return mask(text).encode("utf-8", "surrogateescape")


def _within_limit(sections: dict[str, bytes]) -> dict[str, bytes]:
    """Return the diffs that are not empty, up to `MAX_DIFF` bytes; each is complete, so that they can be applied."""
    kept: dict[str, bytes] = {}
    size = 0
    for name, section in sections.items():
        if section and size + len(section) <= MAX_DIFF:
            kept[name] = section
            size += len(section)
    return kept


def _sha256(path: Path) -> str:
    """Return the hash of a file; empty if it was deleted, is too large, or is a folder or a special file."""
    try:
        return hashlib.sha256(files.read(path, MAX_HASHED, follow_links=False)).hexdigest()
    except OSError:
        return ""


def _plain(name: str) -> str:
    return name.encode("utf-8", "replace").decode("utf-8")


def _git(tree: Path, *arguments: str) -> bytes | None:
    """Return the output of git, or None if it fails, is not installed, or takes too long."""
    options = ("-c", "core.quotePath=false")
    try:
        return git.run(tree, *arguments, timeout=GIT_TIMEOUT, options=options, optional_locks=False)
    except (OSError, subprocess.SubprocessError):
        return None
