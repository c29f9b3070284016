from __future__ import annotations

import time
from pathlib import Path

import pytest

from mhc import policy, timestamps
from mhc.errors import Unreadable
from mhc.record import Status
from mhc.retention import cleanup
from mhc.runs import folders, liveness, move_log, store
from tests.support.programs import Program

POLICY = policy.load()
PAUSE = 0.02
"""Seconds between two rounds of the loop, so that it does not take the processor from the jobs."""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_parallel_sweep_beside_a_loop_that_archives_and_reads(tmp_path: Path) -> None:
    outputs, models = tmp_path / "outputs", tmp_path / "models"
    words = [
        "--multirun", "sweep=parallel", "hydra.launcher.n_jobs=2", "model=micro", "trainer=cpu", "trainer.max_epochs=1",
        "data.rows=240", "seed=1,2,3,4,5,6,7,8", f"paths.outputs={outputs}", f"paths.models={models}",
        f"paths.cache={tmp_path / 'cache'}",
    ]  # fmt: skip
    with (
        (tmp_path / "log").open("wb") as log,
        Program("mhc.train", *words, stdout=log.fileno(), stderr=log.fileno()) as sweep,
    ):
        while sweep.poll() is None:
            cleanup.clean(outputs, models, POLICY, now=timestamps.now(), by="the loop", current=None)
            assert Status.LOST not in statuses(outputs)
            time.sleep(PAUSE)
    assert sweep.returncode == 0, (tmp_path / "log").read_text()[-4000:]
    records = [store.read(folder) for folder, _ in folders.iter_runs(outputs)]
    assert sorted(record.sweep.job for record in records if record.sweep) == list(range(8)), "none lost, none doubled"
    assert {record.status for record in records} == {Status.COMPLETED}
    assert len({record.group for record in records}) == 1, "they differ in the seed only"
    cleanup.clean(outputs, models, POLICY, now=timestamps.now(), by="the loop", current=None)
    moved = [entry.run for entry in move_log.read(outputs)]
    assert len(moved) == len(set(moved)) == 5, "three debug runs stay"


def statuses(outputs: Path) -> list[Status]:
    """Return the derived statuses; a run that is moved between listing and reading is skipped."""
    statuses = []
    for folder, _ in folders.iter_runs(outputs):
        try:
            statuses.append(liveness.with_derived_status(store.read(folder), folder, POLICY.liveness).status)
        except Unreadable:
            assert not folder.exists()
    return statuses
