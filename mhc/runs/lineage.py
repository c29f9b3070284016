"""How a run came about: command, git state, packages, hardware, and a hash of what was configured. Fast, no torch."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from mhc.errors import MhcError
from mhc.record import Lineage
from mhc.runs import atomic

DIFF = "git.diff"
LARGEST_DIFF = 5_000_000
"""Bytes of a diff that are kept; what is cut off is said at its end."""
GIT_TIMEOUT = 10.0
"""Seconds that one call of git may take, on a slow network disk; usually it takes milliseconds."""
MOST_NAMED = 200
"""Untracked files that are named in the diff; the rest is counted."""
PACKAGES = (
    "torch", "pytorch-lightning", "torchmetrics", "transformers", "tokenizers", "safetensors", "hydra-core",
    "omegaconf", "hydra-joblib-launcher", "hydra-submitit-launcher", "datasets", "datasketch", "numpy", "scipy",
    "msgspec", "mhc",
)  # fmt: skip
"""What can change a result; versions of what is not installed are left out."""


class GitState(NamedTuple):
    """The state of the working tree that holds this code."""

    commit: str | None = None
    branch: str | None = None
    dirty: bool | None = None
    diff: bytes = b""


def gather(
    folder: Path,
    *,
    overrides: Sequence[str] = (),
    config_hash: str = "",
    command: Sequence[str] | None = None,
    tree: Path | None = None,
) -> Lineage:
    """Return how the run in `folder` came about; keeps the diff of a dirty tree there.

    `tree` is a folder of the git working tree; by default that of this code. Nothing here stops a training: what
    cannot be found out stays unknown.
    """
    git = git_state(tree or Path(__file__).resolve().parent)
    return Lineage(
        command=[plain(word) for word in (command if command is not None else _command())],
        overrides=[plain(word) for word in overrides],
        config_hash=config_hash,
        git_commit=git.commit,
        git_branch=git.branch,
        git_dirty=git.dirty,
        git_diff=_keep(git.diff, folder) if git.diff else None,
        packages=dict(versions()),
        python=platform.python_version(),
        platform=platform.platform(),
        hardware=hardware(),
    )


def plain(word: str) -> str:
    """Return `word` without the half characters by which Python stands for bytes that are no UTF-8."""
    return word.encode("utf-8", "replace").decode("utf-8")


def _command() -> list[str]:
    """The command as it was typed: sys.argv has lost `-m mhc.train`."""
    return ["python", *sys.orig_argv[1:]]


def _keep(diff: bytes, folder: Path) -> str | None:
    kept = diff
    if len(diff) > LARGEST_DIFF:
        kept = diff[:LARGEST_DIFF] + f"\n# cut off here: {len(diff):,} bytes in all\n".encode()
    try:
        atomic.write(folder / DIFF, kept)
    except MhcError:
        return None
    return DIFF


@cache
def versions() -> tuple[tuple[str, str], ...]:
    """Return the installed versions of `PACKAGES`."""
    found = []
    for name in PACKAGES:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return tuple(found)


def git_state(tree: Path) -> GitState:
    """Return commit, branch and changes of the git working tree that holds `tree`; all unknown without git.

    Untracked files are named at the end of the diff, not copied: they may hold data.
    """
    status = _git(tree, "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=normal", "--no-renames")
    if status is None:
        return GitState()
    entries = [entry for entry in status.decode("utf-8", "replace").split("\0") if entry]
    said = dict(entry[2:].split(" ", 1) for entry in entries if entry.startswith("# "))
    untracked = [entry[2:] for entry in entries if entry.startswith("? ")]
    changed = any(entry[0] not in "#?" for entry in entries)
    diff = _git(tree, "diff", "HEAD", "--binary", "--no-color", "--no-ext-diff", "--no-relative") if changed else b""
    commit = said.get("branch.oid", "(initial)")
    return GitState(
        commit=None if commit == "(initial)" else commit,
        branch=said.get("branch.head"),
        dirty=changed or bool(untracked),
        diff=(diff or b"") + _named(untracked),
    )


def _named(untracked: Sequence[str]) -> bytes:
    if not untracked:
        return b""
    lines = [f"# {len(untracked)} untracked, not in this diff:", *(f"#   {name}" for name in untracked[:MOST_NAMED])]
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _git(tree: Path, *arguments: str) -> bytes | None:
    """Return what git says, or None where it fails, is not there, or takes too long."""
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}  # asking for the status must not write the user's index
    try:
        done = subprocess.run(
            ["git", "-C", str(tree), *arguments],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=GIT_TIMEOUT,
            check=True,
            env=environment,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


@cache
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def hardware() -> dict[str, str | int | float]:
    """Return processor, cores that this process may use, memory and GPUs."""
    found: dict[str, str | int | float] = {"cpu": _processor() or platform.machine()}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found["cores"] = cores or 1
    if hasattr(os, "sysconf"):
        found["memory_gb"] = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    for number, name in enumerate(_gpus()):
        found[f"gpu{number}"] = name
    return found


def _gpus() -> list[str]:
    """The names of NVIDIA's cards, from the driver's own list: asking torch would take seconds."""
    names = []
    for path in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        names += [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]
    return names


def config_hash(values: Mapping[str, object]) -> str:
    """Return a hash of plain config values that does not depend on their order; 16 hexadecimal digits.

    The caller leaves out what does not change what is learned (seed, name, notes, paths), so that runs that differ
    only in the seed share it.
    """
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()[:16]
