"""The runs of a sweep and of a SLURM job: those that exist, and the jobs that are not finished."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from mhc import policy
from mhc.errors import NotFound, Unreadable
from mhc.policy import LivenessPolicy
from mhc.record import ARCHIVES, RECORD_FILE, Location, RunRecord, Status
from mhc.runs import folders, liveness, store


class Job(NamedTuple):
    """One job of a sweep that did not complete."""

    number: int
    overrides: list[str]
    folder: Path | None
    """The folder of its run; None if it has not started one."""


def members(outputs: Path, sweep_id: str) -> list[tuple[Path, RunRecord]]:
    """Return the readable runs of the sweep, also archived ones, by job and then by age.

    Raises:
        NotFound: if there is no such sweep in `outputs`.
    """
    places = [outputs / sweep_id, *(outputs / archive / sweep_id for archive in ARCHIVES)]
    if sweep_id in ("", ".", "..") or "/" in sweep_id or not any(place.is_dir() for place in places):
        names = sorted(path.name for path in outputs.glob("*_sweep"))[-5:]
        latest = f"The latest are: {', '.join(names)}" if names else "It contains no sweep"
        raise NotFound(f"No sweep {sweep_id!r} in {outputs}. {latest}")
    runs = [(folder, record) for place in places for folder, record in _readable(place) if record.sweep is not None]
    return sorted(runs, key=lambda run: (run[1].sweep.job if run[1].sweep else -1, run[1].created_at))


def _readable(sweep: Path) -> Iterable[tuple[Path, RunRecord]]:
    for path in sweep.glob(f"*/{RECORD_FILE}") if sweep.is_dir() else ():
        try:
            yield path.parent, store.read(path.parent)
        except Unreadable:
            continue


def unfinished(
    outputs: Path, sweep_id: str, planned: Sequence[Sequence[str]] = (), rules: LivenessPolicy | None = None
) -> list[Job]:
    """Return the jobs of the sweep that have not completed and are not running now, by number.

    `planned` are the overrides of all jobs, in order, so that jobs that have not started are returned too. If a job has
    several runs, the newest counts; a job whose run failed and is imported or archived starts again from the beginning.

    Raises:
        NotFound: if there is no such sweep in `outputs`.
    """
    newest: dict[int, Job] = {}
    done: set[int] = set()
    for folder, record in members(outputs, sweep_id):
        if record.sweep is None:
            continue
        number = record.sweep.job
        if record.status is Status.COMPLETED or _is_running(record, folder, rules):
            done.add(number)
        active = folders.location_in(folder, outputs) is Location.ACTIVE
        newest[number] = Job(number, record.sweep.overrides, folder if active else None)
    not_started = {number: Job(number, list(overrides), None) for number, overrides in enumerate(planned)}
    return [job for number, job in sorted((not_started | newest).items()) if number not in done]


def _is_running(record: RunRecord, folder: Path, rules: LivenessPolicy | None) -> bool:
    if record.status is not Status.RUNNING:
        return False
    return liveness.with_derived_status(record, folder, rules or policy.load().liveness).status is Status.RUNNING


def run_of_slurm_job(outputs: Path, job_id: str, restarts: int, sweep_job: int | None = None) -> Path | None:
    """Return the folder of the run that an earlier start of the SLURM job did not complete; None if there is none.

    `restarts` is SLURM_RESTART_COUNT: 0 means that the job starts for the first time, so there is no such run. A job
    that trains several runs in a row (a sweep within one allocation) names one of them by `sweep_job`.
    """
    if restarts <= 0:
        return None
    runs = [
        (record.created_at, folder)
        for folder, location in folders.iter_runs(outputs)
        if location is Location.ACTIVE and (record := _record(folder)) and _belongs_to(record, job_id, sweep_job)
    ]
    return max(runs)[1] if runs else None


def _record(folder: Path) -> RunRecord | None:
    try:
        return store.read(folder)
    except Unreadable:
        return None


def _belongs_to(record: RunRecord, job_id: str, sweep_job: int | None) -> bool:
    job = record.sweep.job if record.sweep else None
    of_job = record.process is not None and record.process.slurm_job_id == job_id
    return of_job and job == sweep_job and record.status is not Status.COMPLETED
