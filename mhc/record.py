"""The record of a run: the structs of `run.json`. Pure: nothing here touches a disk."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from mhc.facts import DataFacts, Metrics, ModelFacts, Refit, Smoke, Timing

RECORD_FILE = "run.json"
"""The name of the record in a run's folder."""
SCHEMA = 1
"""The version of `run.json` that this code writes, and the newest that it reads."""


class Status(StrEnum):
    """The state of a run."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """Ended by a request: Ctrl-C, SIGTERM or preemption."""
    LOST = "lost"
    """The process is gone and its outcome was not recorded."""
    UNKNOWN = "unknown"
    """Imported from another tracker that did not record the outcome."""


class Category(StrEnum):
    """The purpose of a run."""

    DEBUG = "debug"
    BASELINE = "baseline"


class Location(StrEnum):
    """The place of a run's folder; derived from the path, never stored."""

    ACTIVE = "active"
    ARCHIVE_DEBUG = "archive_debug"
    ARCHIVE_BASELINE = "archive_baseline"
    ARCHIVED = "archived"
    PRODUCTION = "production"


ARCHIVES: dict[str, Location] = {
    location.value: location for location in (Location.ARCHIVE_DEBUG, Location.ARCHIVE_BASELINE, Location.ARCHIVED)
}
"""The folders of `outputs/` that hold archived runs, by name."""


def location_of(path: str) -> Location:
    """Return the location of a run from the path of its folder: relative to `outputs`, or absolute for a bundle."""
    if path.startswith("/"):
        return Location.PRODUCTION
    first = path.split("/", 1)[0]
    return ARCHIVES.get(first, Location.ACTIVE) if first != path else Location.ACTIVE


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a run's history."""

    at: str
    """UTC, ISO 8601."""
    what: str
    """registered, started, completed, failed, classified, archived, ..."""
    by: str
    """The user, the callback or the rule."""
    why: str = ""


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """The process that owns a running run."""

    host: str
    boot_id: str
    pid: int
    pid_started_at: float
    """Unix seconds, as psutil's create_time."""
    pid_ticks: int | None = None
    """The same in clock ticks since boot, which setting the clock does not change; None outside Linux."""
    pid_namespace: str = ""
    """Linux's name of the pid namespace: a container on the same machine numbers its processes separately."""
    world_size: int = 1
    slurm_job_id: str | None = None


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """The sweep a run belongs to."""

    id: str
    job: int
    overrides: list[str] = []


class Content(StrEnum):
    """What a run has of the content of a file that was changed and not committed."""

    KEPT = "kept"
    """The diff in `git.diff`."""
    NOT_CODE = "not code"
    """Nothing: it may be data."""
    LEFT_OUT = "left out"
    """Nothing: it is code, but binary, generated, or too large."""
    UNTRACKED = "untracked"
    """Nothing: git does not track the file."""


class ChangedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was changed and not committed."""

    path: str
    """Relative to the top of the working tree."""
    sha256: str = ""
    """Empty if the file was deleted, is too large, or is a folder."""
    content: Content


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """The origin of a run: all that is needed to reproduce it."""

    command: list[str] = []
    overrides: list[str] = []
    config_hash: str = ""
    git_commit: str | None = None
    git_branch: str | None = None
    git_dirty: bool | None = None
    git_diff: str | None = None
    """File in the run's folder with the uncommitted changes of code; None if there are none."""
    git_changes: list[ChangedFile] = []
    """All files with uncommitted changes; earlier versions did not record them."""
    packages: dict[str, str] = {}
    python: str = ""
    platform: str = ""
    hardware: dict[str, str | int | float] = {}
    imported_from: str | None = None
    """The tracker and file that the record was imported from."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """The reason why a run failed."""

    type: str
    sentence: str
    where: str = ""
    """file:line function; the file is relative to the project if it lies in it."""
    traceback: str | None = None
    """File in the run's folder."""


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The best checkpoint."""

    path: str
    """Relative to the run's folder."""
    sha256: str
    bytes: int
    epoch: int | None = None
    step: int | None = None
    monitor: str | None = None
    score: float | None = None


class MetricsBySplit(msgspec.Struct, frozen=True, kw_only=True):
    """Final metrics of the best checkpoint."""

    val: Metrics | None = None
    test: Metrics | None = None


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict of one gate."""

    name: str
    verdict: str
    """passed, failed, not enough evidence."""
    reason: str
    measured: float | None = None
    threshold: float | None = None
    why: str = ""
    """Why the policy has this gate."""
    remedy: str = ""
    """What would change the verdict; empty if the gate is passed."""


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """The automatic judgement of a run, and the bundles built from it."""

    candidate: bool | None = None
    """None if the run has not been judged yet."""
    reason: str = ""
    policy: str = ""
    gates: list[Gate] = []
    bundles: list[str] = []
    """Names of the bundles built from this run."""


class EnsembleMember(msgspec.Struct, frozen=True, kw_only=True):
    """A run whose probabilities an ensemble averages; the ensemble has a copy of its model."""

    run: str
    """Its id."""
    folder: str
    """Name of its folder in `ensemble/members`."""
    model: str = ""
    checkpoint: str = ""
    """SHA-256 of its checkpoint."""
    weight: float
    temperature: float
    """At which it is averaged, fitted on val as the weights are."""
    category: Category | None = None
    git_commit: str | None = None
    git_dirty: bool | None = None
    has_diff: bool = False
    """Whether all its uncommitted changes of code were in its folder."""


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `run.json`. Changed only through `mhc.runs.store`."""

    schema: int = SCHEMA
    id: str
    name: str
    description: str = ""
    tags: list[str] = []
    status: Status
    status_reason: str = ""
    category: Category | None = None
    category_reason: str = ""
    category_said: Category | None = None
    """The category that the user set with `category=` or `reclassify --to`; None if the rules decide."""
    created_at: str
    started_at: str | None = None
    ended_at: str | None = None
    seed: int | None = None
    sweep: Sweep | None = None
    group: str = ""
    """Hash of the config without seed, name and notes: runs that differ only in the seed share it."""
    process: Process | None = None
    failure: Failure | None = None
    lineage: Lineage = Lineage()
    refit: Refit | None = None
    """None unless the run was trained on all rows after a cross-validation."""
    ensemble: list[EnsembleMember] = []
    """The members of an ensemble; empty for other runs."""
    smoke: Smoke = Smoke()
    data: DataFacts | None = None
    model: ModelFacts | None = None
    metrics: MetricsBySplit = MetricsBySplit()
    checkpoint: Checkpoint | None = None
    timing: Timing = Timing()
    promotion: Promotion = Promotion()
    pinned: bool = False
    note: str = ""
    imported: dict[str, Any] = {}
    """Metadata of another tracker, stored unchanged."""
    revision: int = 0
    history: list[Event] = []


def encode(record: RunRecord) -> bytes:
    """Return the bytes of `run.json`: indented JSON with a newline at the end."""
    return msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"


def flatten(mapping: Mapping[str, object], *, whole: Collection[str] = (), prefix: str = "") -> dict[str, object]:
    """Return nested mappings as one, with dotted keys: `{"a": {"b": 1}}` becomes `{"a.b": 1}`.

    Lists and the mappings under the keys `whole` stay as they are; empty mappings disappear.
    """
    fields: dict[str, object] = {}
    for key, value in mapping.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and key not in whole:
            fields |= flatten(value, whole=whole, prefix=f"{name}.")
        else:
            fields[name] = value
    return fields
