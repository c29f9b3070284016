"""The handle of the run that this process trains: every change of its record, from registration to outcome.

Only rank 0 writes; on the other ranks of a training no call changes the record.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec

from mhc import disk, distributed, timestamps
from mhc.errors import MhcError
from mhc.facts import DataFacts, Metrics, ModelFacts, Refit, Smoke, Timing
from mhc.record import Category, Checkpoint, EnsembleMember, Event, Lineage, Promotion, RunRecord, Status, Sweep
from mhc.runs import atomic, checkpoints, failure, heartbeat, own_folder, process_control, store
from mhc.runs.liveness import HEARTBEAT, this_process, with_derived_status
from mhc.terminal import quantity

if TYPE_CHECKING:
    from mhc.policy import LivenessPolicy, Policy

log = logging.getLogger("mhc.runs")
replace = msgspec.structs.replace

WRITER = "training"
"""The author of the training's own events in the history."""


def is_writer() -> bool:
    """Return whether this process is rank 0 of its training, or the only one."""
    return distributed.rank() == 0


class LiveRun:
    """The run in `folder`. It has no state: a run may have any number of handles.

    While the run is alive, a change of its record raises `FolderMoved` if the folder is not at its path any more.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).absolute()

    @classmethod
    def register(
        cls,
        folder: str | Path,
        *,
        name: str,
        description: str,
        tags: Sequence[str],
        note: str,
        seed: int | None,
        category_said: Category | None,
        sweep: Sweep | None,
        group: str,
        lineage: Lineage,
        liveness: LivenessPolicy,
        now: datetime,
        refit: Refit | None = None,
        ensemble: Sequence[EnsembleMember] = (),
    ) -> Self:
        """Record the run of this process as running, in its claimed folder, and start its heartbeat.

        Raises:
            Conflict: if the folder contains a record.
            NotFound: if the folder does not exist.
            BadInput: if the record cannot be written.
        """
        run = cls(folder)
        if is_writer():
            at = timestamps.format_time(now)
            record = RunRecord(
                id=run.folder.name, name=name, description=description, tags=list(tags), note=note, seed=seed,
                category_said=category_said, sweep=sweep, group=group, lineage=lineage, created_at=at, started_at=at,
                status=Status.RUNNING, process=this_process(), refit=refit, ensemble=list(ensemble),
                history=[Event(at=at, what="registered", by=WRITER)],
            )  # fmt: skip
            store.create_reserved(run.folder, record)
            run._start_heartbeat(liveness.heartbeat)
            log.info("Run %s registered", record.id)
        return run

    @classmethod
    def resume(cls, folder: str | Path, policy: LivenessPolicy | None = None) -> Self:
        """Resume a run that ended without completing: it has the same id and is running again, in this process.

        Raises:
            Conflict: if it is still alive, or another process resumes it at the same time.
            Refused: if it is completed, imported from another tracker, or archived.
            Unreadable: if its record cannot be read.
            NotFound: if its folder does not exist.
            BadInput: if its record cannot be written.
        """
        run = cls(folder)
        if not is_writer():
            return run
        rules = policy or _liveness()
        before = store.read(run.folder)
        process_control.must_be_resumable(with_derived_status(before, run.folder, rules), run.folder)
        last = checkpoints.last_checkpoint(run.folder)
        why = f"from {last.relative_to(run.folder)}" if last else "from the beginning, there is no checkpoint yet"
        now = timestamps.format_time(timestamps.now())
        atomic.reserve(run.folder)
        store.update(
            run.folder,
            lambda old: replace(
                old, status=Status.RUNNING, status_reason="", ended_at=None, failure=None, process=this_process()
            ),
            Event(at=now, what="resumed", by=WRITER, why=f"{why}; it was {before.status.value}"),
            expect_revision=before.revision,
        )
        run._start_heartbeat(rules.heartbeat)
        log.info("Run %s resumed %s", before.id, why)
        return run

    def _start_heartbeat(self, interval: float) -> None:
        try:
            own_folder.hold(self.folder)
            heartbeat.start(self.folder, interval, self.restore_running)
        except OSError as problem:
            raise atomic.unwritable(self.folder / HEARTBEAT, problem) from problem

    def record(self) -> RunRecord:
        """Return the record as it is on disk.

        Raises:
            Unreadable: if it cannot be read.
        """
        return store.read(self.folder)

    def note_start(self, *, smoke: Smoke, data: DataFacts | None, model: ModelFacts | None, world_size: int) -> None:
        """Record the model, the data and the number of processes: one write for all that is known before fit."""

        def with_start(old: RunRecord) -> RunRecord:
            process = old.process and replace(old.process, world_size=world_size)
            return replace(old, smoke=smoke, data=data or old.data, model=model or old.model, process=process)

        what = f"{model.name if model else 'a model'} on {data.name if data else 'its data'}"
        self._change(with_start, "started", f"{what}, {quantity(world_size, 'process')}")

    def note_metrics(self, split: str, metrics: Metrics, timing: Timing | None = None) -> None:
        """Record the final metrics of `split`, val or test; a value that is not finite is recorded as unknown."""
        measured = finite(metrics)
        self._change(
            lambda old: with_timing(replace(old, metrics=replace(old.metrics, **{split: measured})), timing),
            f"{split} measured",
            f"accuracy {_format(measured.accuracy)}, macro-F1 {_format(measured.f1_macro)}",
        )

    def note_timing(self, timing: Timing) -> None:
        """Record the values of `timing`; those that are None are not changed."""
        self._change(lambda old: with_timing(old, timing))

    def note_checkpoint(
        self, path: Path, *, monitor: str | None = None, score: float | None = None, timing: Timing | None = None
    ) -> None:
        """Record the best checkpoint, a file in the run's folder, with its SHA-256."""
        checkpoint = Checkpoint(
            path=path.absolute().relative_to(self.folder).as_posix(),
            sha256=checkpoints.sha256(path),
            bytes=path.stat().st_size,
            monitor=monitor,
            score=score if score is not None and math.isfinite(score) else None,
        )
        self._change(lambda old: with_timing(replace(old, checkpoint=checkpoint), timing))

    def note_promotion(self, promotion: Promotion) -> None:
        """Record whether the run is a candidate, with the verdict of every gate."""
        what = "flagged as candidate" if promotion.candidate else "not a candidate"
        self._change(lambda old: replace(old, promotion=promotion), what, promotion.reason, by="FlagForPromotion")

    def classify(self, policy: Policy) -> None:
        """Derive the category from the recorded facts, and record it if it or its reason has changed."""
        from mhc.runs.classification import reclassify

        before = self.record()
        after = reclassify(before, policy.classification)
        if (before.category, before.category_reason) != (after.category, after.category_reason):
            self._change(
                lambda old: reclassify(old, policy.classification),
                "classified",
                f"{after.category}: {after.category_reason}",
                by="ClassifyRun",
            )

    def event(self, what: str, why: str = "", by: str = WRITER) -> None:
        """Add one line to the history."""
        self._change(lambda old: old, what, why, by)

    def complete(self) -> None:
        """Record that the training has completed, and stop the heartbeat."""
        self._end(lambda old: replace(old, status=Status.COMPLETED, status_reason=""), "completed", "")

    def interrupt(self, reason: str) -> None:
        """Record that the training was interrupted, and by what, and stop the heartbeat."""
        self._end(lambda old: replace(old, status=Status.INTERRUPTED, status_reason=reason), "interrupted", reason)

    def fail(self, error: BaseException) -> None:
        """Record that the training failed, why and where, with the traceback in a file, and stop the heartbeat."""
        details = failure.describe(error)
        try:
            if not disk.is_full(error):  # the space that is left is for the record
                path = (own_folder.place_of(self.folder) or self.folder) / failure.TRACEBACK
                atomic.write(path, failure.format_traceback(error).encode("utf-8", "replace"))
                details = replace(details, traceback=failure.TRACEBACK)
        except MhcError as problem:
            log.warning("The traceback was not written: %s", problem)
        reason = f"{details.type}: {details.sentence}"
        self._end(
            lambda old: replace(old, status=Status.FAILED, status_reason=reason, failure=details),
            "failed",
            f"{reason} ({details.where})" if details.where else reason,
        )

    def restore_running(self) -> None:
        """Record that the run is running if another process has recorded it as lost."""
        if is_writer() and self._is_mine(record := self.record()) and record.status is Status.LOST:
            self._change(lambda old: old)

    def _is_mine(self, record: RunRecord) -> bool:
        mine, owner = this_process(), record.process
        return owner is not None and (owner.host, owner.pid, owner.boot_id) == (mine.host, mine.pid, mine.boot_id)

    def _end(self, change: Callable[[RunRecord], RunRecord], what: str, why: str) -> None:
        """Record the outcome once, at the folder's present place: a run that has ended is not changed again."""
        if not is_writer():
            return
        heartbeat.stop(self.folder)
        place = own_folder.place_of(self.folder)
        if place is None:
            raise own_folder.FolderMoved(self.folder, None)
        own_folder.release(self.folder)
        self.folder = place
        if self.record().status in (Status.RUNNING, Status.LOST):
            now = timestamps.format_time(timestamps.now())
            self._change(lambda old: replace(change(old), ended_at=now), what, why, last=True)
        atomic.release(place)

    def _change(
        self,
        change: Callable[[RunRecord], RunRecord],
        what: str | None = None,
        why: str = "",
        by: str = WRITER,
        *,
        last: bool = False,
    ) -> None:
        if not is_writer():
            return
        own_folder.check(self.folder)
        now = timestamps.format_time(timestamps.now())
        event = Event(at=now, what=what, by=by, why=why) if what else None
        store.update(self.folder, lambda old: change(self._as_running(old, now)), event, durable=last, reserved=last)
        if event:
            log.info("Run %s %s%s", self.folder.name, event.what, f": {why}" if why else "")

    def _as_running(self, record: RunRecord, now: str) -> RunRecord:
        """Return the record, as running if another process has recorded this live process as lost."""
        if record.status is not Status.LOST or not self._is_mine(record):
            return record
        back = Event(at=now, what="came back", by=WRITER, why=f"it was presumed lost: {record.status_reason}")
        log.warning("Run %s was presumed lost, but is alive: %s", record.id, record.status_reason)
        return replace(record, status=Status.RUNNING, status_reason="", history=[*record.history, back])


def with_timing(record: RunRecord, timing: Timing | None) -> RunRecord:
    """Return `record` with those values of `timing` that are not None."""
    values = {key: value for key, value in msgspec.structs.asdict(timing or Timing()).items() if value is not None}
    return replace(record, timing=replace(record.timing, **values))


def finite(metrics: Metrics) -> Metrics:
    """Return `metrics` without the values that are not finite, which JSON cannot express."""
    values: dict[str, float | dict[str, float] | None] = {}
    for key, value in msgspec.structs.asdict(metrics).items():
        if isinstance(value, dict):
            values[key] = {label: number for label, number in value.items() if math.isfinite(number)}
        else:
            values[key] = value if value is not None and math.isfinite(value) else None
    return msgspec.convert(values, Metrics)


def _format(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f}"


def _liveness() -> LivenessPolicy:
    from mhc import policy

    return policy.load().liveness
