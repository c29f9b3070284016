"""Named points at which a training can be killed: a child of the driver stops there and reports it.

Only the driver installs these stops, in its own children; the product has no code for them.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from mhc.record import RECORD_FILE

READY = b"at the point"


class Point(NamedTuple):
    """The `nth` call of `owner`.`name` (a dotted path), and the statuses that the record may have afterwards.

    The status `none` means a folder without a record, or no folder.
    """

    owner: str
    name: str
    nth: int
    after_kill: frozenset[str]
    """Statuses after SIGKILL."""
    after_request: frozenset[str]
    """Statuses after SIGTERM and SIGINT."""
    file: str = ""
    """If given, only calls count whose first argument is the path of a file with this in its name."""


NO_RECORD = frozenset({"none"})
LOST = frozenset({"lost"})
INTERRUPTED = frozenset({"interrupted"})
COMPLETED = frozenset({"completed"})

_WRITES = "mhc.runs.atomic"

POINTS = {
    "claim": Point("mhc.training.job", "register_run", 1, NO_RECORD, INTERRUPTED),
    "first record": Point(_WRITES, "_write_and_sync", 1, NO_RECORD, INTERRUPTED, RECORD_FILE),
    "data": Point("mhc.data.datamodule.TextDataModule", "prepare", 1, LOST, INTERRUPTED),
    "model": Point("mhc.model.build", "classifier", 1, LOST, INTERRUPTED),
    "set-up": Point("callbacks.register_run.RegisterRun", "setup", 1, LOST, INTERRUPTED),
    "fit, first step": Point("mhc.model.classifier.TextClassifier", "training_step", 1, LOST, INTERRUPTED),
    "fit, third step": Point("mhc.model.classifier.TextClassifier", "training_step", 3, LOST, INTERRUPTED),
    "validation": Point("mhc.model.classifier.TextClassifier", "validation_step", 1, LOST, INTERRUPTED),
    "checkpointing": Point("pytorch_lightning.Trainer", "save_checkpoint", 1, LOST, INTERRUPTED),
    "archiving": Point("mhc.retention.cleanup", "active_runs", 1, LOST, INTERRUPTED),
    "last validation": Point("mhc.model.classifier.TextClassifier", "on_validation_epoch_end", 3, LOST, INTERRUPTED),
    "test": Point("mhc.model.classifier.TextClassifier", "test_step", 1, LOST, INTERRUPTED),
    "evidence": Point("mhc.runs.evidence", "write", 2, LOST, INTERRUPTED),
    "record writing": Point(_WRITES, "_write_and_sync", 3, LOST, INTERRUPTED, RECORD_FILE),
    "temporary file not yet renamed": Point(_WRITES, "sync", 4, LOST, INTERRUPTED, RECORD_FILE),
    "outcome": Point("mhc.runs.live.LiveRun", "complete", 1, LOST, COMPLETED),
}
"""In the order of a training. While the outcome is recorded, SIGTERM and SIGINT are ignored: the run completes."""


def stop_at(point: Point, ready: int, go: int) -> None:
    """Make the `nth` call of the point write to the pipe `ready` and block until the pipe `go` is closed or written."""
    owner = _resolve(point.owner)
    original: Callable[..., Any] = getattr(owner, point.name)
    calls = 0

    def stopping(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        counts = not point.file or point.file in Path(args[0]).name
        calls += counts
        if counts and calls == point.nth:
            os.write(ready, READY)
            os.read(go, 1)
        return original(*args, **kwargs)

    setattr(owner, point.name, stopping)


def _resolve(path: str) -> Any:
    """Return the module or class at a dotted path."""
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError:
        module, _, name = path.rpartition(".")
        return getattr(importlib.import_module(module), name)
