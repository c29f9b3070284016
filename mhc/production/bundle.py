"""A bundle on disk: `models/production/<name>/`, complete, self-contained, and without anything that could run code."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from mhc.errors import BadInput, Refused, Unreadable
from mhc.files import LIMIT, open_binary, read, reading
from mhc.runs import atomic
from mhc.runs.checkpoints import sha256

FOLDER = "production"
CHECKSUMS = "checksums.sha256"
CARD = "README.md"
PROMOTION = "promotion.json"
CONFIG = "training.yaml"
"""The config that the run was trained with."""
DRAFT = ".draft"
"""Suffix of the hidden folder in which a bundle is built."""
PENDING = ".pending"
"""Suffix of the hidden note that a bundle has its name, but not yet its entry in the ledger: see `note_of`."""
WEIGHTS = "model.safetensors"
CALIBRATION = "calibration.json"
LOAD_SCRIPT = "load.py"
"""Loads a model that transformers has no class for without mhc. mhc never runs it, and accepts only those it writes."""
LOAD_SCRIPTS = frozenset(
    {
        "14f36dc2b0de27a0163b690bb2b3fa1bdd52ea5a227402a90f767d9173b67277",  # load_linear.py, without an encoder
        "7e25db55675c183e6a9d9b146146f03fc97058b910b94a9c8fd97c48e405b31d",  # load_linear.py
        "d6e3cde11fc8c9aef60c6ba46804002ed917316798bf3edc7b507908b7b8f0a5",  # load_encoder.py
        "4995d059085cd6ed431a1d859a7e5629b0e47e8e2ca4864e22867ddcc519255a",  # ensemble/load_members.py
    }
)
"""The sha256 of those scripts, of this version and of earlier ones."""
UNTRACKED = (".safetensors", ".onnx", ".onnx.data")
"""Suffixes of the files that a git clone of a models folder does not have."""
LARGE = (*UNTRACKED, ".npz")
"""Suffixes of files of any size; others are never read, nor hashed, beyond the limit of `mhc.files.read`."""

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
ALLOWED = (*UNTRACKED, ".json", ".txt", ".md", ".npz", ".yaml", ".diff", ".jinja", ".model", ".sha256", ".spm")
"""Suffixes of the files that a bundle may contain: no pickle, no code but our own `LOAD_SCRIPT`, no archive."""
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(?:/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
_SCRIPT = re.compile(rf"(?:members/[^/]+/)?{re.escape(LOAD_SCRIPT)}")
"""Where a bundle may have a script: at its top, and at that of each member of an ensemble."""
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
SHA256_DIGITS = 64
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST_HEADER = 100_000_000


def folder_of(models: Path, name: str) -> Path:
    """Return the folder of a bundle.

    Raises:
        BadInput: if the name could lead to another folder.
    """
    return models / FOLDER / checked_name(name)


def checked_name(name: str) -> str:
    """Return `name` if it is safe as the name of a folder.

    Raises:
        BadInput: if it is not.
    """
    if not NAME.fullmatch(name) or ".." in name:
        raise BadInput(
            f"{name[:100]!r} cannot name a bundle or an alias: use a-z, 0-9, '.', '_' and '-', beginning with a letter "
            "or a digit, and at most 100 characters"
        )
    return name


def refuse_output(output: Path, models: Path) -> None:
    """Refuse to write a file among those of production, which only mhc's own commands for it change.

    Raises:
        Refused: if `output` is a bundle, is in one, or is the ledger or its snapshot, also by a link.
    """
    place, root = output.resolve(), models.resolve()
    if root in place.parents and place.relative_to(root).parts[0] in (FOLDER, "ledger.jsonl", "registry.json"):
        raise Refused(f"{output} belongs to production in {models}. Choose another place for the output")


def note_of(folder: Path) -> Path:
    """Return the path of the note that a bundle is about to be recorded, in the models folder.

    It contains the sha256 of the bundle's checksums.
    """
    return folder.parent.parent / f".{folder.name}{PENDING}"


def is_note(path: Path) -> bool:
    """Return whether a file is such a note, as mhc writes it."""
    if not (path.name.startswith(".") and path.name.endswith(PENDING)) or path.is_symlink() or not path.is_file():
        return False
    return path.stat().st_size == SHA256_DIGITS and _SHA256.fullmatch(path.read_text("ascii", "replace")) is not None


def seal(folder: Path) -> str:
    """Write checksums.sha256, in the format of `sha256sum`, of every file in `folder`; return its own sha256."""
    paths = [path for path in sorted(files(folder)) if path != CHECKSUMS]
    lines = [f"{sha256(folder / path, follow_links=False)}  {path}\n" for path in paths]
    content = "".join(lines).encode()
    (folder / CHECKSUMS).write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def files(folder: Path) -> Iterator[str]:
    """Yield the relative path, with slashes, of every file and every link in `folder`."""
    for parent, folders, names in os.walk(folder):
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        for name in (*names, *links):
            yield (Path(parent) / name).relative_to(folder).as_posix()


def flaws(folder: Path, expected: str | None, *, without_weights: bool = False) -> list[str]:
    """Return all flaws of a bundle's files; empty if it is intact and harmless.

    Args:
        folder: the bundle.
        expected: the sha256 of checksums.sha256 in the ledger; None for a bundle without a ledger.
        without_weights: whether weights may be missing, as in a git clone.
    """
    if folder.is_symlink() or not folder.is_dir():
        return [f"{folder} does not exist, or is a link"]
    try:
        with reading(CHECKSUMS):
            content = read(folder / CHECKSUMS)
        if expected is not None and hashlib.sha256(content).hexdigest() != expected:
            return [f"{CHECKSUMS} is not the one in the ledger"]
        checksums = _parse_checksums(content)
        return _deviations(folder, checksums, without_weights=without_weights) + hazards(folder)
    except (OSError, Unreadable) as problem:
        return [str(problem)]


def _parse_checksums(content: bytes) -> dict[str, str]:
    """Return the sha256 of each path in a checksums file, which must be as `seal` writes it."""
    checksums: dict[str, str] = {}
    for line in content.decode("utf-8", "replace").splitlines():
        match = _LINE.fullmatch(line)
        if match is None or not _PATH.fullmatch(match[2]) or match[2] in checksums:
            raise Unreadable(f"{CHECKSUMS} has a line that is not a checksum of a file in the bundle")
        checksums[match[2]] = match[1]
    return checksums


def _deviations(folder: Path, checksums: dict[str, str], *, without_weights: bool) -> list[str]:
    """Return the files that are missing, extra, or different from their checksums."""
    present = set(files(folder)) - {CHECKSUMS}
    missing = [path for path in checksums if path not in present and not (without_weights and path.endswith(UNTRACKED))]
    deviations = [f"{path} is missing" for path in missing]
    deviations += [f"{path!r} does not belong to the bundle" for path in sorted(present - set(checksums))]
    for path in sorted(present & set(checksums)):
        try:
            if not path.endswith(LARGE) and (folder / path).lstat().st_size > LIMIT:
                deviations.append(f"{path} was changed: it has more than {LIMIT:,} bytes")
            elif sha256(folder / path, follow_links=False) != checksums[path]:
                deviations.append(f"{path} was changed")
        except OSError as problem:
            deviations.append(f"{path} was changed: {problem.strerror}")
    return deviations


def hazards(folder: Path) -> list[str]:
    """Return what could do harm when a bundle of any origin is loaded: links, code, pickles, invalid weights."""
    problems = []
    for path in sorted(files(folder)):
        if (folder / path).is_symlink():
            problems.append(f"{path!r} is a link")
        elif _SCRIPT.fullmatch(path):
            if sha256(folder / path) not in LOAD_SCRIPTS:
                problems.append(f"{path} is not the script that mhc writes")
        elif not path.endswith(ALLOWED) or not _PATH.fullmatch(path):
            problems.append(f"{path!r} is of a kind that no bundle contains")
        elif path.endswith(".safetensors") and not is_safetensors(folder / path):
            problems.append(f"{path} is not a safetensors file")
        elif path.endswith("config.json") and _requests_code(folder / path):
            problems.append(f"{path} requests remote code (auto_map)")
    return problems


def is_safetensors(path: Path) -> bool:
    """Return whether a file is in the safetensors format: length of the header, header in JSON, and its bytes."""
    try:
        with reading(path), open_binary(path) as file:
            size = path.stat().st_size
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(size - 8, _LONGEST_HEADER):
                return False
            header = json.loads(file.read(length))
            ends = [value["data_offsets"][1] for name, value in header.items() if name != "__metadata__"]
            return bool(size - 8 - length == max(ends, default=0))
    except (FileNotFoundError, Unreadable):
        return False


def _requests_code(path: Path) -> bool:
    try:
        with reading(path):
            values = json.loads(read(path))
    except (FileNotFoundError, Unreadable):
        return True
    return not isinstance(values, dict) or "auto_map" in values or "custom_pipelines" in values


def require_intact(folder: Path, expected: str | None) -> None:
    """Check a bundle before it is loaded.

    Raises:
        Unreadable: if it has flaws; names the first five.
    """
    problems = flaws(folder, expected)
    if problems:
        raise Unreadable(
            f"The bundle {folder.name} is not as it was promoted: {'; '.join(problems[:5])}. It is not used. "
            "List all flaws with: mhc verify"
        )


def sync(folder: Path) -> None:
    """Flush every file and folder of a bundle to the disk, before it is renamed to its final name."""
    for parent, _, names in os.walk(folder):
        for path in (*(Path(parent) / name for name in names), Path(parent)):
            atomic.sync(path)
