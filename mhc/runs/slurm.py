"""What SLURM says of the job that this process is part of, and how the job gets back into the queue."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
from typing import TYPE_CHECKING

from mhc.errors import MhcError

if TYPE_CHECKING:
    from mhc.runs.live import LiveRun

log = logging.getLogger("mhc.runs")

TIMEOUT = 60
"""Seconds that the controller of a busy cluster may take to answer."""
PREEMPTED = re.compile(r"\bPreemptTime=\d")
"""In `scontrol show job`, from the notice of preemption on; before it is None or missing."""


def job_id() -> str | None:
    """The id of this process's job; None outside of SLURM."""
    return os.environ.get("SLURM_JOB_ID")


def is_preempted(signum: signal.Signals) -> bool:
    """Tell whether SLURM needs this job's place for another one, so that it is to be queued again.

    SIGUSR1 says so by itself. SIGTERM may stand for `scancel` or for the end of the job's time as well, and a job that
    ends within its grace time is not queued again by SLURM, so the controller is asked.
    """
    name = job_id()
    if name is None or signum == signal.SIGUSR1:
        return name is not None
    try:
        told = _scontrol("show", "job", name)
    except (OSError, subprocess.SubprocessError) as problem:
        log.debug("SLURM did not say why job %s is to end: %s", name, problem)
        return False
    return "JobState=RUNNING" in told and "Requeue=1" in told and PREEMPTED.search(told) is not None


def requeue(run: LiveRun) -> None:
    """Put this job back into the queue, where it finds its run by the job's number and resumes it."""
    name = job_id() or ""
    try:
        _scontrol("requeue", name)
        run.event("requeued", f"SLURM job {name} is in the queue again")
    except (OSError, subprocess.SubprocessError, MhcError) as problem:
        log.error("SLURM job %s was not put back into the queue: %s", name, problem)


def _scontrol(*arguments: str) -> str:
    done = subprocess.run(["scontrol", *arguments], check=True, capture_output=True, text=True, timeout=TIMEOUT)
    return done.stdout
