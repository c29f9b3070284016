"""How to make a run again, and whether that worked. Pure: nothing here touches a disk.

The command is made of the overrides on record, so that a job of a sweep is made again alone.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mhc.errors import Refused
from mhc.facts import Metrics
from mhc.record import RunRecord
from mhc.runs.lineage import DIFF

WITHOUT_EFFECT = ("paths.", "hydra.", "hydra/", "resume", "summary", "check_promotion", "auto_archive", "note")
"""Overrides of these change where things lie or what is said, never what is learned; they are left out."""
SCALARS = ("accuracy", "f1_macro", "loss", "ece")
BY_CLASS = ("f1", "precision", "recall")


class Recipe(NamedTuple):
    """What it takes to make a run again."""

    words: list[str]
    """The command."""
    commit: str | None
    diff: Path | None
    """The changes to the commit that were not committed."""
    doubts: list[str]
    """What may come out otherwise, and why."""


class Difference(NamedTuple):
    """Something that did not come out as it was."""

    name: str
    before: str
    after: str


def recipe(record: RunRecord, folder: Path, diff: bytes | None) -> Recipe:
    """The recipe of a run of ours; `diff` is what its git.diff holds.

    Raises:
        Refused: it was taken over from another tracker, or its record has no overrides that can be repeated.
    """
    lineage = record.lineage
    if lineage.imported_from:
        raise Refused(f"Run {record.id} was taken over from another tracker; how to make it again is not on record.")
    words = [word for word in lineage.overrides if not word.lstrip("+~").startswith(WITHOUT_EFFECT)]
    if odd := next((word for word in words if word.startswith("-") or not word.isprintable()), None):
        raise Refused(f"The recorded override {odd[:80]!r} is none that Hydra takes; nothing is run.")
    if not any(word.startswith("seed=") for word in words) and record.seed is not None:
        words.append(f"seed={record.seed}")
    kept = folder / DIFF if diff is not None and lineage.git_diff == DIFF else None
    return Recipe(["python", "-m", "mhc.train", *words], lineage.git_commit, kept, list(_doubts(record, diff)))


def _doubts(record: RunRecord, diff: bytes | None) -> Iterator[str]:
    lineage = record.lineage
    if lineage.git_commit is None:
        yield "the commit is not on record; the code as it is now is used"
    if lineage.git_diff is not None and diff is None:
        yield "the changes that were not committed are not in the run's folder any more"
    if diff is not None and b"untracked, not in this diff:" in diff:
        yield "files that git did not know were there, and are not on record"
    if diff is not None and b"\n# cut off here:" in diff:
        yield "the changes that were not committed were too large to be kept whole"
    if any(event.what == "resumed" for event in record.history):
        yield "the run was interrupted and resumed"


def shell_lines(recipe: Recipe, tree: str) -> list[str]:
    """The lines to type in a shell, `tree` being where the code of then is put."""
    words = shlex.join(recipe.words)
    if recipe.commit is None:
        return [words]
    lines = [f"git worktree add --detach {tree} {recipe.commit}"]
    if recipe.diff:
        lines.append(f"git -C {tree} apply {shlex.quote(str(recipe.diff.absolute()))}")
    return [*lines, f"PYTHONSAFEPATH=1 PYTHONPATH={tree} {words}"]


def environment_differences(record: RunRecord, again: RunRecord) -> list[Difference]:
    """What was another when the run was made again: Python, packages, machine."""
    before, after = record.lineage, again.lineage
    names = sorted(before.packages.keys() | after.packages.keys())
    pairs = [(name, before.packages.get(name, "none"), after.packages.get(name, "none")) for name in names]
    pairs += [("python", before.python, after.python)]
    machine = sorted(before.hardware.keys() | after.hardware.keys())
    pairs += [(name, str(before.hardware.get(name, "none")), str(after.hardware.get(name, "none"))) for name in machine]
    return [Difference(*pair) for pair in pairs if pair[1] != pair[2]]


def differences(record: RunRecord, again: RunRecord, tolerance: float) -> list[Difference]:
    """Where a run and its repetition differ: status, config, data, and every metric by more than `tolerance`."""
    found = [Difference("status", record.status.value, again.status.value)] if record.status != again.status else []
    if record.group and record.group != again.group:
        found.append(Difference("config", record.group, again.group))
    found += _of_data(record, again)
    for split in ("val", "test"):
        before, after = getattr(record.metrics, split), getattr(again.metrics, split)
        found += _of_metrics(split, before or Metrics(), after or Metrics(), tolerance)
    return found


def count_comparable(record: RunRecord) -> int:
    """How many values on record a repetition can be compared with."""
    splits = [split for split in (record.metrics.val, record.metrics.test) if split]
    return sum(getattr(split, name) is not None for split in splits for name in SCALARS)


def _of_data(record: RunRecord, again: RunRecord) -> Iterator[Difference]:
    before = record.data.splits if record.data else {}
    after = again.data.splits if again.data else {}
    for name in sorted(before.keys() | after.keys()):
        was = before[name].fingerprint if name in before else "none"
        now = after[name].fingerprint if name in after else "none"
        if was != now:
            yield Difference(f"data.{name}", was[:16], now[:16])


def _of_metrics(split: str, before: Metrics, after: Metrics, tolerance: float) -> Iterator[Difference]:
    pairs = [(name, getattr(before, name), getattr(after, name)) for name in SCALARS]
    for kind in BY_CLASS:
        was, now = getattr(before, kind), getattr(after, kind)
        pairs += [(f"{kind}.{label}", was.get(label), now.get(label)) for label in sorted(was.keys() | now.keys())]
    for name, was, now in pairs:
        same = was == now if was is None or now is None else abs(was - now) <= tolerance
        if not same:
            yield Difference(f"{split}.{name}", _shown(was), _shown(now))


def _shown(value: float | None) -> str:
    return "none" if value is None else f"{value:.6f}"
