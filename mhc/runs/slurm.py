"""The SLURM job of this process: whether it is preempted, and how it is requeued."""

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
"""Matches the output of `scontrol show job` from the notice of preemption on; before, the field is None or missing."""


def job_id() -> str | None:
    """Return the id of this process's job; None outside SLURM."""
    return os.environ.get("SLURM_JOB_ID")


def is_preempted(signum: signal.Signals) -> bool:
    """Return whether SLURM preempts this job for another one, so that it should be requeued.

    SIGUSR1 is sent for nothing else. SIGTERM may also mean `scancel` or the time limit of the job, and SLURM does not
    requeue a job that ends within its grace time, so the controller is queried.
    """
    job = job_id()
    if job is None or signum == signal.SIGUSR1:
        return job is not None
    try:
        state = _scontrol("show", "job", job)
    except (OSError, subprocess.SubprocessError) as problem:
        log.debug("SLURM did not report why job %s has to end: %s", job, problem)
        return False
    return "JobState=RUNNING" in state and "Requeue=1" in state and PREEMPTED.search(state) is not None


def requeue(run: LiveRun) -> None:
    """Requeue this job, which then finds its run by the id of the job and resumes it."""
    job = job_id() or ""
    try:
        _scontrol("requeue", job)
        run.event("requeued", f"SLURM job {job} is in the queue again")
    except (OSError, subprocess.SubprocessError, MhcError) as problem:
        log.error("SLURM job %s was not requeued: %s", job, problem)


def _scontrol(*arguments: str) -> str:
    process = subprocess.run(["scontrol", *arguments], check=True, capture_output=True, text=True, timeout=TIMEOUT)
    return process.stdout
