"""Run commands of mhc one after the other, each in a fork of one process that has imported the libraries.

`run` starts that process, with the code, folder and environment given; as a program, this file is that process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))  # last: `mhc` may be that of another folder

from scripts import forks

TIMEOUT = 300.0
"""Seconds after which a command has hung."""

Command = tuple[Sequence[str], Collection[int]]
"""The words after `python -m`, and the exit codes that are right."""


def run(
    commands: Sequence[Command], project: Path, code: Path, environment: Mapping[str, str], *, umask: int = -1
) -> bytes:
    """Run the commands in the folder `project`, with the `mhc` in the folder `code`, and return what they print.

    Raises:
        RuntimeError: if one ends with another exit code than those that are right.
    """
    places = {"MHC_OUTPUTS": "outputs", "MHC_MODELS": "models", "MHC_CACHE": "cache", "PYTHONPATH": str(code)}
    log = project.with_name("commands.log")
    log.write_bytes(b"")
    done = subprocess.run(
        [sys.executable, __file__, str(log)],
        input=json.dumps([[[*words], [*codes]] for words, codes in commands]),
        text=True, capture_output=True, cwd=project, env={**os.environ, **places, **environment}, umask=umask,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{done.stderr[-500:]} {log.read_text(errors='replace')[-500:]}")
    return log.read_bytes()


def command(words: Sequence[str]) -> None:
    """Run `python -m` with these words in this process, and end it."""
    from mhc.training.exit_codes import run_and_exit

    name, *sys.argv[1:] = words
    run_and_exit(import_module(name).main, result=True)


def main(log: Path) -> None:
    """Run the commands of the standard input."""
    forks.import_training()
    for words, codes in json.load(sys.stdin):
        code = forks.wait(forks.start(partial(command, words), log), TIMEOUT)
        if code not in codes:
            sys.exit(f"{' '.join(words[:3])} ended with {code}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
