"""Make a run again: the code of then in a git worktree, the recorded command, and the comparison of what came out."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from mhc import timestamps
from mhc.errors import BadInput, NotFound, Unreadable
from mhc.record import Event, RunRecord
from mhc.runs import folders, store
from mhc.runs.lineage import DIFF
from mhc.runs.recipe import Difference, Recipe, differences, environment_differences, recipe

GIT_TIMEOUT = 300.0
"""Seconds that git may take to lay out the code of then."""


class Outcome(NamedTuple):
    """What came out."""

    folder: Path
    """The new run."""
    again: RunRecord
    differences: list[Difference]
    environment_differences: list[Difference]


def recipe_of(folder: Path) -> Recipe:
    """The recipe of the run in `folder`.

    Raises:
        Unreadable: its record cannot be read.
        Refused: it cannot be made again.
    """
    path = folder / DIFF
    inside = path.is_file() and not path.is_symlink()
    return recipe(store.read(folder), folder, path.read_bytes() if inside else None)


def reproduce(folder: Path, outputs: Path, code: Path, *, tolerance: float, now: datetime) -> Outcome:
    """Make the run again in `outputs`, and compare.

    Args:
        folder: The run.
        outputs: Where the new run will lie.
        code: A folder of the git repository that holds the code.
        tolerance: By how much a metric may differ.
        now: The time that the new run's history gives for the comparison.

    Raises:
        NotFound: git, or the commit, is not there.
        BadInput: the changes do not apply, or the training does not get as far as a record.
    """
    record, made_of = store.read(folder), recipe_of(folder)
    with _tree(made_of, code) as tree, TemporaryDirectory(prefix=folders.REPRODUCING, dir=outputs) as place:
        ended = _train(made_of.words, tree, Path(place))
        new = _moved(Path(place), outputs, ended)
    again = store.read(new)
    unlike = differences(record, again, tolerance)
    verdict = f"differs in {', '.join(one.name for one in unlike)[:500]}" if unlike else "reproduced"
    again = store.update(new, lambda old: old, Event(at=timestamps.format_time(now), what="compared", by="reproduce",
                                                     why=f"made again from {record.id}: {verdict}"))  # fmt: skip
    return Outcome(new, again, unlike, environment_differences(record, again))


@contextmanager
def _tree(made_of: Recipe, code: Path) -> Iterator[Path]:
    """The code of then; without a commit on record the code as it is now."""
    if made_of.commit is None:
        yield code
        return
    with TemporaryDirectory(prefix="mhc-reproduce-") as parent:
        tree = Path(parent) / "code"
        _git(code, "worktree", "add", "--detach", str(tree), made_of.commit)
        try:
            if made_of.diff and made_of.diff.read_bytes().lstrip().startswith(b"diff "):
                _git(tree, "apply", "--whitespace=nowarn", str(made_of.diff.absolute()))
            yield tree
        finally:
            with suppress(BadInput, NotFound):
                _git(code, "worktree", "remove", "--force", str(tree))


def _git(tree: Path, *arguments: str) -> None:
    command = ["git", "-c", "core.hooksPath=/dev/null", "-C", str(tree), *arguments]
    try:
        subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=GIT_TIMEOUT, check=True)
    except FileNotFoundError:
        raise NotFound("git is not installed, and the code of then cannot be had without it.") from None
    except subprocess.TimeoutExpired:
        raise BadInput(f"git {arguments[0]} took more than {GIT_TIMEOUT:.0f} s and was given up.") from None
    except subprocess.CalledProcessError as problem:
        said = problem.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise BadInput(
            f"git {arguments[0]} failed: {' '.join(said)}. Try the lines that `mhc reproduce` prints."
        ) from None


def _train(words: Sequence[str], tree: Path, outputs: Path) -> int:
    """Train with the code in `tree`, from the working directory, so that relative paths to data mean what they did."""
    command = [sys.executable, *words[1:], f"paths.outputs={outputs.absolute()}", "auto_archive=false"]
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONPATH": str(tree)}
    return subprocess.call(command, env=environment)


def _moved(place: Path, outputs: Path, ended: int) -> Path:
    """Bring the new run to the others."""
    made = [folder for folder, _ in folders.iter_runs(place)]
    if len(made) != 1:
        raise BadInput(f"The training ended with exit code {ended} before it made a record; see what it said above.")
    try:
        store.read(made[0])
    except Unreadable as problem:
        raise BadInput(f"The training ended with exit code {ended}: {problem}") from None
    return made[0].rename(outputs / made[0].name)
