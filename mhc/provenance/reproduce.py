"""Reproduce a run: the recorded commit in a git worktree, the recorded command, and a comparison of the results."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from msgspec.structs import replace

from mhc import config_file, files, redaction, timestamps
from mhc.errors import BadInput, NotFound, Refused, Unreadable
from mhc.provenance import git
from mhc.provenance.lineage import DIFF
from mhc.provenance.recipe import Difference, Recipe, differences, environment_differences, recipe
from mhc.record import Event, Promotion, RunRecord
from mhc.runs import folders, store

CONFIG = ".hydra/config.yaml"
FLAGGING = "flag_for_promotion"
"""The callback that judges a run."""
GIT_TIMEOUT = 300.0
"""Seconds that git may take to check out the recorded commit."""


class Outcome(NamedTuple):
    """The result of reproducing a run."""

    folder: Path
    """The folder of the new run."""
    record: RunRecord
    """The record of the new run."""
    differences: list[Difference]
    environment_differences: list[Difference]


def repository_of(folder: Path) -> Path | None:
    """Return the top of the git working tree that contains `folder`; None if there is none."""
    try:
        output = git.run(folder, "rev-parse", "--show-toplevel", timeout=GIT_TIMEOUT, optional_locks=False)
    except (OSError, subprocess.SubprocessError):
        return None
    return Path(os.fsdecode(output.rstrip(b"\n")))


def recipe_of(folder: Path) -> Recipe:
    """Return the recipe of the run in `folder`.

    Raises:
        Unreadable: if its record cannot be read.
        Refused: if it cannot be reproduced.
    """
    try:
        diff = files.read(folder / DIFF, follow_links=False)
    except OSError:
        diff = None
    return recipe(store.read(folder), folder, diff)


def reproduce(folder: Path, outputs: Path, code: Path, *, tolerance: float, now: datetime) -> Outcome:
    """Train the run again in `outputs`, and compare the results.

    Args:
        folder: the folder of the run.
        outputs: the folder of the new run's folder.
        code: a folder of the git repository that contains the code.
        tolerance: the largest difference of a metric that counts as equal.
        now: the time of the comparison in the history of the new run.

    Raises:
        NotFound: if git or the commit is missing.
        Refused: if the value of an override was masked.
        BadInput: if the changes do not apply, or the training ends before it has a record.
    """
    record, instructions = store.read(folder), recipe_of(folder)
    if masked := next((word for word in instructions.command if redaction.is_masked(word)), None):
        raise Refused(
            f"{masked.partition('=')[0]} of {record.id} was masked. Give it in the command, and run it yourself"
        )
    with _checkout(instructions, code) as tree:
        new = _trained([*instructions.command[1:], *_options(folder, outputs)], tree, outputs)
    again = store.read(new)
    unlike = differences(record, again, tolerance)
    verdict = f"differs in {', '.join(difference.name for difference in unlike)[:500]}" if unlike else "reproduced"
    again = store.update(new, partial(_no_candidate, original=record.id),
                         Event(at=timestamps.format_time(now), what="compared", by="reproduce",
                               why=f"made again from {record.id}: {verdict}"))  # fmt: skip
    return Outcome(new, again, unlike, environment_differences(record, again))


@contextmanager
def _checkout(instructions: Recipe, code: Path) -> Iterator[Path]:
    """Yield a folder with the recorded commit and changes; the current code if no commit is recorded."""
    if instructions.commit is None:
        yield code
        return
    with TemporaryDirectory(prefix="mhc-reproduce-") as parent:
        tree = Path(parent) / "code"
        _git(code, "worktree", "add", "--detach", str(tree), instructions.commit)
        try:
            if instructions.diff:
                _git(tree, "apply", "--whitespace=nowarn", str(instructions.diff.absolute()))
            yield tree
        finally:
            with suppress(BadInput, NotFound):
                _git(code, "worktree", "remove", "--force", str(tree))


def _git(tree: Path, *arguments: str) -> None:
    try:
        git.run(tree, *arguments, timeout=GIT_TIMEOUT, options=("-c", "core.hooksPath=/dev/null"))
    except FileNotFoundError:
        raise NotFound("git is not installed; it is needed to check out the recorded commit") from None
    except subprocess.TimeoutExpired:
        raise BadInput(f"git {arguments[0]} took more than {GIT_TIMEOUT:.0f} s and was stopped") from None
    except subprocess.CalledProcessError as problem:
        reason = "".join(git.message_of(problem).splitlines()[-1:])
        raise BadInput(f"git {arguments[0]} failed: {reason}. Try the lines that `mhc reproduce` prints") from None


def _options(folder: Path, outputs: Path) -> list[str]:
    """Return the overrides of a repetition: it archives no runs, and is neither flagged nor promoted."""
    options = [f"paths.outputs={outputs.absolute()}", "auto_archive=false"]
    try:
        config = config_file.plain_values(files.read(folder / CONFIG).decode())
        flags = isinstance(config, dict) and FLAGGING in (config.get("callbacks") or {})
    except Exception:  # of any kind if it is not YAML; a repetition needs no recorded config
        flags = False
    return [*options, f"~callbacks.{FLAGGING}"] if flags else options


def _trained(words: Sequence[str], tree: Path, outputs: Path) -> Path:
    """Train with the code in `tree`, and return the folder of the new run.

    The working directory is the current one, so that relative paths to data are still valid.

    Raises:
        BadInput: if the training ends before it has a record.
    """
    before = {folder for folder, _ in folders.iter_runs(outputs, archives=False)}
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONPATH": str(tree)}
    with subprocess.Popen([sys.executable, *words], env=environment) as training:
        exit_code = training.wait()
    problem = " before it had a record; see its output above"
    for folder in {folder for folder, _ in folders.iter_runs(outputs, archives=False)} - before:
        try:
            process = store.read(folder).process
        except Unreadable as error:
            problem = f": {error}"
            continue
        if process is not None and process.pid == training.pid:
            return folder
    raise BadInput(f"The training ended with exit code {exit_code}{problem}")


def _no_candidate(record: RunRecord, *, original: str) -> RunRecord:
    return replace(record, promotion=Promotion(candidate=False, reason=f"made again from {original}; promote that run"))
