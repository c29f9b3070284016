"""How to reproduce a run, and whether that succeeded. Pure: nothing here touches a disk.

The command consists of the recorded overrides, so a job of a sweep is reproduced alone.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mhc import redaction
from mhc.errors import Refused
from mhc.facts import Metrics
from mhc.provenance.lineage import DIFF
from mhc.record import ChangedFile, Content, RunRecord

WITHOUT_EFFECT = ("paths.", "hydra.", "hydra/", "resume", "summary", "check_promotion", "auto_archive", "note")
"""Prefixes of overrides that change folders or output, never what is learned; they are left out."""
MISSING = {
    Content.NOT_CODE: "only the hashes of these changed files are recorded, because they may be data",
    Content.LEFT_OUT: "only the hashes of these changed files are recorded, because they are too large or binary",
    Content.UNTRACKED: "only the hashes of these untracked files are recorded",
}
"""The caveat for changed files without content."""
MAX_NAMES = 5
"""Names in a caveat."""
SCALARS = ("accuracy", "f1_macro", "loss", "ece")
BY_CLASS = ("f1", "precision", "recall")


class Recipe(NamedTuple):
    """The instructions to reproduce a run."""

    command: list[str]
    commit: str | None
    diff: Path | None
    """File with the uncommitted changes."""
    caveats: list[str]
    """Reasons why the results may differ."""


class Difference(NamedTuple):
    """A value that differs between a run and its repetition."""

    name: str
    before: str
    after: str


def recipe(record: RunRecord, folder: Path, diff: bytes | None) -> Recipe:
    """Return the recipe of a run; `diff` is the content of its git.diff.

    Raises:
        Refused: if it was imported from another tracker, or its overrides cannot be repeated.
    """
    lineage = record.lineage
    if lineage.imported_from:
        raise Refused(f"Run {record.id} was imported from another tracker; how to reproduce it is not recorded")
    if record.ensemble:
        runs = " ".join(member.run for member in record.ensemble)
        raise Refused(
            f"Run {record.id} is an ensemble. Reproduce its members, and average them: python -m mhc.ensemble {runs}"
        )
    words = [word for word in lineage.overrides if not word.lstrip("+~").startswith(WITHOUT_EFFECT)]
    if odd := next((word for word in words if word.startswith("-") or not word.isprintable()), None):
        raise Refused(f"The recorded override {odd[:80]!r} is not one that Hydra accepts; nothing is run")
    if not any(word.startswith("seed=") for word in words) and record.seed is not None:
        words.append(f"seed={record.seed}")
    has_changes = diff is not None and diff.lstrip().startswith(b"diff ")  # earlier ones may have comments alone
    changes = folder / DIFF if has_changes and lineage.git_diff == DIFF else None
    return Recipe(["python", "-m", "mhc.train", *words], lineage.git_commit, changes, list(_caveats(record, diff)))


def _caveats(record: RunRecord, diff: bytes | None) -> Iterator[str]:
    lineage = record.lineage
    if lineage.git_commit is None:
        yield "the commit is not recorded; the current code is used"
    if lineage.git_diff is not None and diff is None:
        yield "the uncommitted changes are no longer in the run's folder"
    yield from _caveats_of_changes(lineage.git_changes)
    yield from _caveats_of_masks(lineage.overrides, diff)
    if diff is not None and b"untracked, not in this diff:" in diff:
        yield "there were untracked files, which are not recorded"
    if diff is not None and b"\n# cut off here:" in diff:
        yield "the uncommitted changes were too large to be stored completely"
    if any(event.what == "resumed" for event in record.history):
        yield "the run was interrupted and resumed"


def _caveats_of_changes(changes: Sequence[ChangedFile]) -> Iterator[str]:
    """Yield what is not recorded of the uncommitted changes, with the first names."""
    for content, sentence in MISSING.items():
        names = [change.path for change in changes if change.content == content]
        if names:
            more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
            yield f"{sentence}: {', '.join(names[:MAX_NAMES])}{more}"


def _caveats_of_masks(overrides: Sequence[str], diff: bytes | None) -> Iterator[str]:
    for word in filter(redaction.is_masked, overrides):
        yield f"the value of {word.partition('=')[0].lstrip('+~')} was masked; give it again in the command"
    if diff is not None and redaction.MASK.encode() in diff:
        yield "credentials in the uncommitted changes are masked, so these may not apply"


def shell_lines(recipe: Recipe, tree: Path, repository: Path | None = None) -> list[str]:
    """Return the lines to type in a shell.

    Args:
        recipe: the recipe of the run.
        tree: the new folder for the recorded code.
        repository: the repository of the code, if the shell is not in it; `tree` must then be absolute.
    """
    command = shlex.join(recipe.command)
    if recipe.commit is None:
        return [command]
    place = ["-C", str(repository)] if repository else []
    lines = [shlex.join(["git", *place, "worktree", "add", "--detach", str(tree), recipe.commit])]
    if recipe.diff:
        changes = str(recipe.diff.absolute())
        lines.append(shlex.join(["git", "-C", str(tree), "apply", "--whitespace=nowarn", changes]))
    return [*lines, f"PYTHONSAFEPATH=1 PYTHONPATH={shlex.quote(str(tree))} {command}"]


def environment_differences(record: RunRecord, again: RunRecord) -> list[Difference]:
    """Return the differences in Python, packages and machine between a run and its repetition."""
    before, after = record.lineage, again.lineage
    names = sorted(before.packages.keys() | after.packages.keys())
    pairs = [(name, before.packages.get(name, "none"), after.packages.get(name, "none")) for name in names]
    pairs += [("python", before.python, after.python)]
    machine = sorted(before.hardware.keys() | after.hardware.keys())
    pairs += [(name, str(before.hardware.get(name, "none")), str(after.hardware.get(name, "none"))) for name in machine]
    return [Difference(*pair) for pair in pairs if pair[1] != pair[2]]


def differences(record: RunRecord, again: RunRecord, tolerance: float) -> list[Difference]:
    """Return the differences in status, config, data, and in every metric by more than `tolerance`."""
    result = [Difference("status", record.status.value, again.status.value)] if record.status != again.status else []
    if record.group and record.group != again.group:
        result.append(Difference("config", record.group, again.group))
    result += _data_differences(record, again)
    for split in ("val", "test"):
        before, after = getattr(record.metrics, split), getattr(again.metrics, split)
        result += _metric_differences(split, before or Metrics(), after or Metrics(), tolerance)
    return result


def count_comparable(record: RunRecord) -> int:
    """Return the number of recorded metrics that a repetition can be compared with."""
    splits = [split for split in (record.metrics.val, record.metrics.test) if split]
    return sum(getattr(split, name) is not None for split in splits for name in SCALARS)


def _data_differences(record: RunRecord, again: RunRecord) -> Iterator[Difference]:
    before = record.data.splits if record.data else {}
    after = again.data.splits if again.data else {}
    for name in sorted(before.keys() | after.keys()):
        old = before[name].fingerprint if name in before else "none"
        new = after[name].fingerprint if name in after else "none"
        if old != new:
            yield Difference(f"data.{name}", old[:16], new[:16])


def _metric_differences(split: str, before: Metrics, after: Metrics, tolerance: float) -> Iterator[Difference]:
    pairs = [(name, getattr(before, name), getattr(after, name)) for name in SCALARS]
    for kind in BY_CLASS:
        old, new = getattr(before, kind), getattr(after, kind)
        pairs += [(f"{kind}.{label}", old.get(label), new.get(label)) for label in sorted(old.keys() | new.keys())]
    for name, old, new in pairs:
        same = old == new if old is None or new is None else abs(old - new) <= tolerance
        if not same:
            yield Difference(f"{split}.{name}", _format(old), _format(new))


def _format(value: float | None) -> str:
    return "none" if value is None else f"{value:.6f}"
