from __future__ import annotations

import zipfile
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from mhc.errors import NotFound
from mhc.record import Sweep
from mhc.runs import sweeps
from mhc.runs.checkpoints import last_checkpoint
from mhc.runs.liveness import this_process
from tests.support.builders import NOW, a_record, a_run, write_run

SWEEP = "grid_20261120_120000_00aa_sweep"


def a_job(outputs: Path, job: int, status: str, hours: int = 0, location: str = "active", **fields: object) -> Path:
    record = a_record(
        f"grid_20261120_12000{job}_{hours:04x}",
        status=status,
        created=NOW + timedelta(hours=hours),
        **fields,  # type: ignore[arg-type]
    )
    sweep = Sweep(id=SWEEP, job=job, overrides=[f"seed={job}"])
    return write_run(outputs, msgspec.structs.replace(record, sweep=sweep), location)


def test_completed_and_running_jobs_are_not_unfinished(tmp_path: Path) -> None:
    gone = msgspec.structs.replace(this_process(), pid=99_999_999)
    a_job(tmp_path, 0, "completed")
    failed = a_job(tmp_path, 1, "failed")
    killed = a_job(tmp_path, 2, "running", process=gone)
    a_job(tmp_path, 3, "running", process=this_process())
    assert sweeps.unfinished(tmp_path, SWEEP) == [
        sweeps.Job(1, ["seed=1"], failed),
        sweeps.Job(2, ["seed=2"], killed),
    ]


def test_job_that_never_started_is_unfinished(tmp_path: Path) -> None:
    a_job(tmp_path, 0, "completed")
    planned = [["seed=0"], ["seed=1"], ["seed=2"]]
    assert sweeps.unfinished(tmp_path, SWEEP, planned) == [
        sweeps.Job(1, ["seed=1"], None),
        sweeps.Job(2, ["seed=2"], None),
    ]


def test_job_completed_by_a_later_run_is_finished(tmp_path: Path) -> None:
    a_job(tmp_path, 0, "failed", hours=0)
    a_job(tmp_path, 0, "completed", hours=1)
    assert sweeps.unfinished(tmp_path, SWEEP) == []


def test_newest_run_of_a_job_is_resumed(tmp_path: Path) -> None:
    a_job(tmp_path, 0, "failed", hours=0)
    newest = a_job(tmp_path, 0, "interrupted", hours=1)
    assert [job.folder for job in sweeps.unfinished(tmp_path, SWEEP)] == [newest]


def test_failed_archived_job_starts_from_the_beginning(tmp_path: Path) -> None:
    a_job(tmp_path, 0, "failed", location="archive_baseline")
    assert sweeps.unfinished(tmp_path, SWEEP) == [sweeps.Job(0, ["seed=0"], None)]


def test_completed_archived_job_is_finished(tmp_path: Path) -> None:
    a_job(tmp_path, 0, "completed", location="archive_debug")
    assert sweeps.unfinished(tmp_path, SWEEP, [["seed=0"]]) == []


@pytest.mark.parametrize("id", ["other_20261120_120000_00bb_sweep", "..", "", "a/b"])
def test_error_for_a_missing_sweep_lists_the_latest(tmp_path: Path, id: str) -> None:
    a_job(tmp_path, 0, "completed")
    with pytest.raises(NotFound, match=f"The latest are: {SWEEP}"):
        sweeps.unfinished(tmp_path, id)


def test_requeued_slurm_job_finds_its_run(tmp_path: Path) -> None:
    mine = msgspec.structs.replace(this_process(), slurm_job_id="17")
    run = a_run(tmp_path, "a", status="interrupted", process=mine)
    a_run(tmp_path, "b", status="completed", process=mine)
    a_run(tmp_path, "c", status="interrupted", process=msgspec.structs.replace(mine, slurm_job_id="18"))
    assert sweeps.run_of_slurm_job(tmp_path, "17", restarts=1) == run
    assert sweeps.run_of_slurm_job(tmp_path, "17", restarts=0) is None, "a job that starts for the first time"
    assert sweeps.run_of_slurm_job(tmp_path, "19", restarts=1) is None


def test_requeued_sweep_in_one_allocation_finds_each_job(tmp_path: Path) -> None:
    mine = msgspec.structs.replace(this_process(), slurm_job_id="17")
    run = a_job(tmp_path, 1, "interrupted", process=mine)
    assert sweeps.run_of_slurm_job(tmp_path, "17", restarts=1, sweep_job=1) == run
    assert sweeps.run_of_slurm_job(tmp_path, "17", restarts=1, sweep_job=0) is None
    assert sweeps.run_of_slurm_job(tmp_path, "17", restarts=1) is None


def a_checkpoint(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"weights" * 100)
    return path


def test_last_checkpoint_is_preferred_to_the_best(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path) is None
    best = a_checkpoint(tmp_path / "checkpoints" / "best.ckpt")
    assert last_checkpoint(tmp_path) == best
    last = a_checkpoint(tmp_path / "checkpoints" / "last.ckpt")
    assert last_checkpoint(tmp_path) == last


def test_truncated_checkpoint_is_skipped(tmp_path: Path) -> None:
    best = a_checkpoint(tmp_path / "checkpoints" / "best.ckpt")
    last = a_checkpoint(tmp_path / "checkpoints" / "last.ckpt")
    content = last.read_bytes()
    for length in (0, 1, len(content) // 2, len(content) - 1):
        last.write_bytes(content[:length])
        assert last_checkpoint(tmp_path) == best
