"""What follows a completed training: the report in the folder of the run, and the closing page."""

from __future__ import annotations

import logging

from mhc import timestamps
from mhc.errors import Unreadable, sentence_of
from mhc.report import closing_page
from mhc.runs.live import LiveRun
from mhc.runs.own_folder import FolderMoved

log = logging.getLogger("mhc")


def write_report(run: LiveRun) -> None:
    """Write `report.html`, or log why not: `mhc report` writes the same later."""
    from mhc.analysis import run as analysis  # here, because only the end of a training needs it

    try:
        analysis.write_report(run.folder, run.record(), timestamps.now())
    except FolderMoved as problem:
        warn(run, problem.reason)
    except Exception as problem:  # housekeeping never fails a training
        warn(run, sentence_of(problem) or type(problem).__name__)


def warn(run: LiveRun, reason: str) -> None:
    """Log that the report is missing, and the command that writes it."""
    log.warning("The report was not written: %s. Write it with: mhc report %s", reason, run.folder.name)


def show_closing_page(run: LiveRun, *, gates: bool) -> None:
    """Print the closing page; one line instead if another process has archived the run since it completed."""
    try:
        record = run.record()
    except Unreadable:
        log.info("Run %s was moved since it completed. Show it with: mhc details %s", run.folder.name, run.folder.name)
        return
    closing_page.show(record, run.folder, gates=gates)
