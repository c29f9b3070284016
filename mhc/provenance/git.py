"""Run git in a working tree, without a terminal and for a limited time."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from mhc import redaction


def run(tree: Path, *arguments: str, timeout: float, options: Sequence[str] = (), optional_locks: bool = True) -> bytes:
    """Return what `git -C tree arguments` writes to standard output.

    Args:
        tree: a folder of the working tree.
        arguments: the subcommand and its arguments.
        timeout: seconds after which git is killed.
        options: options of git itself, before the subcommand.
        optional_locks: False if the command only reads, so that it never writes the user's index.

    Raises:
        OSError: if git is not installed or cannot be started.
        subprocess.SubprocessError: if git fails or takes longer than `timeout`.
    """
    environment = dict(os.environ) if optional_locks else {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    command = ["git", *options, "-C", str(tree), *arguments]
    return subprocess.run(
        command, capture_output=True, stdin=subprocess.DEVNULL, timeout=timeout, check=True, env=environment
    ).stdout


def message_of(error: Exception) -> str:
    """Return the message of git in an error of `run`, else that of the error itself, with credentials masked."""
    stderr = getattr(error, "stderr", None) or b""
    return redaction.text(stderr.decode("utf-8", "replace").strip() or str(error))
