"""Live runs beside the killed ones, to check that readers never report a live run as lost."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import NamedTuple, Self

import msgspec

from mhc import policy, timestamps
from mhc.record import Lineage, Status
from mhc.runs import folders, liveness, store
from mhc.runs.live import LiveRun
from mhc.runs.outcome import recording


class LiveProcess(NamedTuple):
    """One process with its own run; closing `go` lets it complete."""

    pid: int
    folder: Path
    go: int


class LiveRuns:
    """`count` processes, each with a registered run and a heartbeat; the first `suspended` of them are stopped."""

    def __init__(self, outputs: Path, count: int, suspended: int) -> None:
        self.rules = policy.LivenessPolicy(heartbeat=1.0, timeout=300.0)
        self.lives = [self._start(outputs, number) for number in range(count)]
        self.suspended = self.lives[:suspended]
        for life in self.suspended:
            os.kill(life.pid, signal.SIGSTOP)

    def _start(self, outputs: Path, number: int) -> LiveProcess:
        folder = folders.claim(outputs, f"alive_{number}", timestamps.now())
        wait, go = os.pipe()
        registered, report = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(go)
            self._live(folder, wait, report)
        os.close(wait)
        os.read(registered, 1)
        os.close(registered)
        os.close(report)
        return LiveProcess(pid, folder, go)

    def _live(self, folder: Path, wait: int, report: int) -> None:
        """Run as a live run until the other end of `wait` is closed, then exit the process."""
        code = 3
        try:
            run = LiveRun.register(
                folder, name="alive", description="", tags=[], note="", seed=None, category_said=None, sweep=None,
                group="", lineage=Lineage(), liveness=self.rules, now=timestamps.now(),
            )  # fmt: skip
            with recording(run):
                os.write(report, b"x")
                os.read(wait, 1)
            code = 0
        finally:
            os._exit(code)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def fault(self) -> str:
        """Return which run a reader reports as dead, on this host or (by its heartbeat) on another; else ""."""
        for life in self.lives:
            record = store.read(life.folder)
            shown = liveness.with_derived_status(record, life.folder, self.rules)
            if shown.status is not Status.RUNNING:
                return f"live run {life.folder.name} was declared {shown.status.value}: {shown.status_reason}"
            if life not in self.suspended and record.process:
                away = msgspec.structs.replace(record.process, host="another-host")
                sign = liveness.check(msgspec.structs.replace(record, process=away), life.folder, self.rules)
                if sign.alive is not True:
                    return f"live run {life.folder.name} was declared dead from another host: {sign.reason}"
        return ""

    def end(self) -> str:
        """Let all runs complete and return which of them did not, else ""."""
        lives, self.lives = self.lives, []
        for life in lives:
            os.close(life.go)
            os.kill(life.pid, signal.SIGCONT)
        for life in lives:
            os.waitpid(life.pid, 0)
        wrong = [life.folder.name for life in lives if store.read(life.folder).status is not Status.COMPLETED]
        return f"live runs that did not complete: {', '.join(wrong)}" if wrong else ""
