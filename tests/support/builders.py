"""Records and run folders for tests: a test gives the values that matter, the others are plausible."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from mhc.facts import DataFacts, Metrics, ModelFacts, SplitFacts, Timing
from mhc.record import (
    Category,
    Event,
    Gate,
    Lineage,
    Location,
    MetricsBySplit,
    Process,
    Promotion,
    RunRecord,
    Status,
    Sweep,
    encode,
)

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
"""The default time of creation of the tests' runs."""
LABELS = ("anxiety", "depression", "normal", "suicidal")


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")


def metrics(accuracy: float | None = 0.62, f1_macro: float | None = 0.58, **recall: float) -> Metrics:
    per_class = {label: f1_macro or 0.0 for label in LABELS}
    return Metrics(
        accuracy=accuracy, f1_macro=f1_macro, loss=0.91, ece=0.07,
        f1=per_class, precision=per_class, recall=per_class | recall,
    )  # fmt: skip


def data_facts(**changes: Any) -> DataFacts:
    splits = {
        name: SplitFacts(rows=rows, fingerprint=f"{name}0" * 16, labels={label: rows // 4 for label in LABELS})
        for name, rows in (("train", 8000), ("val", 1000), ("test", 1000))
    }
    facts = DataFacts(name="mh4_balanced", synthetic=False, labels=list(LABELS), splits=splits)
    return msgspec.structs.replace(facts, **changes)


def model_facts(name: str = "baseline", **changes: Any) -> ModelFacts:
    facts = ModelFacts(
        name=name, architecture="Encoder", parameters=4_700_000, trainable_parameters=4_700_000, max_tokens=128
    )
    return msgspec.structs.replace(facts, **changes)


def process(host: str | None = None, pid: int = 999_999_99, boot_id: str = "another-boot") -> Process:
    """Return a process that cannot exist, because of its pid."""
    return Process(host=host or socket.gethostname(), boot_id=boot_id, pid=pid, pid_started_at=1.0)


def a_record(
    id: str = "attention_20261120_120000_a1b2",
    *,
    status: str = "completed",
    category: str | None = "baseline",
    created: datetime = NOW,
    took: timedelta | None = timedelta(minutes=12),
    accuracy: float | None = 0.62,
    f1_macro: float | None = 0.58,
    candidate: bool | None = None,
    gates: list[Gate] | None = None,
    model: str | None = "baseline",
    sweep: str | None = None,
    **fields: Any,
) -> RunRecord:
    """Return a complete record; `fields` are fields of `RunRecord` and replace those set by the other arguments."""
    ended = created + took if took is not None and status not in ("running", "lost") else None
    scores = metrics(accuracy, f1_macro) if accuracy is not None or f1_macro is not None else None
    history = [Event(at=iso(created), what="registered", by="RegisterRun")]
    if ended:
        history.append(Event(at=iso(ended), what=status, by="RegisterRun", why="the training ended"))
    values: dict[str, Any] = {
        "id": id,
        "name": id.rsplit("_", 3)[0],
        "status": Status(status),
        "category": None if category is None else Category(category),
        "category_reason": "nothing speaks for a debug run" if category else "",
        "created_at": iso(created),
        "started_at": iso(created),
        "ended_at": iso(ended) if ended else None,
        "seed": 1,
        "sweep": Sweep(id=sweep, job=0) if sweep else None,
        "group": "g0",
        "process": process() if status == "running" else None,
        "lineage": Lineage(
            command=["python", "-m", "mhc.train", f"model={model}"],
            overrides=[f"model={model}"],
            config_hash="c0ffee",
            git_commit="0123456789abcdef0123456789abcdef01234567",
            git_branch="main",
            git_dirty=False,
            packages={"torch": "2.13.0"},
            python="3.11.7",
        ),
        "data": data_facts(),
        "model": model_facts(model) if model else None,
        "metrics": MetricsBySplit(val=scores, test=scores) if status == "completed" else MetricsBySplit(),
        "timing": Timing(setup_s=3.0, fit_s=took.total_seconds() if took else None, epochs=4, steps=1000),
        "promotion": Promotion(candidate=candidate, gates=gates or [], policy="default"),
        "history": history,
    }
    return RunRecord(**(values | fields))


def folder_of(outputs: Path, record: RunRecord, location: str = "active") -> Path:
    """Return the run's folder: in the folder of its sweep if it has one, in the archive named by `location`."""
    parent = outputs if location == Location.ACTIVE else outputs / location
    return (parent / record.sweep.id if record.sweep else parent) / record.id


def write_run(outputs: Path, record: RunRecord, location: str = "active") -> Path:
    """Write a run's folder for the record: `run.json`, a config, a log, an empty checkpoint."""
    folder = folder_of(outputs, record, location)
    (folder / ".hydra").mkdir(parents=True)
    (folder / "checkpoints").mkdir()
    (folder / "run.json").write_bytes(encode(record))
    name = record.model.name if record.model else "unknown"
    seed = "null" if record.seed is None else record.seed
    config = f"seed: {seed}\nmodel:\n  name: {name}\n  optimizer:\n    lr: 0.0003\ntrainer:\n  max_epochs: 4\n"
    (folder / ".hydra" / "config.yaml").write_text(config)
    (folder / ".hydra" / "overrides.yaml").write_text("".join(f"- {word}\n" for word in record.lineage.overrides))
    (folder / "train.log").write_text("")
    (folder / "checkpoints" / "best.ckpt").write_bytes(b"\0" * 64)
    return folder


def a_run(
    outputs: Path, id: str = "attention_20261120_120000_a1b2", *, location: str = "active", **record: Any
) -> Path:
    """Write a run's folder and return it; the arguments are those of `a_record`."""
    return write_run(outputs, a_record(id, **record), location)


def a_tree(outputs: Path, count: int, **record: Any) -> list[Path]:
    """Write runs `run_<date>_<time>_<number>`, one an hour, oldest first, with rising scores."""
    folders = []
    for number in range(count):
        created = NOW - timedelta(hours=count - number)
        values = {"created": created, "accuracy": 0.5 + number / 1000, "f1_macro": 0.4 + number / 1000, "seed": number}
        folders.append(a_run(outputs, f"run_{created:%Y%m%d_%H%M%S}_{number:04x}", **(values | record)))
    return folders
