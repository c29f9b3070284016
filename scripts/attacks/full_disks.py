"""Train, promote, archive and predict on disks that are full at every stage, or read-only.

Each ends in one sentence with the folder and what is free, not in a bug report; a training has failed on its record,
which is whole, and leaves no drafts; production is valid. Needs the right to mount a file system (root).
"""

from __future__ import annotations

import contextlib
import io
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from mhc.cli.main import run as run_mhc
from mhc.errors import MhcError
from mhc.production import verify
from mhc.record import Status
from mhc.runs import folders, store
from scripts import forks
from scripts.attacks.outcome import Outcome, outcome
from scripts.small_disks import PAGE, can_mount, disk, fill, train, used
from tests.support.builders import a_run
from tests.support.promotions import a_trained_run, make_world

LARGE = 200_000_000
SHARES = (0.03, 0.05, 0.08, 0.15, 0.25, 0.4, 0.55, 0.7, 0.85, 0.97)
"""Sizes of the disk, as a share of what a whole training occupies."""
QUICK_SHARES = (0.4,)
RUN = "strong_20261120_120000_a1b2"

Try = tuple[str, Callable[[], str]]


class Ended(NamedTuple):
    """The exit code of a command, and what it printed."""

    code: int | None
    text: str


def run(work: Path, *, quick: bool) -> list[Outcome]:
    """Try every disk with every command."""
    if not can_mount():
        return [Outcome(name="full disks", tried=0, skipped="no file system can be mounted here; it takes root")]
    forks.import_training()
    shares = QUICK_SHARES if quick else SHARES
    trainings = outcome("trainings on a full or read-only disk", training_tries(work / "training", shares))
    world = make_world(work / "world")
    a_trained_run(work / "outputs", work / "models", world, RUN)
    others = [
        outcome("promotions on a full or read-only disk", promotion_tries(work, shares if quick else shares[4:])),
        outcome("archive and restore on a full or read-only disk", archive_tries(work)),
        outcome("predictions on a full or read-only disk", prediction_tries(work, shares)),
    ]
    return [trainings, *others]


def flaw_of(ended: Ended, *words: str) -> str:
    """Return what is wrong with the end of a command: no sentence, a bug report, or a sentence without `words`."""
    if ended.code not in (0, 1):
        return f"exit {ended.code}: {ended.text.strip()[-300:]}"
    if "Traceback" in ended.text or "bug in mhc" in ended.text:
        return f"a traceback: {ended.text.strip()[-300:]}"
    last = (ended.text.strip().splitlines() or ["nothing is printed"])[-1]
    return f"the last line is {last!r}" if ended.code == 1 and not any(word in last for word in words) else ""


def training_tries(work: Path, shares: tuple[float, ...]) -> list[Try]:
    """Return the trainings: only outputs, or everything on the small disk."""
    whole = work / "whole"
    whole.mkdir(parents=True)
    if train({name: whole / name for name in ("outputs", "models", "cache")}, work / "log"):
        raise RuntimeError((work / "log").read_text())
    tries: list[Try] = []
    for share in shares:
        tries.append((f"{share:.0%}, outputs", partial(train_on, work, int(used(whole / "outputs") * share))))
        size = int(used(whole) * share)
        tries.append((f"{share:.0%}, all folders", partial(train_on, work, size, together=True)))
    tries.append(("read-only", partial(train_on, work, LARGE, read_only=True)))
    return [*tries, ("only the log of the terminal", partial(train_unheard, work))]


def train_unheard(work: Path) -> str:
    """Train with the output on a full disk and all folders elsewhere: the run is completed nevertheless."""
    places = {name: work / "unheard" / name for name in ("outputs", "models", "cache")}
    with disk(work / "disk", PAGE) as small:
        (small / "log").touch()
        fill(small)
        code = train(places, small / "log")
    return flaw_of_runs(places["outputs"], code) if code == 0 else f"exit {code} instead of 0"


def train_on(work: Path, size: int, *, together: bool = False, read_only: bool = False) -> str:
    """Train on a disk of that size, and return what is wrong afterwards."""
    with disk(work / "disk", size, read_only=read_only) as small:
        places = {name: (small if together else work) / name for name in ("models", "cache")}
        log = work / "log"
        ended = Ended(train(places | {"outputs": small / "outputs"}, log), log.read_text(errors="replace"))
        return flaw_of(ended, "free", "read-only") or flaw_of_runs(small / "outputs", ended.code)


def flaw_of_runs(outputs: Path, code: int | None) -> str:
    """Return what is wrong with the runs in `outputs`."""
    left = [*folders.iter_without_record(outputs)]
    if left:
        return f"{left[0].name} has no record"
    for folder, _ in folders.iter_runs(outputs):
        status = store.read(folder).status
        if status is not (Status.COMPLETED if code == 0 else Status.FAILED):
            return f"the record says {status.value} after exit {code}"
        drafts = [path.name for path in folder.rglob(".*") if path.name != ".hydra"]
        if drafts:
            return f"left: {', '.join(drafts)}"
    return ""


