"""The lineage of a run: command, git state, packages, hardware, and a hash of its config. Fast, without torch."""

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
from mhc.provenance import git, uncommitted
from mhc.provenance.uncommitted import Changes
from mhc.record import Lineage
from mhc.runs import atomic

DIFF = "git.diff"
GIT_TIMEOUT = 10.0
"""Seconds that one call of git may take on a slow network disk; usually it takes milliseconds."""
PACKAGES = (
    "torch", "pytorch-lightning", "torchmetrics", "transformers", "tokenizers", "safetensors", "hydra-core",
    "omegaconf", "hydra-joblib-launcher", "hydra-submitit-launcher", "datasets", "datasketch", "numpy", "scipy",
    "msgspec", "mhc",
)  # fmt: skip
"""Packages that can change a result; those that are not installed are left out."""


class GitState(NamedTuple):
    """The state of the git working tree that contains this code."""

    commit: str | None = None
    branch: str | None = None
    dirty: bool | None = None
    changed: Sequence[str] = ()
    """Tracked files, relative to the top of the working tree."""
    untracked: Sequence[str] = ()
    """Files and folders that git does not track."""


def gather(
    folder: Path,
    *,
    overrides: Sequence[str] = (),
    config_hash: str = "",
    command: Sequence[str] | None = None,
    tree: Path | None = None,
    code_files: Sequence[str] = uncommitted.CODE,
    not_code: Sequence[Path] = (),
) -> Lineage:
    """Return the lineage of the run in `folder`, and write the uncommitted changes of code to that folder.

    `tree` is a folder of the git working tree; by default that of this code. `code_files` are the endings of the files
    whose content is kept; `not_code` are folders in which a change is no change of the code: runs, bundles, the cache.
    Nothing here stops a training: a value that cannot be determined is left out.
    """
    tree = tree or Path(__file__).resolve().parent
    state = git_state(tree, not_code)
    changes = uncommitted.changes(tree, state.changed, state.untracked, code_files) if state.dirty else Changes()
    return Lineage(
        command=[plain(word) for word in (command if command is not None else _command())],
        overrides=[plain(word) for word in overrides],
        config_hash=config_hash,
        git_commit=state.commit,
        git_branch=state.branch,
        git_dirty=state.dirty,
        git_diff=_write_diff(changes.diff, folder) if changes.diff else None,
        git_changes=list(changes.files),
        packages=dict(versions()),
        python=platform.python_version(),
        platform=platform.platform(),
        hardware=hardware(),
    )


def plain(word: str) -> str:
    """Return `word` without the surrogates by which Python represents bytes that are not UTF-8."""
    return word.encode("utf-8", "replace").decode("utf-8")


def _command() -> list[str]:
    """Return the command as the user typed it: sys.argv does not contain `-m mhc.train`."""
    return ["python", *sys.orig_argv[1:]]


def _write_diff(diff: bytes, folder: Path) -> str | None:
    try:
        atomic.write(folder / DIFF, diff)
    except MhcError:
        return None
    return DIFF


@cache
def versions() -> tuple[tuple[str, str], ...]:
    """Return the installed versions of `PACKAGES`."""
    pairs = []
    for name in PACKAGES:
        try:
            pairs.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return tuple(pairs)


def git_state(tree: Path, not_code: Sequence[Path] = ()) -> GitState:
    """Return commit, branch and changes of the git working tree that contains `tree`; all None without git.

    Changes in the folders `not_code` are left out.
    """
    options = ("--porcelain=v2", "--branch", "-z", "--untracked-files=normal", "--no-renames")
    status = _git(tree, "status", *options, "--", ":(top)", *_exclusions(tree, not_code))
    if status is None:
        return GitState()
    entries = [entry for entry in status.decode("utf-8", "surrogateescape").split("\0") if entry]
    headers = dict(entry[2:].split(" ", 1) for entry in entries if entry.startswith("# "))
    untracked = [entry[2:] for entry in entries if entry.startswith("? ")]
    changed = [_path_of(entry) for entry in entries if entry[0] not in "#?"]
    commit = headers.get("branch.oid", "(initial)")
    return GitState(
        commit=None if commit == "(initial)" else commit,
        branch=plain(headers.get("branch.head", "")) or None,
        dirty=bool(changed or untracked),
        changed=changed,
        untracked=untracked,
    )


def _exclusions(tree: Path, folders: Sequence[Path]) -> list[str]:
    """Return the pathspecs that exclude those of `folders` that are inside of the working tree."""
    output = _git(tree, "rev-parse", "--show-toplevel") if folders else None
    if not output:
        return []
    top = Path(output.decode("utf-8", "surrogateescape").rstrip("\n")).resolve()
    inside = [folder.resolve() for folder in folders if top in folder.resolve().parents]
    return [f":(top,exclude,literal){folder.relative_to(top)}" for folder in inside]


def _path_of(entry: str) -> str:
    """Return the path in an entry of `git status --porcelain=v2`: after 8 fields, or 10 of an unmerged file."""
    return entry.split(" ", 10 if entry[0] == "u" else 8)[-1]


def _git(tree: Path, *arguments: str) -> bytes | None:
    """Return the output of git, or None if it fails, is not installed, or takes too long."""
    try:
        return git.run(tree, *arguments, timeout=GIT_TIMEOUT, optional_locks=False)
    except (OSError, subprocess.SubprocessError):
        return None


@cache
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def hardware() -> dict[str, str | int | float]:
    """Return processor, cores that this process may use, memory and GPUs."""
    parts: dict[str, str | int | float] = {"cpu": _processor() or platform.machine()}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parts["cores"] = cores or 1
    if hasattr(os, "sysconf"):
        parts["memory_gb"] = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    for number, name in enumerate(_gpus()):
        parts[f"gpu{number}"] = name
    return parts


def _gpus() -> list[str]:
    """Return the names of NVIDIA's GPUs from the driver's list: importing torch would take seconds."""
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

    The caller leaves out values that do not change the training (seed, name, notes, paths), so runs that differ only in
    the seed have the same hash.
    """
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()[:16]
