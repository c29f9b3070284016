"""Run every command on a project in which one file is no regular file: `python scripts/special_probe.py PROJECT`.

A process of its own for `scripts/attacks/special_files.py`: a command that hangs within SQLite or torch cannot be
interrupted, only killed. Prints what went wrong, or nothing.
"""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mhc.errors import MhcError
from mhc.policy import load
from mhc.retention.cleanup import clean
from mhc.runs import checkpoints, evidence, folders
from mhc.timestamps import now
from scripts.reading_commands import BAD, OK, OTHER, REFUSED, THIRD, alarm, flaw_of, mhc

WRITING: tuple[tuple[str, ...], ...] = (
    ("pin", BAD),
    ("pin", OTHER),
    ("unpin", OTHER),
    ("archive", BAD),
    ("archive", THIRD),
    ("restore", THIRD),
    ("doctor", "--fix"),
    ("rebuild",),
    ("verify", "--fix"),
    ("rollback", "--by", "eve", "--reason", "an attack"),
)


def main(project: Path) -> str:
    """Return the first thing that goes wrong; a hang that cannot be interrupted is left to the caller's timeout."""
    others = {path.parent.name for path in (project / "outputs").rglob("run.json")} - {BAD}
    flaw = flaw_of(project, others) or flaw_of_fit_end(project)
    for words in () if flaw else WRITING:
        answer = mhc(project, *words)
        if answer.code not in (OK, REFUSED) or (answer.code == REFUSED and not answer.err.strip() + answer.out.strip()):
            return f"{' '.join(words)} ended with {answer.code}: {answer.err[-300:]}"
    return flaw


def flaw_of_fit_end(project: Path) -> str:
    """Do what the callbacks of another training do with the runs of the folder."""
    outputs, models = project / "outputs", project / "models"
    with alarm(), contextlib.redirect_stderr(io.StringIO()):
        clean(outputs, models, load(), now=now(), by="ArchiveDebugRuns", current=None)
        for folder, _ in folders.iter_runs(outputs):
            checkpoints.last_checkpoint(folder)
        with contextlib.suppress(MhcError):
            evidence.key(models)
    return ""


if __name__ == "__main__":
    print(main(Path(sys.argv[1])))
