"""A bundle on the disk: `models/production/<name>/`, whole, self-contained, and nothing in it that could run code."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from mhc.errors import BadInput, Unreadable

FOLDER = "production"
CHECKSUMS = "checksums.sha256"
CARD = "README.md"
PROMOTION = "promotion.json"
DRAFT = ".draft"
"""Ending of the hidden folder that a bundle is built in."""
WEIGHTS = "model.safetensors"
CALIBRATION = "calibration.json"
UNTRACKED = (".safetensors", ".onnx", ".onnx.data")
"""Endings of the files that a git clone of a models folder does not have."""

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
ALLOWED = (*UNTRACKED, ".json", ".txt", ".md", ".npz", ".yaml", ".diff", ".jinja", ".model", ".sha256", ".spm")
"""Endings that a bundle may hold: no pickle, no code, no archive."""
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(?:/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
_LONGEST_HEADER = 100_000_000


def place(models: Path, name: str) -> Path:
    """The folder of a bundle.

    Raises:
        BadInput: where the name could mean another place.
    """
    return models / FOLDER / checked_name(name)


def checked_name(name: str) -> str:
    """Return a name that is safe as a folder's.

    Raises:
        BadInput: where it is not.
    """
    if not NAME.fullmatch(name) or ".." in name:
        raise BadInput(
            f"{name[:100]!r} cannot name a bundle or an alias: use a-z, 0-9, '.', '_' and '-', beginning with a letter "
            "or a digit, at most 100 characters"
        )
    return name


def seal(folder: Path) -> str:
    """Write checksums.sha256 over every file in `folder`, and return its own sha256. Lines as of `sha256sum`."""
    lines = [f"{sha256(folder / path)}  {path}\n" for path in sorted(files(folder)) if path != CHECKSUMS]
    content = "".join(lines).encode()
    (folder / CHECKSUMS).write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def files(folder: Path) -> Iterator[str]:
    """Every path in `folder` that is no plain folder, links included, relative and with slashes."""
    for parent, folders, names in os.walk(folder):
        linked = [name for name in folders if (Path(parent) / name).is_symlink()]
        for name in (*names, *linked):
            yield (Path(parent) / name).relative_to(folder).as_posix()


def flaws(folder: Path, expected: str | None, without_weights: bool = False) -> list[str]:
    """All that is wrong with the files of a bundle; empty when it is whole and harmless.

    `expected` is the sha256 of checksums.sha256 as the ledger has it; None for a bundle that no ledger knows.
    `without_weights`: weights may be missing, as in a git clone.
    """
    if folder.is_symlink() or not folder.is_dir():
        return [f"{folder} is not there, or is a link"]
    try:
        content = (folder / CHECKSUMS).read_bytes()
        if expected is not None and hashlib.sha256(content).hexdigest() != expected:
            return [f"{CHECKSUMS} is not the one that the ledger knows"]
        listed = _listed(content)
        return _against_list(folder, listed, without_weights) + harm(folder)
    except (OSError, Unreadable) as problem:
        return [str(problem)]


def _listed(content: bytes) -> dict[str, str]:
    """The sha256 by path, of a checksums file that is written as `seal` writes it."""
    listed: dict[str, str] = {}
    for line in content.decode("utf-8", "replace").splitlines():
        match = _LINE.fullmatch(line)
        if match is None or not _PATH.fullmatch(match[2]) or match[2] in listed:
            raise Unreadable(f"{CHECKSUMS} has a line that is no checksum of a file in the bundle")
        listed[match[2]] = match[1]
    return listed


def _against_list(folder: Path, listed: dict[str, str], without_weights: bool) -> list[str]:
    there = set(files(folder)) - {CHECKSUMS}
    missing = [path for path in listed if path not in there and not (without_weights and path.endswith(UNTRACKED))]
    found = [f"{path} is missing" for path in missing]
    found += [f"{path!r} does not belong to the bundle" for path in sorted(there - set(listed))]
    for path in sorted(there & set(listed)):
        if (folder / path).is_symlink() or sha256(folder / path) != listed[path]:
            found.append(f"{path} was changed")
    return found


def harm(folder: Path) -> list[str]:
    """What in a bundle, whoever made it, could do harm when it is loaded: links, code, pickles, wrong weights."""
    found = []
    for path in sorted(files(folder)):
        if (folder / path).is_symlink():
            found.append(f"{path!r} is a link")
        elif not path.endswith(ALLOWED) or not _PATH.fullmatch(path):
            found.append(f"{path!r} is of a kind that no bundle holds")
        elif path.endswith(".safetensors") and not is_safetensors(folder / path):
            found.append(f"{path} does not hold safetensors")
        elif path.endswith("config.json") and _asks_for_code(folder / path):
            found.append(f"{path} asks for code to be run (auto_map)")
    return found


def is_safetensors(path: Path) -> bool:
    """Whether a file has the form of safetensors: the length of a header, the header in JSON, the bytes it tells of."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(size - 8, _LONGEST_HEADER):
            return False
        header = file.read(length)
    try:
        tensors = {name: value for name, value in json.loads(header).items() if name != "__metadata__"}
        return size - 8 - length == max((value["data_offsets"][1] for value in tensors.values()), default=0)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        return False


def _asks_for_code(path: Path) -> bool:
    try:
        values = json.loads(path.read_bytes())
    except ValueError:
        return True
    return not isinstance(values, dict) or "auto_map" in values or "custom_pipelines" in values


def must_be_whole(folder: Path, expected: str | None) -> None:
    """Check a bundle before it is loaded.

    Raises:
        Unreadable: with the first things that are wrong.
    """
    found = flaws(folder, expected)
    if found:
        raise Unreadable(
            f"The bundle {folder.name} is not what was promoted: {'; '.join(found[:5])}. It is not used. "
            "See all with: mhc verify"
        )


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal; a link is not followed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(folder: Path) -> None:
    """Have every file and folder of a bundle on the disk before it gets its name."""
    for parent, _, names in os.walk(folder):
        for path in (*(Path(parent) / name for name in names), Path(parent)):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
