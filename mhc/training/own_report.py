"""The report of a run in its own folder, written when the run is completed."""

from __future__ import annotations

import logging

from mhc import timestamps
from mhc.errors import sentence_of
from mhc.runs.live import LiveRun
from mhc.runs.own_folder import FolderMoved

log = logging.getLogger("mhc")


def write(run: LiveRun) -> None:
    """Write `report.html`, or log why not: `mhc report` writes the same later."""
    from mhc.analysis.run import write_report  # here, because only the end of a training needs it

    try:
        write_report(run.folder, run.record(), timestamps.now())
    except FolderMoved as problem:
        warn(run, problem.reason)
    except Exception as problem:  # housekeeping never fails a training
        warn(run, sentence_of(problem) or type(problem).__name__)


def warn(run: LiveRun, reason: str) -> None:
    """Log that the report is missing, and the command that writes it."""
    log.warning("The report was not written: %s. Write it with: mhc report %s", reason, run.folder.name)
