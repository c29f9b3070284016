"""Every command that reads, in this process, on a copy of the recorded project in which one file is bad."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from mhc.cli.main import run as run_mhc
from mhc.runs import move_log
from mhc.timestamps import now

RECORDED = Path(__file__).resolve().parent.parent / "tests" / "recorded" / "project"
BAD, OTHER, THIRD = "bag_20261126_172310_dcd3", "encoder_20261126_172321_4076", "interrupted_20261126_172335_b240"
"""The run whose files are damaged, and two others."""
TIMEOUT = 60
"""Seconds after which a command counts as hanging."""
OK, REFUSED = 0, 1

ALWAYS: tuple[tuple[str, ...], ...] = (
    ("list",),
    ("list", "--json"),
    ("list", "--where", "f1_macro >= 0", "--sort", "duration"),
    ("summary",),
    ("search", "seed"),
    ("log",),
    ("watch", "--once"),
    ("details", OTHER),
    ("reproduce", OTHER),
    ("compare", OTHER, THIRD),
    ("export", "--format", "csv"),
    ("export", "--format", "jsonl"),
    ("candidates", "--all"),
    ("cleanup", "--dry-run", "--all"),
    ("archive", THIRD, "--dry-run"),
)
"""These show or do something with the other runs, so they succeed whatever the bad file holds."""
OF_THE_BAD: tuple[tuple[str, ...], ...] = (
    ("details", BAD),
    ("errors", BAD),
    ("errors", OTHER, "--json"),
    ("details", BAD, "--json"),
    ("compare", BAD, OTHER),
    ("reproduce", BAD),
    ("tensorboard", BAD, "--dry-run"),
    ("doctor",),
    ("history",),
    ("champion",),
    ("verify",),
    ("card", "bag_v1"),
    ("card", "encoder_v1"),
)
"""These may refuse, in a sentence: they are about the bad file, the ledger or the bundles."""


class Hang(BaseException):
    """A command took longer than `TIMEOUT`."""


class Answer(NamedTuple):
    """The exit code and what was printed; -1 for a hang."""

    code: int
    out: str
    err: str


def copy_project(to: Path) -> Path:
    """Copy the recorded project, with an events.jsonl and a heartbeat, which it does not have."""
    shutil.copytree(RECORDED, to)
    move_log.add(to / "outputs", run=THIRD, what="archived", by="ada", why="to archived", now=now())
    (to / "outputs" / BAD / "heartbeat").touch()
    return to


@contextlib.contextmanager
def alarm() -> Iterator[None]:
    """Raise `Hang` in the block after `TIMEOUT` seconds."""

    def ring(signum: int, frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(TIMEOUT)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def mhc(project: Path, *words: str) -> Answer:
    """Run one command line of `mhc` in this process."""
    places = ["--outputs", str(project / "outputs"), "--models", str(project / "models")]
    out, err = io.StringIO(), io.StringIO()
    try:
        with alarm(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run_mhc([*places, *words])
    except Hang:
        code = -1
    return Answer(code, out.getvalue(), err.getvalue())


def flaw_of(project: Path, others: set[str]) -> str:
    """Run every reading command; return the first that ends in a bug, hangs, or hides one of the runs `others`."""
    for words, codes in [*((words, (OK,)) for words in ALWAYS), *((words, (OK, REFUSED)) for words in OF_THE_BAD)]:
        answer = mhc(project, *words)
        if answer.code not in codes:
            last = answer.err.strip().replace("\n", " | ")[-400:]
            return f"{' '.join(words)} ended with {answer.code}: {last}"
        if answer.code == REFUSED and not (answer.out + answer.err).strip():
            return f"{' '.join(words)} ended with 1 and no sentence"
    return hidden_or_unnamed(project, others)


def hidden_or_unnamed(project: Path, others: set[str]) -> str:
    """Return which run `list` hides; the bad one may be missing if a warning names its folder."""
    answer = mhc(project, "list", "--json", "--limit", "0")
    shown = {Path(record["path"]).name for record in json.loads(answer.out)}
    if hidden := others - shown:
        return f"list does not show {', '.join(sorted(hidden))}"
    if BAD not in shown and BAD not in answer.err:
        return f"list neither shows nor names {BAD}: {answer.err[-300:]}"
    return ""
