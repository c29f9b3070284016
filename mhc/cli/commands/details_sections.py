"""The parts of `mhc details`: each prints one group of facts, and nothing where none is on record."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from mhc.cli.formatting import NOTHING, age, amount, duration, moment, score, size, when
from mhc.cli.output import Cell, Column, say, show, status_cell, title
from mhc.index.rows import Row
from mhc.record import Promotion, RunRecord
from mhc.terminal import clean

VERDICTS = {"passed": "green", "failed": "red", "not enough evidence": "yellow"}
MOST_FILES = 30
"""Files that are listed; of the rest the number and the size are told."""


def facts(pairs: list[tuple[str, str | Cell]]) -> None:
    """Print `name  value` lines, without those that have no value."""
    kept = [(name, value) for name, value in pairs if value not in ("", NOTHING)]
    if kept:
        show((Column(""), Column("", wrap=True)), [[Cell(name, "dim"), value] for name, value in kept], header=False)


def heading(record: RunRecord, row: Row, folder: Path, now: datetime) -> None:
    """Say what run it is, its state, and why it has its category."""
    title(record.id)
    begun, ended = moment(record.started_at or record.created_at), moment(record.ended_at)
    until = now if record.status == "running" else ended
    took = (until - begun).total_seconds() if begun and until else None
    facts(
        [
            ("status", with_reason(status_cell(record.status.value), record.status_reason)),
            ("category", f"{record.category.value}: {record.category_reason}" if record.category else "not classified"),
            ("name", record.name),
            ("description", record.description),
            ("tags", ", ".join(record.tags)),
            ("note", record.note),
            ("pinned", "yes: it is never archived by rule" if record.pinned else ""),
            ("made", f"{when(record.created_at)} ({age(record.created_at, now)})"),
            ("took", duration(took)),
            ("place", f"{folder}" if row.location == "active" else f"{folder} ({row.location})"),
            ("sweep", f"{record.sweep.id}, job {record.sweep.job}" if record.sweep else ""),
            ("seed", NOTHING if record.seed is None else str(record.seed)),
            ("seed group", record.group),
            ("process", process(record)),
        ]
    )


def process(record: RunRecord) -> str:
    """Where the run runs; nothing for one that has ended."""
    if record.process is None or record.status != "running":
        return ""
    slurm = f", SLURM job {record.process.slurm_job_id}" if record.process.slurm_job_id else ""
    return f"{record.process.pid} on {record.process.host}, {record.process.world_size} rank(s){slurm}"


def failure(record: RunRecord, folder: Path) -> None:
    """Say why it failed, and where the traceback lies."""
    if record.failure is None:
        return
    title("Failure")
    traceback = str(folder / record.failure.traceback) if record.failure.traceback else ""
    facts(
        [
            (record.failure.type, record.failure.sentence),
            ("where", record.failure.where),
            ("traceback", traceback),
        ]
    )


def promotion(record: RunRecord) -> None:
    """Say whether it is a candidate, gate by gate."""
    held = record.promotion
    title("Promotion")
    facts(
        [
            ("candidate", with_reason(candidate(held), held.reason)),
            ("policy", held.policy),
            ("bundles", ", ".join(held.bundles)),
        ]
    )
    if held.gates:
        columns = (Column("gate"), Column("verdict"), Column("measured", right=True), Column("reason", wrap=True))
        rows = [
            (gate.name, Cell(gate.verdict, VERDICTS.get(gate.verdict, "")), score(gate.measured), gate.reason)
            for gate in held.gates
        ]
        show(columns, rows)


def with_reason(cell: Cell, reason: str) -> Cell:
    """A conclusion with why, in the colour of the conclusion."""
    return Cell(f"{cell.text}: {reason}", cell.style) if reason else cell


def candidate(held: Promotion) -> Cell:
    """Yes, no, or not judged yet."""
    if held.candidate is None:
        return Cell("not judged", "dim")
    return Cell("yes", "bold green") if held.candidate else Cell("no", "red")


def metrics(record: RunRecord) -> None:
    """Tabulate the metrics of both splits, and those of each class on test (else on val)."""
    splits = {"val": record.metrics.val, "test": record.metrics.test}
    held = {name: split for name, split in splits.items() if split is not None}
    if not held:
        return
    title("Metrics of the best checkpoint")
    columns = (Column("metric"), *(Column(name, right=True) for name in held))
    wanted = (("accuracy", "accuracy"), ("macro-F1", "f1_macro"), ("loss", "loss"), ("calibration error", "ece"))
    show(columns, [(word, *(score(getattr(split, name)) for split in held.values())) for word, name in wanted])
    name, split = list(held.items())[-1]
    if split.f1:
        counted = record.data.splits.get(name) if record.data else None
        say()
        show(
            (
                Column(f"class on {name}", least=12),
                *(Column(w, right=True) for w in ("F1", "precision", "recall", "rows")),
            ),
            [
                (
                    label,
                    score(split.f1.get(label)),
                    score(split.precision.get(label)),
                    score(split.recall.get(label)),
                    amount(counted.labels.get(label) if counted else None),
                )
                for label in split.f1
            ],
        )


def data_and_model(record: RunRecord) -> None:
    """Tell what was trained, and on what."""
    data, model = record.data, record.model
    if model:
        title("Model")
        started = f", from {model.pretrained}" if model.pretrained else ""
        facts(
            [
                ("model", f"{model.name}: {model.architecture}{started}"),
                ("parameters", f"{amount(model.parameters)}, {amount(model.trainable_parameters)} trained"),
                ("longest text", f"{model.max_tokens} tokens" if model.max_tokens else ""),
            ]
        )
    if data:
        title("Data")
        kind = "synthetic" if data.synthetic else data.source
        share = f"; {data.train_fraction:.0%} of train was used" if data.train_fraction < 1 else ""
        facts([("data", f"{data.name} ({kind}){share}" if kind else f"{data.name}{share}")])
        show(
            (Column("split"), Column("rows", right=True), Column("cut"), Column("fingerprint", least=12)),
            [
                (name, amount(split.rows), data.cut.get(name, NOTHING), split.fingerprint[:16])
                for name, split in data.splits.items()
            ],
        )


def timing(record: RunRecord) -> None:
    """Tell how long it took and what it reached."""
    held, best = record.timing, record.checkpoint
    rate = f"{held.tokens_per_s:,.0f} tokens/s" if held.tokens_per_s else ""
    parts = [
        ("set-up", duration(held.setup_s)),
        ("fit", duration(held.fit_s)),
        ("test", duration(held.test_s)),
        ("reached", ", ".join(_reached(record))),
        ("throughput", rate),
        ("checkpoint", f"{best.path}, {size(best.bytes)}, sha256 {best.sha256[:12]}" if best else ""),
    ]
    if any(value not in ("", NOTHING) for _, value in parts):
        title("Timing")
        facts([(name, value) for name, value in parts])


def _reached(record: RunRecord) -> Iterator[str]:
    if record.timing.epochs is not None:
        yield f"{record.timing.epochs} epochs"
    if record.timing.steps is not None:
        yield f"{record.timing.steps:,} steps"
    if record.checkpoint and record.checkpoint.score is not None:
        yield f"best {record.checkpoint.monitor} {score(record.checkpoint.score)}"


def lineage(record: RunRecord) -> None:
    """Tell how it came about."""
    held = record.lineage
    title("How it came about")
    dirty = {None: "", True: " with changes", False: ""}[held.git_dirty]
    diff = f" (see {held.git_diff})" if held.git_diff else ""
    commit = f"{held.git_commit[:12]} on {held.git_branch}{dirty}{diff}" if held.git_commit else ""
    facts(
        [
            ("command", shlex.join(held.command)),
            ("git", commit),
            ("config", held.config_hash[:16]),
            ("taken over from", held.imported_from or ""),
            ("python", f"{held.python} on {held.platform}" if held.python else ""),
            ("hardware", ", ".join(f"{name} {value}" for name, value in held.hardware.items())),
            ("packages", ", ".join(f"{name} {version}" for name, version in held.packages.items())),
        ]
    )


def history(record: RunRecord) -> None:
    """Tell every event: when, what, by whom, why."""
    if record.history:
        title("History")
        columns = (Column("at (UTC)"), Column("what", least=10), Column("by", least=10), Column("why", wrap=True))
        show(columns, [(when(event.at)[:19], event.what, event.by, event.why) for event in record.history])


def files(folder: Path) -> None:
    """List the files of the folder with their sizes, the largest first."""
    found = sorted(_sizes(folder), key=lambda entry: -entry[1])
    title(f"Files: {size(sum(amount for _, amount in found))} in {len(found)}")
    rows = [(name, size(amount)) for name, amount in found[:MOST_FILES]]
    show((Column("file", least=20, middle=True), Column("size", right=True)), rows)
    if len(found) > MOST_FILES:
        say(f"and {len(found) - MOST_FILES} more, {size(sum(amount for _, amount in found[MOST_FILES:]))}", "dim")


def _sizes(folder: Path) -> Iterator[tuple[str, int]]:
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent) / name
            yield clean(path.relative_to(folder)), path.lstat().st_size
