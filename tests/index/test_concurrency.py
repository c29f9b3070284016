"""Eight processes that claim, register, finish, archive and read the same runs at once, started by a barrier."""

from __future__ import annotations

import multiprocessing
import os
from datetime import timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path

import msgspec

from mhc import policy, timestamps
from mhc.errors import Unreadable
from mhc.record import Lineage, Status
from mhc.retention import cleanup
from mhc.runs import folders, liveness, move_log, store
from mhc.runs.live import LiveRun
from mhc.runs.outcome import recording
from tests.support.builders import NOW, a_run

POLICY = policy.load()
FORK = multiprocessing.get_context("fork")
EACH = 12


def train(outputs: Path, barrier: Barrier, number: int) -> None:
    """Start and finish runs of one name in the same seconds, as the jobs of two sweeps would."""
    barrier.wait()
    for turn in range(EACH):
        folder = folders.claim(outputs / "grid_20261120_120000_00aa_sweep", "debug", timestamps.now())
        run = LiveRun.register(
            folder, name="debug", description="", tags=[], note="", seed=number, category_said=None, sweep=None,
            group="", lineage=Lineage(), liveness=POLICY.liveness, now=timestamps.now(),
        )  # fmt: skip
        with recording(run):
            run.classify(POLICY)
            run.event("noted", str(turn))


def clean(outputs: Path, barrier: Barrier) -> None:
    barrier.wait()
    for _ in range(EACH * 2):
        cleanup.clean(outputs, outputs / "models", POLICY, now=timestamps.now(), by="cleaner", current=None)


def read(outputs: Path, barrier: Barrier) -> None:
    """Check that a listed record can be read, unless it was moved meanwhile."""
    barrier.wait()
    for _ in range(EACH * 4):
        for folder, _ in folders.iter_runs(outputs):
            try:
                shown = liveness.with_derived_status(store.read(folder), folder, POLICY.liveness)
            except Unreadable:
                assert not folder.exists()
                continue
            assert shown.status is not Status.LOST, shown.status_reason


def run_at_once(*jobs: tuple[object, ...]) -> list[int | None]:
    processes = [FORK.Process(target=job, args=args) for job, *args in jobs]  # type: ignore[arg-type]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


def test_eight_processes_start_finish_archive_and_read(tmp_path: Path) -> None:
    barrier = FORK.Barrier(8)
    writers = [(train, tmp_path, barrier, number) for number in range(4)]
    others = [(clean, tmp_path, barrier)] * 2 + [(read, tmp_path, barrier)] * 2
    assert run_at_once(*writers, *others) == [0] * 8
    records = [store.read(folder) for folder, _ in folders.iter_runs(tmp_path)]
    assert len(records) == len({record.id for record in records}) == 4 * EACH, "no run is lost or duplicated"
    for record in records:
        assert record.status is Status.COMPLETED
        assert [event.what for event in record.history] == ["registered", "classified", "noted", "completed"]
        assert record.revision == 3
    moved = [entry.run for entry in move_log.read(tmp_path)]
    archived = [folder for folder, _ in folders.iter_runs(tmp_path) if "archive_debug" in str(folder)]
    assert len(moved) == len(set(moved)) == len(archived)


def add_notes(folder: Path, barrier: Barrier) -> None:
    barrier.wait()
    for _ in range(25):
        store.update(folder, lambda record: msgspec.structs.replace(record, note=record.note + "x"))


def test_changes_by_eight_writers_are_all_stored(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    barrier = FORK.Barrier(8)
    assert run_at_once(*[(add_notes, run, barrier)] * 8) == [0] * 8
    assert store.read(run).note == "x" * 200
    assert store.read(run).revision == 200


def claim(parent: Path, barrier: Barrier) -> None:
    barrier.wait()
    for _ in range(50):
        (folders.claim(parent, "a", NOW) / f"{os.getpid()}").touch(exist_ok=False)


def test_runs_claimed_in_one_second_share_no_folder(tmp_path: Path) -> None:
    barrier = FORK.Barrier(8)
    assert run_at_once(*[(claim, tmp_path, barrier)] * 8) == [0] * 8
    runs = list(tmp_path.iterdir())
    assert len(runs) == 400
    assert all(len(list(folder.iterdir())) == 1 for folder in runs)


def clean_once(outputs: Path, barrier: Barrier) -> None:
    barrier.wait()
    cleanup.clean(outputs, outputs / "models", POLICY, now=NOW, by=f"cleaner {os.getpid()}", current=None)


def test_four_cleaners_archive_each_run_once(tmp_path: Path) -> None:
    for number in range(40):
        a_run(tmp_path, f"d_20261101_0000{number:02d}_0000", category="debug", created=NOW - timedelta(hours=number))
    barrier = FORK.Barrier(4)
    assert run_at_once(*[(clean_once, tmp_path, barrier)] * 4) == [0] * 4
    moved = [entry.run for entry in move_log.read(tmp_path)]
    assert len(moved) == len(set(moved)) == 37
    assert len(list(folders.iter_runs(tmp_path))) == 40