def promotion_tries(work: Path, shares: tuple[float, ...]) -> list[Try]:
    """Return the promotions into a models folder on a small disk."""
    with disk(work / "disk", LARGE) as large:
        ended = promote(work, large / "models")
        if ended.code:
            raise RuntimeError(ended.text)
        size = used(large)
    tries: list[Try] = [(f"{share:.0%}", partial(promote_on, work, int(size * share))) for share in shares]
    return [*tries, ("read-only", partial(promote_on, work, LARGE, read_only=True))]


def promote_on(work: Path, size: int, *, read_only: bool = False) -> str:
    """Promote on a disk of that size, and return what is wrong afterwards."""
    with disk(work / "disk", size, read_only=read_only) as small:
        ended = promote(work, small / "models")
        if ended.code == 0:
            return "it was promoted"
        return flaw_of(ended, "free", "read-only") or flaw_of_production(small / "models")


def promote(work: Path, models: Path) -> Ended:
    """Promote the run into `models`."""
    who = ("--by", "ada", "--reason", "a full disk", "--force")
    return command("--outputs", str(work / "outputs"), "--models", str(models), "promote", RUN, *who)


def flaw_of_production(models: Path) -> str:
    """Return what `mhc verify` finds."""
    try:
        report = verify.check(models)
    except MhcError as problem:
        return "" if not (models / "ledger.jsonl").exists() else str(problem)
    return "; ".join(report.wrong)


def archive_tries(work: Path) -> list[Try]:
    """Return archiving and restoring, each on a full disk and on a read-only one."""
    a_run(work / "archive" / "outputs", RUN)
    a_run(work / "restore" / "outputs", RUN)
    if command("--outputs", str(work / "restore" / "outputs"), "archive", RUN).code:
        raise RuntimeError("The run could not be archived")
    size = used(work / "restore") + 100_000
    return [
        (f"{verb}, {name}", partial(move_on, work, size, verb, deny))
        for verb in ("archive", "restore")
        for name, deny in (("full", fill), ("read-only", deny_writing))
    ]


def move_on(work: Path, size: int, verb: str, deny: Callable[[Path], object]) -> str:
    """Archive or restore a run on a disk without space, and return what is wrong: the run is whole, in one place."""
    with disk(work / "disk", size) as small:
        outputs = Path(shutil.copytree(work / verb / "outputs", small / "outputs"))
        deny(small)
        ended = command("--outputs", str(outputs), "--models", str(small / "none"), verb, RUN)
        runs = [folder.name for folder, _ in folders.iter_runs(outputs)]
        return flaw_of(ended, "free", "read-only") or ("" if runs == [RUN] else f"{verb} leaves the runs {runs}")


def deny_writing(place: Path) -> None:
    """Make the file system at `place` read-only."""
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)


def prediction_tries(work: Path, shares: tuple[float, ...]) -> list[Try]:
    """Return the predictions of tables, whose output is on a small disk."""
    texts = [row.partition(",")[0] for row in (work / "world" / "test.csv").read_text().splitlines()[1:]]
    (work / "posts.csv").write_text("\n".join(["text", *(texts * 40)]) + "\n")
    predict(work, work / "whole.csv")
    size = (work / "whole.csv").stat().st_size
    tries: list[Try] = []
    for share in shares[:6]:
        for suffix in ("csv", "jsonl", "parquet"):
            tries.append((f"{share:.0%}, {suffix}", partial(predict_on, work, int(size * share * 0.3), suffix)))
    return [*tries, ("read-only", partial(predict_on, work, LARGE, "csv", read_only=True))]


def predict_on(work: Path, size: int, suffix: str, *, read_only: bool = False) -> str:
    """Label a table into a disk of that size, and return what is wrong afterwards."""
    with disk(work / "disk", size, read_only=read_only) as small:
        ended = predict(work, small / f"labels.{suffix}")
        if ended.code == 0:
            return "" if (small / f"labels.{suffix}").exists() else "it ended well without a file"
        left = [path.name for path in small.iterdir()]
        return flaw_of(ended, "free", "read-only") or (f"left: {', '.join(left)}" if left else "")


def predict(work: Path, output: Path) -> Ended:
    """Run `python -m mhc.predict` in this process."""
    from mhc.predict import main
    from mhc.training.exit_codes import code_of

    words = [f"run={work / 'outputs' / RUN}", f"input={work / 'posts.csv'}", f"output={output}"]
    before, sys.argv = sys.argv, ["mhc.predict", *words]
    text = io.StringIO()
    try:
        with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
            return Ended(code_of(main), text.getvalue())
    finally:
        sys.argv = before


def command(*words: str) -> Ended:
    """Run `mhc` in this process."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        code = run_mhc(words)
    return Ended(code, text.getvalue())
